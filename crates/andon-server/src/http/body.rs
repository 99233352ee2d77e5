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
/// The longest form of a page, in bytes: it may come from somebody who is not known yet.
const FORM: usize = 64 * 1024;
/// The longest text that a person writes into one field, in bytes.
pub(super) const LONGEST_TEXT: usize = 1_000;
/// A body comes whole within this time.
const WITHIN: Duration = Duration::from_secs(20);

/// The whole body of a request.
pub(super) struct Bytes(pub(super) Vec<u8>);

impl<S: Send + Sync> FromRequest<S> for Bytes {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        within(request.into_body(), SIZE).await
    }
}

/// The whole body, when it is no longer than `most` and comes in time.
async fn within(body: Body, most: usize) -> Result<Bytes, Refused> {
    // A length that is announced is believed when it is too large, and not otherwise.
    if body.size_hint().lower() > most as u64 {
        return Err(too_large(most));
    }
    let slow = |_| {
        let what = format!("the body did not come within {} s", WITHIN.as_secs());
        Refused::new(ErrorCode::TooSlow, what, "send it again")
    };
    timeout(WITHIN, read(body, most)).await.map_err(slow)?.map(Bytes)
}

async fn read(mut body: Body, most: usize) -> Result<Vec<u8>, Refused> {
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let broken = |error| {
            let what = format!("the body broke off: {error}");
            Refused::new(ErrorCode::InvalidRequest, what, "send it again")
        };
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            if whole.len() + data.len() > most {
                return Err(too_large(most));
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole)
}

fn too_large(most: usize) -> Refused {
    let most =
        if most < SIZE { format!("{} KiB", most / 1024) } else { format!("{} MiB", most / 1024 / 1024) };
    let what = format!("the body is longer than {most}");
    Refused::new(ErrorCode::TooLarge, what, "send less at once")
}

/// Insists that a text in a person's words is a short one, as pages do: it stands in the ledger for ever.
pub(super) fn short(name: &str, text: Option<&str>) -> Result<(), Refused> {
    match text.map(str::len) {
        Some(length) if length > LONGEST_TEXT => {
            let what = format!("{name} has at most {LONGEST_TEXT} bytes, not {length}");
            Err(Refused::new(ErrorCode::InvalidRequest, what, "say it in one sentence"))
        }
        _ => Ok(()),
    }
}

/// The bytes of what may be a form.
pub(super) async fn form_bytes(body: Body) -> Result<Bytes, Refused> {
    within(body, FORM).await
}

/// The fields of a form.
pub(super) async fn form<T: DeserializeOwned>(request: Request) -> Result<T, Refused> {
    let (parts, body) = request.into_parts();
    let bytes = form_bytes(body).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_person_is_short() {
        assert_eq!(short("why", None), Ok(()));
        assert_eq!(short("why", Some(&"x".repeat(1_000))), Ok(()));
        let refused = short("why", Some(&"x".repeat(1_001))).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidRequest);
        assert!(refused.message.contains("why has at most 1000 bytes, not 1001"), "{refused:?}");
    }

    #[tokio::test]
    async fn a_form_is_shorter_than_other_bodies() {
        let body = |length: usize| Body::from(vec![b'x'; length]);
        assert!(form_bytes(body(FORM)).await.is_ok());
        let refused = form_bytes(body(FORM + 1)).await.err().unwrap();
        assert_eq!(refused.code, ErrorCode::TooLarge);
        assert!(refused.message.contains("64 KiB"), "{refused:?}");
        assert!(within(body(FORM + 1), SIZE).await.is_ok());
        assert!(within(body(SIZE + 1), SIZE).await.err().unwrap().message.contains("4 MiB"));
    }
}
