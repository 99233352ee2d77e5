//! HTTP/2, as spoken with a client.

use std::sync::Arc;

use bytes::BytesMut;

use super::{Place, Stream};
use crate::site::Door;

/// Serves a connection of which `read` was read already.
pub(super) async fn serve(_place: Place, _door: Arc<Door>, _stream: Stream, _read: BytesMut) {}
