//! HTTP: what `andon server` answers, and how a connection is kept from costing more than it may.
//!
//! One file for each thing that is asked for. A handler reads a request, asks somebody else, and words the answer; it
//! decides nothing. Whatever a client sends, or fails to send, is bounded in size and time.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::controller::Controller;
use crate::evaluations::Evaluations;
use crate::senses::PushReceiver;

mod argo;
mod body;
mod evaluations;
mod flagger;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod health;
mod line;
mod metrics;
mod moment;
mod reply;
mod router;
mod token;

pub use token::{Token, TokenError};

/// Connections at once. Further ones wait to be accepted.
const CONNECTIONS: usize = 512;
/// The head of a request comes within this time, counted from the moment at which the connection is ready for it.
const HEAD: Duration = Duration::from_secs(10);
/// The longest head, in bytes.
const HEAD_SIZE: usize = 32 * 1024;
/// A connection is asked to end after this time, so that none is held for ever by a client that does not read.
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
}

/// Answers on `listener` until `stop`, then answers what was begun. With a `token`, whoever asks has to show it.
pub async fn serve(listener: TcpListener, desk: Desk, token: Option<Token>, stop: impl Future<Output = ()>) {
    let service = TowerToHyperService::new(router::router(Arc::new(desk), token));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (ending, ends) = watch::channel(false);
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            let (stream, _) = listener.accept().await.ok()?;
            Some((stream, place))
        };
        let next = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        match next {
            Some((stream, place)) => drop(tokio::spawn(carry(stream, service.clone(), ends.clone(), place))),
            None => tokio::time::sleep(BREATH).await,
        }
    }
    drop(listener);
    let _ = ending.send(true);
    // Every connection holds a place; when all places are free again, nobody is being answered.
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _ = timeout(GRACE, places.acquire_many(all)).await;
}

type Service = TowerToHyperService<axum::Router>;

/// Carries one connection to its end.
async fn carry(
    stream: TcpStream,
    service: Service,
    mut ends: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_header_size(HEAD_SIZE);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let old = tokio::time::sleep(CONNECTION);
    tokio::select! {
        _ = &mut connection => return,
        _ = ends.wait_for(|ends| *ends) => {}
        () = old => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GRACE, connection).await;
}
