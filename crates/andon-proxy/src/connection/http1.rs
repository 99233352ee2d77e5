//! HTTP/1.1 and 1.0, as spoken with a client.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use andon_core::balance::Traffic;
use bytes::BytesMut;
use tokio::io::AsyncWriteExt;

use self::response::{put, put_start};
use self::upload::TOO_LARGE;
use super::record::{Record, Texts, end_of};
use super::{Place, Stream, View, farewell, tunnel};
use crate::alarm::Alarm;
use crate::body::{Decoder, Piece};
use crate::exchange::{Exchange, Failure};
use crate::head::{Bounds, Framing, Known, RequestHead, ResponseHead, Scan, elements};
use crate::mark;
use crate::outgoing::{Incoming, Outgoing};
use crate::refusal::Refusal;
use crate::site::Door;
use crate::wire::Wire;

mod response;
mod upload;

/// The server learns that a client spoke HTTP/1 with this proxy.
const VIA: &[u8] = b"Via: 1.1 andon\r\n";

/// After the last response, for a client that is still sending: so that it reads the response before it learns that
/// nobody listens.
const LINGER: Duration = Duration::from_secs(2);

/// A connection, and the request on it.
struct Http1 {
    wire: Wire<Stream>,
    alarm: Alarm,
    place: Place,
    view: View,
    body: Decoder,
    /// The client waits for `100 Continue`.
    is_waiting: bool,
    /// Bytes of the present request's body.
    received: u64,
    /// Whether another request may follow.
    keep_alive: bool,
    room: BytesMut,
}

/// Serves a connection of which `read` was read already.
pub(super) async fn serve(place: Place, door: Arc<Door>, stream: Stream, read: BytesMut) {
    let timeouts = door.timeouts;
    let step = timeouts.head.min(timeouts.idle).min(timeouts.body).min(timeouts.write);
    let view = place.view(door);
    let mut leaving = Box::pin(farewell(place.phase.clone()));
    let mut http1 = Http1 {
        wire: Wire::new(stream, read),
        alarm: Alarm::new(step),
        place,
        view,
        body: Decoder::new(Framing::None),
        is_waiting: false,
        received: 0,
        keep_alive: true,
        room: BytesMut::new(),
    };
    loop {
        let done = match http1.head(leaving.as_mut()).await {
            None => break,
            Some(Ok(head)) => http1.request(head).await,
            Some(Err(refusal)) => http1.refuse_unread(refusal).await,
        };
        if done.is_err() {
            return;
        }
        if !http1.keep_alive || !http1.body.has_ended() {
            break;
        }
    }
    http1.close().await;
}

/// The connection is not worth another word.
struct Lost;

impl Http1 {
    /// The head of the next request. `None`: there will be none.
    async fn head(
        &mut self,
        mut leaving: Pin<&mut impl Future<Output = ()>>,
    ) -> Option<Result<RequestHead, Refusal>> {
        let limits = self.view.door.limits;
        let bounds = Bounds { bytes: limits.header_bytes, fields: limits.headers, target: limits.uri_bytes };
        let mut scan = Scan::default();
        let mut has_begun = false;
        self.alarm.clear();
        let found =
            poll_fn(|cx| self.poll_head(cx, &bounds, &mut scan, &mut has_begun, leaving.as_mut())).await;
        self.alarm.clear();
        match found {
            Ok(None) => None,
            Ok(Some(end)) => Some(RequestHead::parse(self.wire.read.split_to(end).freeze(), &bounds)),
            Err(refusal) => Some(Err(refusal)),
        }
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        bounds: &Bounds,
        scan: &mut Scan,
        has_begun: &mut bool,
        leaving: Pin<&mut impl Future<Output = ()>>,
    ) -> Poll<Result<Option<usize>, Refusal>> {
        let timeouts = self.view.door.timeouts;
        loop {
            // An empty line before a request is forgiven, as RFC 9112 asks.
            if !*has_begun && self.wire.read.starts_with(b"\r\n") {
                let _ = self.wire.read.split_to(2);
            }
            if !self.wire.read.is_empty() {
                if let Some(end) = scan.end(&self.wire.read, bounds)? {
                    return Poll::Ready(Ok(Some(end)));
                }
                if !*has_begun && self.wire.read[..] != *b"\r" {
                    *has_begun = true;
                    self.alarm.clear();
                }
            }
            match self.wire.poll_fill(cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Ok(None)),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => break,
            }
        }
        self.alarm.ensure(if *has_begun { timeouts.head } else { timeouts.idle });
        if self.alarm.poll(cx).is_ready() {
            return Poll::Ready(if *has_begun {
                Err(Refusal::new(408, "the head of the request did not come in time"))
            } else {
                Ok(None)
            });
        }
        if !*has_begun && leaving.poll(cx).is_ready() {
            return Poll::Ready(Ok(None));
        }
        Poll::Pending
    }

    /// Answers a request that could not be read. Nothing that follows can be read either.
    async fn refuse_unread(&mut self, refusal: Refusal) -> Result<(), Lost> {
        let mut record = Record::begin();
        self.keep_alive = false;
        let answered = self.refuse(refusal, false, &mut record).await;
        if let Some(log) = self.place.shared.log.get() {
            let texts = self.texts(None);
            record.end(&**log, &texts, end_of(Some(Failure::Refused(refusal))));
        }
        answered
    }

    /// Carries one request.
    async fn request(&mut self, head: RequestHead) -> Result<(), Lost> {
        let mut record = Record::begin();
        self.place.refresh(&mut self.view);
        self.keep_alive = head.keep_alive && self.view.is_current;
        self.body = Decoder::new(head.framing);
        self.is_waiting = head.expects_continue;
        self.received = 0;
        let outcome = self.carry(&head, &mut record).await;
        record.received = self.received;
        let failure = outcome.err();
        // An answer of the proxy's own, if no other has begun.
        let done = match (failure, record.status) {
            (None, _) => Ok(()),
            (Some(Failure::Refused(refusal)), 0) => {
                self.refuse(refusal, head.part(head.method) == b"HEAD", &mut record).await
            }
            (Some(Failure::Cut), 0) => {
                let refusal = Refusal::new(503, "the server was taken out");
                self.refuse(refusal, head.part(head.method) == b"HEAD", &mut record).await
            }
            (Some(_), _) => Err(Lost),
        };
        if let Some(log) = self.place.shared.log.get() {
            record.end(&**log, &self.texts(Some(&head)), end_of(failure));
        }
        done
    }

    /// Brings a request to a server and its response back.
    async fn carry(&mut self, head: &RequestHead, record: &mut Record) -> Result<(), Failure> {
        let most = self.view.door.limits.body_bytes;
        if let Framing::Length(length) = head.framing
            && most > 0
            && length > most
        {
            return Err(TOO_LARGE);
        }
        let carrier = self.view.carrier.clone();
        let config = carrier.pool.config();
        let fields = head.fields.iter().map(|field| (head.part(field.name), head.part(field.value)));
        let wanted = mark::wanted(config, fields);
        let outgoing = self.outgoing(head);
        let begun = carrier.begin(&outgoing, wanted, self, &mut record.tries).await;
        let (mut exchange, response) = begun?;
        let cookie = mark::cookie(config, wanted, exchange.server(), self.place.is_tls);
        if response.status == 101 {
            return self.upgrade(exchange, &response, record).await;
        }
        // The client may have seen that nobody wants its body, and need not send it.
        self.is_waiting = false;
        self.keep_alive &= !self.place.is_leaving();
        let chunked = self.put_head(head, &response, cookie.as_deref());
        record.answered(response.status);
        let carried = poll_fn(|cx| self.poll_body(cx, &mut exchange, chunked, &mut record.sent)).await;
        self.alarm.clear();
        if carried.is_err() {
            self.keep_alive = false;
        }
        carried
    }

    fn outgoing(&mut self, head: &RequestHead) -> Outgoing {
        let options = head.fields.iter().filter(|field| field.known == Known::Connection);
        let dropped: Vec<&[u8]> = options.flat_map(|field| elements(head.part(field.value))).collect();
        let fields = head.fields.iter();
        let incoming = Incoming {
            method: head.part(head.method),
            target: head.part(head.target),
            host: head.part(head.host),
            fields: fields.map(|field| (head.part(field.name), head.part(field.value), field.known)),
            dropped: &dropped,
            framing: head.framing,
            upgrade: head.part(head.upgrade),
            via: VIA,
        };
        self.view.client.outgoing(&incoming, &mut self.room)
    }

    /// Puts the head of a response into the buffer. `true`: its body is to be chunked.
    fn put_head(&mut self, request: &RequestHead, head: &ResponseHead, cookie: Option<&str>) -> bool {
        let chunked = match head.framing {
            Framing::Chunked | Framing::Close if request.is_11 => true,
            Framing::Chunked | Framing::Close => {
                self.keep_alive = false;
                false
            }
            Framing::None | Framing::Length(_) => false,
        };
        let keep_alive = self.keep_alive;
        let out = self.wire.out();
        put_start(out, head);
        if let Some(cookie) = cookie {
            put(out, &[b"Set-Cookie: ", cookie.as_bytes(), b"\r\n"]);
        }
        if chunked {
            put(out, &[b"Transfer-Encoding: chunked\r\n"]);
        }
        if !keep_alive {
            put(out, &[b"Connection: close\r\n"]);
        } else if !request.is_11 {
            put(out, &[b"Connection: keep-alive\r\n"]);
        }
        put(out, &[b"\r\n"]);
        chunked
    }

    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
        chunked: bool,
        sent: &mut u64,
    ) -> Poll<Result<(), Failure>> {
        let mut has_ended = exchange.has_ended();
        loop {
            while !has_ended && self.wire.has_room() {
                match exchange.poll_piece(cx, self) {
                    Poll::Pending if self.wire.is_flushed() => return Poll::Pending,
                    Poll::Pending => break,
                    Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure)),
                    Poll::Ready(Ok(piece)) => {
                        match &piece {
                            Piece::Data(data) => *sent += data.len() as u64,
                            Piece::End(_) => has_ended = true,
                        }
                        self.wire.put_piece(piece, chunked);
                    }
                }
            }
            ready!(self.poll_written(cx))?;
            if has_ended {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Writes what is in the buffer, within the time that a client has to take it.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let before = self.wire.written;
        match self.wire.poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.alarm.clear();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(_)) => Poll::Ready(Err(Failure::ClientLeft)),
            Poll::Pending => {
                if before != self.wire.written {
                    self.alarm.clear();
                }
                self.alarm.ensure(self.view.door.timeouts.write);
                self.alarm.poll(cx).map(|()| Err(Failure::ClientLeft))
            }
        }
    }

    /// Lets the client and the server speak what they have agreed upon.
    async fn upgrade(
        &mut self,
        mut exchange: Exchange,
        response: &ResponseHead,
        record: &mut Record,
    ) -> Result<(), Failure> {
        self.keep_alive = false;
        let out = self.wire.out();
        put_start(out, response);
        let upgrade = response.fields.iter().find(|field| field.known == Known::Upgrade);
        let upgrade = upgrade.map_or(&b""[..], |field| response.part(field.value));
        put(out, &[b"Connection: upgrade\r\nUpgrade: ", upgrade, b"\r\n\r\n"]);
        record.answered(response.status);
        let idle = self.view.door.timeouts.tunnel;
        let behind = Arc::clone(exchange.server());
        let Some(server) = exchange.tunnel() else { return Err(Failure::ServerBroke) };
        let is_cut = || behind.traffic() == Traffic::Cut;
        let (closed, sent) = tunnel::carry(&mut self.wire, server, idle, is_cut).await;
        record.sent = sent;
        match exchange.tunnel_ended(closed == tunnel::Closed::ByClient) {
            None => Ok(()),
            Some(failure) => Err(failure),
        }
    }

    /// Answers a request in the proxy's own words.
    async fn refuse(&mut self, refusal: Refusal, to_head: bool, record: &mut Record) -> Result<(), Lost> {
        self.is_waiting = false;
        // What is left of the body would be taken for the next request.
        self.keep_alive &= self.body.has_ended() && refusal.status != 408 && !self.place.is_leaving();
        let body = refusal.body();
        let head = format!("HTTP/1.1 {} {}\r\n", refusal.status, refusal.reason());
        let keep_alive = self.keep_alive;
        let out = self.wire.out();
        put(out, &[head.as_bytes(), b"Content-Type: text/plain; charset=utf-8\r\n"]);
        for (name, value) in refusal.headers() {
            put(out, &[name.as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
        }
        put(out, &[format!("Content-Length: {}\r\n", body.len()).as_bytes()]);
        if !keep_alive {
            put(out, &[b"Connection: close\r\n"]);
        }
        put(out, &[b"\r\n", if to_head { b"" } else { body.as_bytes() }]);
        record.status = refusal.status;
        record.sent = if to_head { 0 } else { body.len() as u64 };
        poll_fn(|cx| self.poll_written(cx)).await.map_err(|_| Lost)
    }

    /// Ends the connection so that the client can read all that was sent to it.
    async fn close(&mut self) {
        let end = async {
            if self.wire.stream().shutdown().await.is_err() {
                return;
            }
            // Closing while bytes are unread would make the kernel reset the connection.
            loop {
                self.wire.read.clear();
                if !matches!(poll_fn(|cx| self.wire.poll_fill(cx)).await, Ok(1..)) {
                    return;
                }
            }
        };
        // Who does not stop sending is cut off.
        let _ = tokio::time::timeout(LINGER, end).await;
    }

    fn texts<'a>(&'a self, head: Option<&'a RequestHead>) -> Texts<'a> {
        let value = |known| head.map_or(&b""[..], |head| head.value(known));
        Texts {
            client: self.place.peer,
            tls: self.place.is_tls,
            version: match head {
                Some(head) if !head.is_11 => http::Version::HTTP_10,
                _ => http::Version::HTTP_11,
            },
            method: head.map_or(b"", |head| head.part(head.method)),
            target: head.map_or(b"", |head| head.part(head.target)),
            host: head.map_or(b"", |head| head.part(head.host)),
            user_agent: value(Known::UserAgent),
            referer: value(Known::Referer),
            request_id: value(Known::RequestId),
            pool: self.view.carrier.pool.name(),
        }
    }
}
