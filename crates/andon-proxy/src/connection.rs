//! A client's connection.

use std::sync::Arc;

use tokio::sync::watch;

use crate::proxy::Shared;
use crate::worker::{Arrival, Phase};

/// Serves a connection until it ends.
pub(crate) async fn serve(
    _worker: usize,
    _shared: Arc<Shared>,
    arrival: Arrival,
    _phase: watch::Receiver<Phase>,
) {
    drop(arrival);
}
