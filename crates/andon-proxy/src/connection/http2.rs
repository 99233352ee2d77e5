//! HTTP/2, as spoken with a client.
//!
//! hyper speaks the protocol; here its requests are held to the same rules as those of HTTP/1, and carried to servers
//! over HTTP/1.1.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version};
use http_body::{Body, Frame};
use hyper::body::Incoming as Received;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::record::{Record, Texts, end_of};
use super::{Place, Stream, View};
use crate::alarm::Alarm;
use crate::body::{Piece, Trailers};
use crate::exchange::{Exchange, Failure, Source};
use crate::head::{Framing, Known, ResponseHead, elements, is_authority, length_of};
use crate::mark;
use crate::outgoing::Incoming;
use crate::refusal::Refusal;
use crate::site::Door;
use crate::wire::Wire;
use crate::worker::Phase;

/// The server learns that a client spoke HTTP/2 with this proxy.
const VIA: &[u8] = b"Via: 2 andon\r\n";

/// A connection on which nothing was under way for the idle time is ended; looked at so many times within it.
const LOOKS: u32 = 4;

/// What all requests of a connection share.
struct Common {
    place: Place,
    door: Arc<Door>,
    under_way: AtomicUsize,
    /// Grows with each request.
    seen: AtomicUsize,
}

/// Serves a connection of which `read` was read already.
pub(super) async fn serve(place: Place, door: Arc<Door>, stream: Stream, read: BytesMut) {
    let (limits, timeouts) = (door.limits, door.timeouts);
    let mut phase = place.phase.clone();
    let common = Arc::new(Common { place, door, under_way: AtomicUsize::new(0), seen: AtomicUsize::new(0) });
    let io = TokioIo::new(Wire::new(stream, read).prefixed());
    let service = {
        let common = Arc::clone(&common);
        service_fn(move |request| {
            common.under_way.fetch_add(1, Relaxed);
            common.seen.fetch_add(1, Relaxed);
            let common = Arc::clone(&common);
            async move { Ok::<_, Infallible>(answer(common, request).await) }
        })
    };
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(256 * 1024)
        // A client that is gone without a word, or reads nothing, is noticed by its silence.
        .keep_alive_interval(timeouts.write / 2)
        .keep_alive_timeout(timeouts.write / 2);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut seen = 0;
    let mut quiet = 0;
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => break,
            () = tokio::time::sleep(timeouts.idle / LOOKS) => {
                let is_quiet = common.under_way.load(Relaxed) == 0 && common.seen.load(Relaxed) == seen;
                seen = common.seen.load(Relaxed);
                quiet = if is_quiet { quiet + 1 } else { 0 };
                if quiet >= LOOKS {
                    break;
                }
            }
        }
    }
    connection.as_mut().graceful_shutdown();
    // What is under way ends, or is cut with the worker.
    let _ = connection.await;
}

/// A request under way, from its head to the end of its response.
struct Call {
    common: Arc<Common>,
    parts: Parts,
    pool: Arc<crate::pool::Pool>,
    record: Record,
    failure: Option<Failure>,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.common.under_way.fetch_sub(1, Relaxed);
        let Some(log) = self.common.place.shared.log.get() else { return };
        let value = |name: &str| self.parts.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
        let texts = Texts {
            client: self.common.place.peer,
            tls: self.common.place.is_tls,
            version: Version::HTTP_2,
            method: self.parts.method.as_str().as_bytes(),
            target: self.parts.uri.path_and_query().map_or(b"", |target| target.as_str().as_bytes()),
            host: self.parts.uri.authority().map_or(b"", |host| host.as_str().as_bytes()),
            user_agent: value("user-agent"),
            referer: value("referer"),
            request_id: value("x-request-id"),
            pool: self.pool.name(),
        };
        self.record.end(&**log, &texts, end_of(self.failure));
    }
}

/// Carries one request.
async fn answer(common: Arc<Common>, request: Request<Received>) -> Response<Answer> {
    let mut view = common.place.view(Arc::clone(&common.door));
    // Forces a look at the configuration that is in force now.
    view.generation = view.generation.wrapping_sub(1);
    common.place.refresh(&mut view);
    let (parts, body) = request.into_parts();
    let pool = Arc::clone(&view.carrier.pool);
    // Counts as left until its end is known.
    let failure = Some(Failure::ClientLeft);
    let mut call = Call { common, parts, pool, record: Record::begin(), failure };
    let mut upload = Upload::new(body, &view);
    match carry(&mut call, &view, &mut upload).await {
        Ok((exchange, head, cookie)) => {
            call.record.answered(head.status);
            response(&head, cookie, Answer::Carried(Box::new(Carried { exchange, upload, call })))
        }
        Err(failure) => {
            call.failure = Some(failure);
            let refusal = match failure {
                Failure::Refused(refusal) => refusal,
                Failure::Cut => Refusal::new(503, "the server was taken out"),
                Failure::ClientLeft | Failure::ServerBroke => {
                    Refusal::new(502, "the server's response broke off")
                }
            };
            refused(refusal, &mut call)
        }
    }
}

type Begun = (Exchange, ResponseHead, Option<String>);

async fn carry(call: &mut Call, view: &View, upload: &mut Upload) -> Result<Begun, Failure> {
    let parts = &call.parts;
    let host = authority(parts).map_err(Failure::Refused)?;
    let framing = framing(parts, upload).map_err(Failure::Refused)?;
    let most = view.door.limits.body_bytes;
    if matches!(framing, Framing::Length(length) if most > 0 && length > most) {
        return Err(TOO_LARGE);
    }
    let fields = fields(&parts.headers).map_err(Failure::Refused)?;
    let config = view.carrier.pool.config();
    let wanted = mark::wanted(config, fields.iter().map(|(name, value, _)| (*name, *value)));
    let incoming = Incoming {
        method: parts.method.as_str().as_bytes(),
        target: parts.uri.path_and_query().map_or(b"/", |target| target.as_str().as_bytes()),
        host,
        fields: fields.iter().copied(),
        dropped: &[],
        framing,
        upgrade: b"",
        via: VIA,
    };
    let outgoing = view.client.outgoing(&incoming, &mut BytesMut::new());
    let (exchange, head) = view.carrier.begin(&outgoing, wanted, upload, &mut call.record.tries).await?;
    let cookie = mark::cookie(config, wanted, exchange.server(), call.common.place.is_tls);
    Ok((exchange, head, cookie))
}

/// The host that is asked for, which `:authority` and `Host` must agree upon.
fn authority(parts: &Parts) -> Result<&[u8], Refusal> {
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Err(Refusal::new(405, "this method is not for a proxy in front of servers"));
    }
    let mut hosts = parts.headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    let (host, more) = (hosts.next(), hosts.next().is_some());
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    match (authority, host) {
        _ if more => Err(Refusal::bad("there are two Host headers")),
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            Err(Refusal::bad("the authority and the Host header name different hosts"))
        }
        (Some(host), _) | (None, Some(host)) if is_authority(host) => Ok(host),
        _ => Err(Refusal::bad("there is no authority that could be one")),
    }
}

/// How the body is sent on.
fn framing(parts: &Parts, upload: &Upload) -> Result<Framing, Refusal> {
    let mut lengths = parts.headers.get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (_, Some(_)) => Err(Refusal::bad("there are two Content-Length headers")),
        (Some(length), None) => match length_of(length.as_bytes()) {
            // hyper ends a stream with an error whose data are not as long as that.
            Some(0) => Ok(Framing::None),
            Some(length) => Ok(Framing::Length(length)),
            None => Err(Refusal::bad("the Content-Length header is not a number")),
        },
        (None, None) if upload.body.is_end_stream() => Ok(Framing::None),
        (None, None) => Ok(Framing::Chunked),
    }
}

/// All fields; those of cookies in one, as HTTP/1 has them.
fn fields(headers: &HeaderMap) -> Result<Vec<(&[u8], &[u8], Known)>, Refusal> {
    let mut fields = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let known = Known::of(name.as_str().as_bytes())?;
        if known == Known::TransferEncoding || known == Known::Connection || known == Known::Upgrade {
            return Err(Refusal::bad("a header is one of HTTP/1 only"));
        }
        fields.push((name.as_str().as_bytes(), value.as_bytes(), known));
    }
    Ok(fields)
}

fn response(head: &ResponseHead, cookie: Option<String>, answer: Answer) -> Response<Answer> {
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

fn refused(refusal: Refusal, call: &mut Call) -> Response<Answer> {
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

/// The body of a response.
enum Answer {
    /// The proxy's own words.
    Own(Bytes),
    /// What a server says.
    Carried(Box<Carried>),
}

/// A response on its way.
struct Carried {
    exchange: Exchange,
    upload: Upload,
    call: Call,
}

/// The client is told that the response broke off.
#[derive(Debug, thiserror::Error)]
#[error("the response broke off")]
struct BrokeOff;

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
        if exchange.has_ended() {
            return Poll::Ready(None);
        }
        match ready!(exchange.poll_piece(cx, upload)) {
            Ok(Piece::Data(data)) => {
                call.record.sent += data.len() as u64;
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

/// The body of a request.
struct Upload {
    body: Received,
    alarm: Alarm,
    received: u64,
    most: u64,
    timeout: std::time::Duration,
}

impl Upload {
    fn new(body: Received, view: &View) -> Self {
        let timeout = view.door.timeouts.body;
        Self { body, alarm: Alarm::new(timeout), received: 0, most: view.door.limits.body_bytes, timeout }
    }
}

const TOO_LARGE: Failure = Failure::Refused(Refusal::new(413, "the body of the request is too large"));

impl Source for Upload {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Failure>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                self.alarm.ensure(self.timeout);
                let late = Refusal::new(408, "the body of the request did not come in time");
                return self.alarm.poll(cx).map(|()| Err(Failure::Refused(late)));
            };
            self.alarm.clear();
            let frame = match frame {
                None => return Poll::Ready(Ok(Piece::End(Trailers::default()))),
                Some(Err(_)) => return Poll::Ready(Err(Failure::ClientLeft)),
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => {
                    self.received += data.len() as u64;
                    let is_too_large = self.most > 0 && self.received > self.most;
                    return Poll::Ready(if is_too_large { Err(TOO_LARGE) } else { Ok(Piece::Data(data)) });
                }
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    let pairs = trailers.iter();
                    let pairs = pairs.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
                    let end = Trailers::from_pairs(pairs)
                        .map_err(|malformed| Failure::Refused(Refusal::bad(malformed.0)));
                    return Poll::Ready(end.map(Piece::End));
                }
            }
        }
    }

    fn poll_left(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // hyper drops the whole call when its stream is reset.
        Poll::Pending
    }
}
