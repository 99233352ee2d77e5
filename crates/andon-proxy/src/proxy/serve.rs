//! Serving: acceptors, workers and the chores beside them.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::{Departure, ProxyError, Shared};
use crate::health;
use crate::listener::Listener;
use crate::worker::{Arrival, Phase, Worker};

/// How often the files of certificates are looked at.
const CERTIFICATES: Duration = Duration::from_secs(2);

/// Serves until `shutdown`, and then ends in peace.
pub(super) async fn serve(
    shared: &Arc<Shared>,
    shutdown: impl Future<Output = ()>,
) -> Result<Departure, ProxyError> {
    let phase = watch::Sender::new(Phase::Serving);
    let workers = (0..shared.workers)
        .map(|number| Worker::start(number, Arc::clone(shared), phase.subscribe()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(ProxyError::Worker)?;
    let workers = Arc::new(workers);
    // Dropping the set ends its tasks.
    let mut chores = JoinSet::new();
    chores.spawn(health::watch(Arc::clone(shared), shared.changed.subscribe()));
    chores.spawn(certificates(Arc::clone(shared)));
    tokio::select! {
        () = accept_all(shared, &workers) => {}
        () = shutdown => {}
    }
    // Closes them, unless they were handed to another proxy.
    shared.listeners().clear();
    phase.send_replace(Phase::Leaving);
    let all_idle = async {
        for worker in workers.iter() {
            worker.idle().await;
        }
    };
    let grace = shared.site().config.timeouts.shutdown;
    let cut = match tokio::time::timeout(grace, all_idle).await {
        Ok(()) => 0,
        Err(_over) => shared.connections.load(Relaxed),
    };
    phase.send_replace(Phase::Cut);
    for worker in workers.iter() {
        worker.idle().await;
    }
    Ok(Departure { cut })
}

/// Keeps an acceptor for each listener of the present configuration. Never returns.
async fn accept_all(shared: &Arc<Shared>, workers: &Arc<Vec<Worker>>) {
    let mut changed = shared.changed.subscribe();
    let mut tasks = JoinSet::new();
    let mut acceptors: BTreeMap<SocketAddr, AbortHandle> = BTreeMap::new();
    loop {
        changed.mark_unchanged();
        let listeners = shared.listeners().clone();
        acceptors.retain(|address, task| {
            let stays = listeners.iter().any(|listener| listener.address == *address);
            if !stays {
                task.abort();
            }
            stays
        });
        for listener in listeners {
            let (shared, workers) = (Arc::clone(shared), Arc::clone(workers));
            acceptors
                .entry(listener.address)
                .or_insert_with(|| tasks.spawn(accept(listener, shared, workers)));
        }
        if changed.changed().await.is_err() {
            return;
        }
    }
}

/// Accepts connections on one listener.
async fn accept(listener: Listener, shared: Arc<Shared>, workers: Arc<Vec<Worker>>) {
    /// After a failure that more time may mend: no file descriptors, no memory.
    const PAUSE: Duration = Duration::from_millis(50);
    let address = listener.address;
    let listening = listener.socket.try_clone().and_then(TcpListener::from_std);
    let socket = match listening {
        Ok(socket) => socket,
        Err(error) => return shared.tell(format!("cannot accept connections on {address}: {error}")),
    };
    loop {
        while shared.connections.load(Relaxed) >= shared.site().config.limits.connections {
            tokio::time::sleep(PAUSE).await;
        }
        // Leaves this runtime at once, for that of a worker.
        let accepted = socket.accept().await.and_then(|(stream, client)| Ok((stream.into_std()?, client)));
        match accepted {
            Ok((stream, client)) => {
                if let Some(worker) = workers.iter().min_by_key(|worker| worker.connections()) {
                    worker.give(Arrival { stream, client, address });
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                shared.tell(format!("cannot accept a connection on {address}: {error}"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Reads certificates again when their files change. Never returns.
async fn certificates(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(CERTIFICATES).await;
        for (address, door) in &shared.site().doors {
            let Some(keyring) = &door.keyring else { continue };
            let file = keyring.certificate().display();
            match keyring.refresh() {
                None => {}
                Some(Ok(())) => shared.tell(format!("{address} uses the new certificate in {file}")),
                Some(Err(error)) => {
                    shared.tell(format!("{address} goes on with the certificate that it has: {error}"));
                }
            }
        }
    }
}
