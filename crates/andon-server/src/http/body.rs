//! The body of a request, bounded in size and time, and the values that are read from it.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http_body::Body as _;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::reply::{ErrorCode, Refused};

/// The longest body, in bytes.
pub(super) const SIZE: usize = 4 * 1024 * 1024;
/// A body comes whole within this time.
const WITHIN: Duration = Duration::from_secs(20);

/// The whole body of a request.
pub(super) struct Bytes(pub(super) Vec<u8>);

impl<S: Send + Sync> FromRequest<S> for Bytes {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let body = request.into_body();
        // A length that is announced is believed when it is too large, and not otherwise.
        if body.size_hint().lower() > SIZE as u64 {
            return Err(too_large());
        }
        let slow = |_| {
            let what = format!("the body did not come within {} s", WITHIN.as_secs());
            Refused::new(ErrorCode::TooSlow, what, "send it again")
        };
        timeout(WITHIN, read(body)).await.map_err(slow)?.map(Bytes)
    }
}

async fn read(mut body: Body) -> Result<Vec<u8>, Refused> {
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let broken = |error| {
            let what = format!("the body broke off: {error}");
            Refused::new(ErrorCode::InvalidRequest, what, "send it again")
        };
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            if whole.len() + data.len() > SIZE {
                return Err(too_large());
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole)
}

fn too_large() -> Refused {
    let what = format!("the body is longer than {} MiB", SIZE / 1024 / 1024);
    Refused::new(ErrorCode::TooLarge, what, "send less at once")
}

/// The fields of a form, from a body that is bounded as all are.
pub(super) async fn form<T: DeserializeOwned>(request: Request) -> Result<T, Refused> {
    let (parts, body) = request.into_parts();
    let bytes = Bytes::from_request(Request::new(body), &()).await?;
    let again = Request::from_parts(parts, Body::from(bytes.0));
    let read = axum::Form::<T>::from_request(again, &()).await;
    let wrong = |error: axum::extract::rejection::FormRejection| {
        let what = format!("the form cannot be read: {}", error.body_text());
        Refused::new(ErrorCode::InvalidRequest, what, "load the page again, and send it once more")
    };
    read.map(|form| form.0).map_err(wrong)
}

impl Bytes {
    /// The value that the body holds as JSON. What is unknown or of another kind is named.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Refused> {
        let wrong = |what: String| {
            Refused::new(ErrorCode::InvalidRequest, what, "compare it with docs/guide/judging-for-others.md")
        };
        // A list would be taken for the fields in their order.
        if self.0.trim_ascii_start().first() != Some(&b'{') {
            return Err(wrong("the body cannot be read: it is no JSON object".to_owned()));
        }
        serde_json::from_slice(&self.0).map_err(|error| wrong(format!("the body cannot be read: {error}")))
    }
}
