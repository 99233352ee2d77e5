//! One request and its response, between a front and a server.
//!
//! Chooses a server, sends the request, and hands the response out piece by piece while the rest of the request's body
//! is still on its way. A request is tried again only where no server can have acted on it: the connection could not
//! be opened, or a kept connection ended without a byte of an answer and the request may be repeated.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use andon_core::balance::Traffic;
use tokio::net::TcpStream;

use crate::body::{Decoder, Piece};
use crate::config::Timeouts;
use crate::head::{Bounds, Framing, ResponseHead, Scan};
use crate::outgoing::Outgoing;
use crate::pool::{InFlight, Link, Pool, Server, Socket, Wanted};
use crate::refusal::Refusal;
use crate::wire::Wire;

/// What a server's response head may be at most.
const BOUNDS: Bounds = Bounds { bytes: 256 * 1024, fields: 1000, target: 16 * 1024 };

/// A request that may not be repeated uses a kept connection only when that was used so recently: an older one may be
/// closed by the server at this very moment.
const FRESH: Duration = Duration::from_secs(1);

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

/// Who carries requests to a pool.
#[derive(Debug, Clone)]
pub(crate) struct Carrier {
    /// The servers.
    pub(crate) pool: Arc<Pool>,
    /// How long anybody is waited for.
    pub(crate) timeouts: Timeouts,
    /// The number of the worker.
    pub(crate) worker: usize,
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

/// What became of the servers that were tried.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    /// Those that could not be reached.
    pub(crate) failed: Vec<Arc<Server>>,
    /// The last one.
    pub(crate) last: Option<Arc<Server>>,
    /// How many.
    pub(crate) count: u32,
}

/// Why one try came to nothing.
enum Missed {
    /// The server could not be reached.
    Unreached,
    /// A kept connection had ended; nobody has acted on the request.
    Stale,
    /// There is nothing more to try.
    Final(Failure),
}

const UNREACHED: Failure = Failure::Refused(Refusal::new(502, "no server could be reached"));
const UNAVAILABLE: Failure = Failure::Refused(Refusal::new(503, "no server is available"));
const SENSELESS: Failure = Failure::Refused(Refusal::new(502, "the server's response made no sense"));
const CLOSED: Failure =
    Failure::Refused(Refusal::new(502, "the server ended the connection without a response"));
const SILENT: Failure = Failure::Refused(Refusal::new(504, "the server did not answer in time"));

impl Carrier {
    /// Brings a request to a server, and comes back with the head of the response.
    pub(crate) async fn begin(
        &self,
        outgoing: &Outgoing,
        wanted: Wanted<'_>,
        source: &mut impl Source,
        tries: &mut Tries,
    ) -> Result<(Exchange, ResponseHead), Failure> {
        let waits_until = Instant::now() + self.pool.config().queue.wait;
        let retries = self.pool.config().retries;
        let mut kept = true;
        loop {
            let Some(in_flight) = self.pool.choose(wanted, &tries.failed) else {
                if !tries.failed.is_empty() {
                    return Err(UNREACHED);
                }
                self.wait(waits_until).await?;
                continue;
            };
            let server = Arc::clone(in_flight.server());
            if tries.count > 0 {
                server.retried(self.worker);
            }
            tries.last = Some(Arc::clone(&server));
            tries.count += 1;
            match self.attempt(in_flight, kept, outgoing, source).await {
                Ok(begun) => return Ok(begun),
                Err(Missed::Final(failure)) => return Err(failure),
                Err(Missed::Unreached) if tries.count > retries => return Err(UNREACHED),
                Err(Missed::Unreached) => tries.failed.push(server),
                Err(Missed::Stale) => {
                    kept = false;
                    tries.count -= 1;
                }
            }
        }
    }

    /// Waits for a server to become available.
    async fn wait(&self, until: Instant) -> Result<(), Failure> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || !self.pool.wait(left).await { Err(UNAVAILABLE) } else { Ok(()) }
    }

    async fn attempt(
        &self,
        in_flight: InFlight,
        kept: bool,
        outgoing: &Outgoing,
        source: &mut impl Source,
    ) -> Result<(Exchange, ResponseHead), Missed> {
        let started = Instant::now();
        let server = Arc::clone(in_flight.server());
        let fresh = if outgoing.repeatable { self.pool.config().keep_idle } else { FRESH };
        let kept = if kept { server.connections().take(self.worker, fresh) } else { None };
        let mut link = match kept {
            Some(link) => link,
            None => self.connect(&server).await?,
        };
        link.wire.out().extend_from_slice(&outgoing.head);
        let mut exchange = Exchange {
            in_flight,
            carrier: self.clone(),
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
        };
        let head = exchange.head(outgoing, source).await?;
        exchange.status = head.status;
        exchange.keep_alive = head.keep_alive;
        exchange.decoder = Decoder::new(head.framing);
        if head.status >= 500 {
            self.pool.failed(&server);
        }
        Ok((exchange, head))
    }

    async fn connect(&self, server: &Arc<Server>) -> Result<Link, Missed> {
        let connecting = tokio::time::timeout(self.timeouts.connect, TcpStream::connect(server.address()));
        let Ok(Ok(stream)) = connecting.await else {
            self.pool.connect_failed(server, self.worker);
            return Err(Missed::Unreached);
        };
        // Without it a response may wait for an acknowledgement; with it nothing but a little bandwidth is lost.
        let _ = stream.set_nodelay(true);
        server.connected();
        Ok(server.connections().opened(stream, self.timeouts.response))
    }
}

impl Exchange {
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
        if by_server && failure != Failure::Cut {
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
