//! One request and its response, between a front and a server.
//!
//! Sends the request, and hands the response out piece by piece while the rest of the request's body is still on its
//! way. A request is tried again only where no server can have acted on it: the connection could not be opened, or a
//! kept connection ended without a byte of an answer and the request may be repeated.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use andon_core::balance::Traffic;

use crate::body::{Decoder, Piece};
use crate::head::{Bounds, Framing, ResponseHead, Scan};
use crate::outgoing::Outgoing;
use crate::pool::{InFlight, Link, Server, Socket};
use crate::refusal::Refusal;
use crate::wire::Wire;

pub(crate) use carrier::{Carrier, Tries};

mod carrier;

/// What a server's response head may be at most.
const BOUNDS: Bounds = Bounds { bytes: 256 * 1024, fields: 1000, target: 16 * 1024 };

/// Where the body of a request comes from.
pub(crate) trait Source {
    /// The next piece. After the end it is not asked again.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Failure>>;

    /// Ready when the client has left. Only asked when the body has ended.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Why there is no response, or not all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The proxy answers itself.
    Refused(Refusal),
    /// The client has left.
    ClientLeft,
    /// The server did not send what it should.
    ServerBroke,
    /// The server was taken out by force.
    Cut,
}

/// A response under way.
#[derive(Debug)]
pub(crate) struct Exchange {
    in_flight: InFlight,
    carrier: Carrier,
    /// Present until it is kept for the next request.
    link: Option<Link>,
    /// Whether all of the request has been taken from its source.
    is_sent: bool,
    chunked: bool,
    decoder: Decoder,
    keep_alive: bool,
    started: Instant,
    status: u16,
    received: u64,
    outcome: Option<Failure>,
    is_tunnel: bool,
    is_counted: bool,
}

/// Why one try came to nothing.
enum Missed {
    /// The server could not be reached.
    Unreached,
    /// The connection had ended, or was to be ended; nobody has acted on the request.
    Stale,
    /// There is nothing more to try.
    Final(Failure),
}

const SENSELESS: Failure = Failure::Refused(Refusal::new(502, "the server's response made no sense"));
const CLOSED: Failure =
    Failure::Refused(Refusal::new(502, "the server ended the connection without a response"));
const SILENT: Failure = Failure::Refused(Refusal::new(504, "the server did not answer in time"));

impl Exchange {
    /// A request that is about to be sent.
    fn new(
        carrier: &Carrier,
        in_flight: InFlight,
        link: Link,
        outgoing: &Outgoing,
        started: Instant,
    ) -> Self {
        Self {
            in_flight,
            carrier: carrier.clone(),
            link: Some(link),
            is_sent: outgoing.framing == Framing::None,
            chunked: outgoing.framing == Framing::Chunked,
            decoder: Decoder::new(Framing::None),
            keep_alive: false,
            started,
            status: 0,
            received: 0,
            outcome: None,
            is_tunnel: false,
            is_counted: true,
        }
    }

    /// The head of the response has come.
    fn answered(&mut self, head: &ResponseHead) {
        self.status = head.status;
        self.keep_alive = head.keep_alive;
        self.decoder = Decoder::new(head.framing);
    }

    /// Sends the request and waits for the head of the response.
    async fn head(&mut self, outgoing: &Outgoing, source: &mut impl Source) -> Result<ResponseHead, Missed> {
        let mut scan = Scan::default();
        let mut untouched = outgoing.repeatable;
        let found = poll_fn(|cx| self.poll_head(cx, outgoing, source, &mut scan, &mut untouched)).await;
        found.map_err(|failure| {
            let is_used = self.link.as_ref().is_some_and(|link| link.is_used);
            if failure == CLOSED && untouched && is_used {
                // Not the server's failure: it is not counted as a request.
                self.is_counted = false;
                return Missed::Stale;
            }
            Missed::Final(self.failed(failure))
        })
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: &Outgoing,
        source: &mut impl Source,
        scan: &mut Scan,
        untouched: &mut bool,
    ) -> Poll<Result<ResponseHead, Failure>> {
        loop {
            self.pump(cx, source)?;
            let Some(link) = &mut self.link else { return Poll::Ready(Err(CLOSED)) };
            match scan.end(&link.wire.read, &BOUNDS) {
                Err(_) => return Poll::Ready(Err(SENSELESS)),
                Ok(Some(end)) => {
                    let bytes = link.wire.read.split_to(end).freeze();
                    let Ok(head) = ResponseHead::parse(bytes, outgoing.is_head) else {
                        return Poll::Ready(Err(SENSELESS));
                    };
                    link.alarm.clear();
                    match head.status {
                        101 if !outgoing.upgrade => return Poll::Ready(Err(SENSELESS)),
                        // Those before the last one say nothing that this hop needs; a client is told to continue when
                        // its body is wanted.
                        status if status < 200 && status != 101 => continue,
                        _ => return Poll::Ready(Ok(head)),
                    }
                }
                Ok(None) => {}
            }
            match link.wire.poll_fill(cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(CLOSED)),
                Poll::Ready(Ok(_)) => *untouched = false,
                Poll::Pending => {
                    link.alarm.ensure(self.carrier.timeouts.response);
                    if link.alarm.poll(cx).is_ready() {
                        return Poll::Ready(Err(SILENT));
                    }
                    if self.is_sent && source.poll_left(cx).is_ready() {
                        return Poll::Ready(Err(Failure::ClientLeft));
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// The next piece of the response's body. The end is given once.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Source,
    ) -> Poll<Result<Piece, Failure>> {
        let piece = ready!(self.poll_next(cx, source));
        match &piece {
            Ok(Piece::Data(data)) => self.received += data.len() as u64,
            Ok(Piece::End(_)) => self.finish(),
            Err(failure) => return Poll::Ready(Err(self.failed(*failure))),
        }
        Poll::Ready(piece)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, source: &mut impl Source) -> Poll<Result<Piece, Failure>> {
        self.pump(cx, source)?;
        let Some(link) = &mut self.link else { return Poll::Ready(Err(Failure::ServerBroke)) };
        loop {
            match self.decoder.next(&mut link.wire.read, link.wire.over) {
                Ok(Some(Piece::End(_)))
                    if link.wire.over && self.in_flight.server().traffic() == Traffic::Cut =>
                {
                    // The end of the connection would be the end of the body, had it not been cut.
                    return Poll::Ready(Err(Failure::Cut));
                }
                Ok(Some(piece)) => {
                    link.alarm.clear();
                    return Poll::Ready(Ok(piece));
                }
                Ok(None) => {}
                Err(_) => return Poll::Ready(Err(Failure::ServerBroke)),
            }
            match link.wire.poll_fill(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Failure::ServerBroke)),
                Poll::Pending => {
                    link.alarm.ensure(self.carrier.timeouts.response);
                    if link.alarm.poll(cx).is_ready() {
                        return Poll::Ready(Err(Failure::ServerBroke));
                    }
                    if self.is_sent && source.poll_left(cx).is_ready() {
                        return Poll::Ready(Err(Failure::ClientLeft));
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Sends as much of the request as the server takes.
    fn pump(&mut self, cx: &mut Context<'_>, source: &mut impl Source) -> Result<(), Failure> {
        let Some(link) = &mut self.link else { return Ok(()) };
        loop {
            match link.wire.poll_flush(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    // The server reads no more. It may have answered all the same.
                    self.is_sent = true;
                    self.keep_alive = false;
                    return Ok(());
                }
            }
            if self.is_sent {
                return Ok(());
            }
            while !self.is_sent && link.wire.has_room() {
                match source.poll_piece(cx) {
                    Poll::Pending if link.wire.is_flushed() => return Ok(()),
                    Poll::Pending => break,
                    Poll::Ready(piece) => {
                        let piece = piece?;
                        self.is_sent = matches!(piece, Piece::End(_));
                        link.alarm.clear();
                        link.wire.put_piece(piece, self.chunked);
                    }
                }
            }
        }
    }

    /// The server.
    pub(crate) fn server(&self) -> &Arc<Server> {
        self.in_flight.server()
    }

    /// Gives the connection to whoever carries bytes both ways; it stays counted as under way.
    pub(crate) fn tunnel(&mut self) -> Option<&mut Wire<Socket>> {
        self.is_tunnel = true;
        self.link.as_mut().map(|link| &mut link.wire)
    }

    /// The tunnel has ended; `by_client`: the client broke off.
    pub(crate) fn tunnel_ended(&mut self, by_client: bool) -> Option<Failure> {
        if self.in_flight.server().traffic() == Traffic::Cut {
            self.in_flight.server().was_cut();
            self.outcome = Some(Failure::Cut);
        } else if by_client {
            self.outcome = Some(Failure::ClientLeft);
        }
        self.outcome
    }

    /// Whether the end of the response has been given.
    pub(crate) fn has_ended(&self) -> bool {
        self.link.is_none()
    }

    /// All of the response has come.
    fn finish(&mut self) {
        let Some(link) = self.link.take() else { return };
        self.count();
        let (server, config) = (self.in_flight.server(), self.carrier.pool.config());
        let reusable = self.keep_alive && self.is_sent && link.wire.is_flushed() && link.wire.read.is_empty();
        if reusable && !link.wire.over {
            server.connections().keep(self.carrier.worker, link, config.keep_connections, || {
                server.admits() && server.usable()
            });
        } else {
            server.connections().close(&link);
        }
    }

    /// Counts the request, once.
    fn count(&mut self) {
        if std::mem::take(&mut self.is_counted) {
            let took = (self.outcome.is_none() && !self.is_tunnel).then(|| self.started.elapsed());
            self.in_flight.server().ended(self.carrier.worker, self.status, took, self.received);
        }
    }

    /// Takes note of a failure, and says what it really was.
    fn failed(&mut self, failure: Failure) -> Failure {
        let server = self.in_flight.server();
        let by_server = failure == Failure::ServerBroke || [SENSELESS, CLOSED, SILENT].contains(&failure);
        let failure = if by_server && server.traffic() == Traffic::Cut { Failure::Cut } else { failure };
        if failure == Failure::Cut {
            server.was_cut();
        } else if by_server {
            server.broke(self.carrier.worker);
            self.carrier.pool.failed(server);
        }
        self.outcome = Some(failure);
        failure
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            self.in_flight.server().connections().close(link);
        }
        self.count();
    }
}
