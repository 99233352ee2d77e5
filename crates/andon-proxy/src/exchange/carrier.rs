//! Bringing a request to a server: the choice, the connection, and what is tried when there is none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_core::balance::Traffic;
use tokio::net::TcpStream;

use super::{Exchange, Failure, Missed, Source};
use crate::config::Timeouts;
use crate::head::ResponseHead;
use crate::outgoing::Outgoing;
use crate::pool::{InFlight, Link, Pool, Server, Wanted};
use crate::refusal::Refusal;

/// A request that may not be repeated uses a kept connection only when that was used so recently: an older one may be
/// closed by the server at this very moment.
const FRESH: Duration = Duration::from_secs(1);

const UNREACHED: Failure = Failure::Refused(Refusal::new(502, "no server could be reached"));
const UNAVAILABLE: Failure = Failure::Refused(Refusal::new(503, "no server is available"));

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
        if server.traffic() == Traffic::Cut {
            // It was cut while the connection was being opened; nothing was sent yet.
            server.connections().close(&link);
            return Err(Missed::Stale);
        }
        link.wire.out().extend_from_slice(&outgoing.head);
        let mut exchange = Exchange::new(self, in_flight, link, outgoing, started);
        let head = exchange.head(outgoing, source).await?;
        exchange.answered(&head);
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
