//! HTTP/2, as spoken with a client.
//!
//! hyper speaks the protocol; here its requests are held to the same rules as those of HTTP/1, and carried to servers
//! over HTTP/1.1.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::request::Parts;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming as Received;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::{Interval, MissedTickBehavior};

use self::answer::{Answer, Carried, refused, response};
use self::request::{authority, cookies, fields, framing};
use self::upload::{TOO_LARGE, Upload};
use super::record::{Record, Texts, end_of};
use super::{Place, Stream, View};
use crate::exchange::{Exchange, Failure};
use crate::head::{Framing, ResponseHead};
use crate::mark;
use crate::outgoing::Incoming;
use crate::refusal::Refusal;
use crate::site::Door;
use crate::wire::Wire;
use crate::worker::Phase;

mod answer;
mod request;
mod upload;

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
    /// Since when a response waits for its client to take the last piece, by the number of its request.
    offered: Mutex<BTreeMap<usize, Instant>>,
}

impl Common {
    fn offered(&self) -> MutexGuard<'_, BTreeMap<usize, Instant>> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client leaves a response lying for longer than `patience`.
    fn is_stalled(&self, patience: Duration) -> bool {
        self.offered().values().any(|since| since.elapsed() >= patience)
    }
}

/// Serves a connection of which `read` was read already.
pub(super) async fn serve(place: Place, door: Arc<Door>, stream: Stream, read: BytesMut) {
    let (limits, timeouts) = (door.limits, door.timeouts);
    let mut phase = place.phase.clone();
    let common = Arc::new(Common {
        place,
        door,
        under_way: AtomicUsize::new(0),
        seen: AtomicUsize::new(0),
        offered: Mutex::default(),
    });
    let io = TokioIo::new(Wire::new(stream, read).prefixed());
    let service = {
        let common = Arc::clone(&common);
        service_fn(move |request| {
            common.under_way.fetch_add(1, Relaxed);
            let number = common.seen.fetch_add(1, Relaxed);
            let common = Arc::clone(&common);
            async move { Ok::<_, Infallible>(answer(common, number, request).await) }
        })
    };
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(256 * 1024)
        // A client that is gone without a word is noticed by its silence.
        .keep_alive_interval(timeouts.write / 2)
        .keep_alive_timeout(timeouts.write / 2);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut seen = 0;
    let mut quiet = 0;
    let (mut for_quiet, mut for_stalls) = (every(timeouts.idle / LOOKS), every(timeouts.write / LOOKS));
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => break,
            _ = for_stalls.tick() => {
                // It answers pings, and reads nothing: what it asked for would be kept for it for ever.
                if common.is_stalled(timeouts.write) {
                    return;
                }
            }
            _ = for_quiet.tick() => {
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
    // A quiet client has nothing to wait for but its own goodbye.
    let patience = (quiet >= LOOKS).then(|| Instant::now() + timeouts.write);
    loop {
        tokio::select! {
            // What is under way ends, or is cut with the worker.
            _ = connection.as_mut() => return,
            _ = for_stalls.tick() => {
                if common.is_stalled(timeouts.write) || patience.is_some_and(|end| Instant::now() >= end) {
                    return;
                }
            }
        }
    }
}

/// A tick in each of these spans, the first one after the first span.
fn every(span: Duration) -> Interval {
    let span = span.max(Duration::from_millis(10));
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + span, span);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// A request under way, from its head to the end of its response.
struct Call {
    common: Arc<Common>,
    /// Among those of its connection.
    number: usize,
    parts: Parts,
    pool: Arc<crate::pool::Pool>,
    record: Record,
    failure: Option<Failure>,
}

impl Call {
    /// Begins or ends the time in which the client must take a piece of its response.
    fn offers(&self, offers: bool) {
        match offers {
            true => self.common.offered().insert(self.number, Instant::now()),
            false => self.common.offered().remove(&self.number),
        };
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.offers(false);
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
async fn answer(common: Arc<Common>, number: usize, request: Request<Received>) -> Response<Answer> {
    let mut view = common.place.view(Arc::clone(&common.door));
    // Forces a look at the configuration that is in force now.
    view.generation = view.generation.wrapping_sub(1);
    common.place.refresh(&mut view);
    let (parts, body) = request.into_parts();
    let pool = Arc::clone(&view.carrier.pool);
    // Counts as left until its end is known.
    let failure = Some(Failure::ClientLeft);
    let mut call = Call { common, number, parts, pool, record: Record::begin(), failure };
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
    let framing = framing(parts, upload.is_empty()).map_err(Failure::Refused)?;
    let most = view.door.limits.body_bytes;
    if matches!(framing, Framing::Length(length) if most > 0 && length > most) {
        return Err(TOO_LARGE);
    }
    let cookies = cookies(&parts.headers);
    let fields = fields(&parts.headers, &cookies).map_err(Failure::Refused)?;
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
