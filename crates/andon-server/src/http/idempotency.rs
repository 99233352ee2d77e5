//! Changes that are asked for twice are done once. A client that heard no answer sends its request again, under the same
//! `Idempotency-Key`, and gets the answer that it did not hear. Every change goes on to its end, also when its client leaves.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use andon_core::digest::Digest;
use axum::body::Body;
use axum::extract::{FromRequest, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use http_body::Body as _;

use super::body::Bytes;
use super::gate::Asker;
use super::reply::{ErrorCode, Refused};
use crate::clock;

mod keys;

pub(super) use keys::Keys;

use keys::{Answer, Begun};

/// The header that names a request.
const HEADER: &str = "idempotency-key";
/// What an answer has that was given before.
const REPLAYED: &str = "idempotency-replayed";
/// The longest key, in bytes.
const LONGEST: usize = 64;
/// The longest answer that is kept, in bytes: of 10,000. Sweeps of many hosts answer most.
const KEPT: usize = 64 * 1024;

/// What is done once.
#[derive(Debug, Clone)]
pub(super) struct Once {
    /// What was done.
    pub(super) keys: Keys,
    /// Methods and paths of the changes that take a key.
    pub(super) changes: Arc<BTreeSet<(String, String)>>,
}

/// Does a change once.
pub(super) async fn once(State(once): State<Once>, request: Request, next: Next) -> Response<Body> {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let change = route.map(|route| (request.method().to_string(), route));
    if !change.is_some_and(|change| once.changes.contains(&change)) {
        // What is sent twice by itself, what is secret, pages, and what is no change at all.
        return to_its_end(next.run(request)).await;
    }
    let keys = once.keys;
    match key(request.headers()) {
        Ok(Some(key)) => keyed(keys, key, request, next).await.unwrap_or_else(IntoResponse::into_response),
        Ok(None) => to_its_end(next.run(request)).await,
        Err(refused) => refused.into_response(),
    }
}

async fn keyed(keys: Keys, key: String, request: Request, next: Next) -> Result<Response<Body>, Refused> {
    let visitor = request.extensions().get::<Asker>().map(|asker| asker.0.name.clone()).unwrap_or_default();
    let (parts, body) = request.into_parts();
    let Bytes(body) = Bytes::from_request(Request::new(body), &()).await?;
    let asked = fingerprint(&parts.method, &parts.uri.to_string(), &body);
    let ticket = match keys.begin(visitor, key, asked, clock::now()).await? {
        Begun::First(ticket) => ticket,
        Begun::Again(answer) => return Ok(again(&answer)),
    };
    let request = Request::from_parts(parts, Body::from(body));
    Ok(to_its_end(async move {
        let response = next.run(request).await;
        let (response, answer) = heard(response).await;
        keys.end(ticket, answer).await;
        response
    })
    .await)
}

/// A change goes on when whoever asked for it leaves: what is half done is of no use to anybody.
async fn to_its_end(change: impl Future<Output = Response<Body>> + Send + 'static) -> Response<Body> {
    tokio::spawn(change).await.unwrap_or_else(|_| {
        let next = "look whether it was done; then ask again under another key";
        Refused::new(ErrorCode::Unavailable, "the server stumbled over this request", next).into_response()
    })
}

/// The key of a request.
fn key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let mut all = headers.get_all(HEADER).iter();
    let Some(value) = all.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if all.next().is_none() && visible && (1..=LONGEST).contains(&text.len()) {
        return Ok(Some(text.to_owned()));
    }
    let what =
        format!("an idempotency key has 1 to {LONGEST} visible ASCII characters, and there is one of it");
    Err(Refused::new(ErrorCode::InvalidRequest, what, "a random UUID will do"))
}

fn fingerprint(method: &Method, uri: &str, body: &[u8]) -> Digest {
    let head = format!("{method} {uri}\n");
    Digest::of(&[head.as_bytes(), body].concat())
}

/// An answer, and what is kept of it: nothing, when the same request may be answered otherwise in a moment.
async fn heard(response: Response<Body>) -> (Response<Body>, Option<Answer>) {
    let status = response.status();
    let passing = matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
    );
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_owned();
    if status.is_server_error() || passing || kind.starts_with("text/event-stream") {
        return (response, None);
    }
    let location = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
    let location = location.map(str::to_owned);
    let (parts, body) = response.into_parts();
    let bytes = whole(body).await;
    let answer = match String::from_utf8(bytes.clone()) {
        Ok(body) if body.len() <= KEPT => Answer { status: status.as_u16(), kind, location, body },
        _ => too_long().await,
    };
    (Response::from_parts(parts, Body::from(bytes)), Some(answer))
}

/// What is kept in the place of an answer that is too long to be kept: it was done, and is not done again.
async fn too_long() -> Answer {
    let what = "the first request with this idempotency key was done; its answer was too long to be kept";
    let refused = Refused::new(ErrorCode::IdempotencyUnknown, what, "look what came of it");
    let (parts, body) = refused.into_response().into_parts();
    let body = String::from_utf8(whole(body).await).unwrap_or_default();
    Answer { status: parts.status.as_u16(), kind: "application/json".to_owned(), location: None, body }
}

async fn whole(mut body: Body) -> Vec<u8> {
    let mut whole = Vec::new();
    // Answers to changes are short, and are there as a whole.
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    whole
}

fn again(answer: &Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body.clone()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&answer.kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if let Some(location) = answer.location.as_ref().and_then(|place| HeaderValue::from_str(place).ok()) {
        headers.insert(header::LOCATION, location);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// How long a second request waits for the answer to the first.
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(length: usize) -> Response<Body> {
        Response::new(Body::from("x".repeat(length)))
    }

    #[tokio::test]
    async fn of_an_answer_that_is_too_long_is_kept_that_it_was_done() {
        let (response, kept) = heard(answer(KEPT)).await;
        assert_eq!(kept.unwrap().body.len(), KEPT);
        assert_eq!(whole(response.into_body()).await.len(), KEPT);
        let (response, kept) = heard(answer(KEPT + 1)).await;
        let kept = kept.unwrap();
        assert!(kept.status == 409 && kept.body.contains("idempotency_unknown"), "{kept:?}");
        assert_eq!(whole(response.into_body()).await.len(), KEPT + 1, "who asked first hears all of it");
    }
}
