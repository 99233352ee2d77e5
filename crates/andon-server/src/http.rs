//! HTTP: what `andon server` answers, and how a connection is kept from costing more than it may.
//!
//! One file for each thing that is asked for. A handler reads a request, asks somebody else, and words the answer; it
//! decides nothing. Whatever a client sends, or fails to send, is bounded in size and time.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use andon_core::deployment::DeploymentId;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::census::Census;
use crate::chronicles::Chronicles;
use crate::controller::{Controller, Going};
use crate::evaluations::Evaluations;
use crate::lines::{LineKeeper, LineOnDisk};
use crate::problem::Problem;
use crate::registers::Registers;
use crate::senses::PushReceiver;
use crate::workshop::Workshop;
use doors::Peer;
use outlet::{Carrier, STREAMS};
use reply::{ErrorCode, Refused};

mod api;
mod argo;
mod asked;
mod badge;
mod body;
mod doors;
mod error_code;
mod evaluations;
mod events;
mod exposition;
mod feed;
mod flagger;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod gate;
mod health;
mod idempotency;
mod insight;
mod line;
mod meter;
mod metrics;
mod moment;
mod openapi;
mod outlet;
mod pages;
pub mod reference;
mod refusals;
mod reply;
mod router;
mod subscriptions;
mod tls;
mod token;

pub use api::asked as bodies;
pub use doors::Doors;
pub use tls::{Keyring, TlsError};
pub use token::{Token, TokenError};

/// Connections at once, half of which may carry streams. Further ones wait to be accepted.
const CONNECTIONS: usize = 2 * STREAMS;
/// The head of a request comes within this time, counted from the moment at which the connection is ready for it.
const HEAD: Duration = Duration::from_secs(10);
/// The longest head, in bytes.
const HEAD_SIZE: usize = 32 * 1024;
/// A connection is asked to end after this time, so that none is held for ever by a client that does not read. One that
/// carries a stream lasts as long as that does, which has bounds of its own.
const CONNECTION: Duration = Duration::from_secs(300);
/// Requests that were begun are answered within this time when the server stops, or a connection is too old.
const GRACE: Duration = Duration::from_secs(10);
/// The rest after a failure to accept, for example when files are short.
const BREATH: Duration = Duration::from_millis(50);

/// All that handlers ask.
#[derive(Clone)]
pub struct Desk {
    /// The ledger, and whoever acts on it.
    pub controller: Controller,
    /// Where pushed numbers go.
    pub receiver: Arc<PushReceiver>,
    /// The judge as a service.
    pub evaluations: Evaluations,
    /// The line as this server has it.
    pub line: LineKeeper,
    /// The deployments that are driven here.
    pub workshop: Workshop,
    /// What is kept between two looks into services, releases and records.
    pub registers: Registers,
    /// All deployments, in memory.
    pub chronicle: Chronicles,
    /// What hosts really run.
    pub census: Census,
    /// How this server is reached, and by what right.
    pub doors: Arc<Doors>,
}

impl Desk {
    /// The line of this server.
    fn line(&self) -> Result<Arc<LineOnDisk>, Refused> {
        self.line.current().map_err(no_line)
    }

    /// The line of this server as it lies on its disk at this moment: for what changes hosts.
    async fn fresh_line(&self) -> Result<Arc<LineOnDisk>, Refused> {
        self.line.fresh().await.map_err(no_line)
    }
}

impl Desk {
    /// Brings a deployment on its way, whether or not whoever asked is still there when it begins. Gives its number, when it
    /// is driven here by that.
    async fn see_to(
        &self,
        work: impl Future<Output = Result<Option<Going>, Problem>> + Send + 'static,
    ) -> Result<Option<DeploymentId>, Problem> {
        let workshop = self.workshop.clone();
        // A request whose client has gone is dropped; what it has begun must be known here all the same.
        let begun = tokio::spawn(async move {
            let going = work.await?;
            Ok(going.map(|going| workshop.take(going, api::stumbled)))
        });
        begun.await.unwrap_or_else(|error| Err(Problem::NotNow(format!("it stumbled: {error}"))))
    }
}

fn no_line(why: String) -> Refused {
    Refused::new(ErrorCode::NoLine, why, "mend line.star where the server runs; it is read again by itself")
}

/// Answers on `listener` until `stop`, then answers what was begun; over TLS where there is a `keyring`.
pub async fn serve(
    listener: TcpListener,
    desk: Desk,
    keyring: Option<Arc<Keyring>>,
    stop: impl Future<Output = ()>,
) {
    let router = router::router(Arc::new(desk));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let streams = Arc::new(Semaphore::new(STREAMS));
    let (ending, ends) = watch::channel(false);
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            let (stream, peer) = listener.accept().await.ok()?;
            Some((stream, Peer(peer), place))
        };
        let next = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        match next {
            Some((stream, peer, place)) => {
                let _ = stream.set_nodelay(true);
                let carrier = Carrier::new(ends.clone(), Arc::clone(&streams));
                let (router, ends, keyring) = (router.clone(), ends.clone(), keyring.clone());
                drop(tokio::spawn(async move {
                    match keyring {
                        None => carry(stream, peer, router, carrier, ends, place).await,
                        Some(keyring) => {
                            let acceptor = TlsAcceptor::from(keyring.current());
                            if let Ok(Ok(stream)) = timeout(HEAD, acceptor.accept(stream)).await {
                                carry(stream, peer, router, carrier, ends, place).await;
                            }
                        }
                    }
                }));
            }
            None => tokio::time::sleep(BREATH).await,
        }
    }
    drop(listener);
    let _ = ending.send(true);
    // Every connection holds a place; when all places are free again, nobody is being answered.
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _ = timeout(GRACE, places.acquire_many(all)).await;
}

/// Carries one connection to its end.
async fn carry(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    router: axum::Router,
    carrier: Carrier,
    mut ends: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        TowerToHyperService::new(router.clone()).call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_header_size(HEAD_SIZE);
    let carried = carrier.clone();
    let answers = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(carried.clone());
        let (answering, answer) = (carried.answering(), service.call(request));
        async move {
            let answered = answer.await;
            drop(answering);
            answered
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), answers));
    tokio::select! {
        _ = &mut connection => return,
        _ = ends.wait_for(|ends| *ends) => {}
        () = carrier.is_old(CONNECTION) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GRACE, connection).await;
}
