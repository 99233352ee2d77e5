//! Responses, as they go to a client that speaks HTTP/2.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use http_body::{Body, Frame};

use super::Call;
use super::upload::Upload;
use crate::body::{Piece, Trailers};
use crate::exchange::Exchange;
use crate::head::{Known, ResponseHead, elements};
use crate::refusal::Refusal;

/// The body of a response.
pub(super) enum Answer {
    /// The proxy's own words.
    Own(Bytes),
    /// What a server says.
    Carried(Box<Carried>),
}

/// A response on its way.
pub(super) struct Carried {
    pub(super) exchange: Exchange,
    pub(super) upload: Upload,
    pub(super) call: Call,
}

/// The client is told that the response broke off.
#[derive(Debug, thiserror::Error)]
#[error("the response broke off")]
pub(super) struct BrokeOff;

impl Body for Answer {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        let Carried { exchange, upload, call } = match self.get_mut() {
            Answer::Own(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Answer::Own(bytes) => return Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Answer::Carried(carried) => &mut **carried,
        };
        call.offers(false);
        if exchange.has_ended() {
            return Poll::Ready(None);
        }
        match ready!(exchange.poll_piece(cx, upload)) {
            Ok(Piece::Data(data)) => {
                call.record.sent += data.len() as u64;
                call.offers(true);
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Ok(Piece::End(trailers)) => {
                call.failure = None;
                call.record.received = upload.received;
                let trailers = headers_of(&trailers);
                Poll::Ready((!trailers.is_empty()).then(|| Ok(Frame::trailers(trailers))))
            }
            Err(failure) => {
                call.failure = Some(failure);
                Poll::Ready(Some(Err(BrokeOff)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Own(bytes) => bytes.is_empty(),
            Answer::Carried(carried) => carried.exchange.has_ended(),
        }
    }
}

fn headers_of(trailers: &Trailers) -> HeaderMap {
    let pairs = trailers.iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
    });
    let mut headers = HeaderMap::new();
    pairs.for_each(|(name, value)| {
        headers.append(name, value);
    });
    headers
}

/// A response whose head came from a server.
pub(super) fn response(head: &ResponseHead, cookie: Option<String>, answer: Answer) -> Response<Answer> {
    let mut response = Response::new(answer);
    // The status was read as three digits.
    *response.status_mut() = http::StatusCode::from_u16(head.status).unwrap_or_default();
    let headers = response.headers_mut();
    let options = head.fields.iter().filter(|field| field.known == Known::Connection);
    let dropped: Vec<&[u8]> = options.flat_map(|field| elements(head.part(field.value))).collect();
    for field in head.fields.iter().filter(|field| !field.known.ends_here()) {
        let name = head.part(field.name);
        if dropped.iter().any(|dropped| dropped.eq_ignore_ascii_case(name)) {
            continue;
        }
        let value = HeaderValue::from_maybe_shared(head.bytes.slice(field.value.range()));
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            headers.append(name, value);
        }
    }
    if let Some(Ok(cookie)) = cookie.map(HeaderValue::try_from) {
        headers.append(http::header::SET_COOKIE, cookie);
    }
    response
}

/// A response in the proxy's own words.
pub(super) fn refused(refusal: Refusal, call: &mut Call) -> Response<Answer> {
    let body = if call.parts.method == Method::HEAD { String::new() } else { refusal.body() };
    call.record.status = refusal.status;
    call.record.sent = body.len() as u64;
    let mut response = Response::new(Answer::Own(Bytes::from(body)));
    *response.status_mut() = http::StatusCode::from_u16(refusal.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    for (name, value) in refusal.headers() {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}
