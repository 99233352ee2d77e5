//! A worker: a thread with a runtime of its own that carries the connections it was given.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::connection;
use crate::proxy::Shared;

/// How often idle connections to servers are looked at.
const SWEEP: Duration = Duration::from_millis(500);

/// What a worker is to do with its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Serve them.
    Serving,
    /// End each as soon as nothing is under way on it.
    Leaving,
    /// End them now.
    Cut,
}

/// A connection that a client has opened.
pub(crate) struct Arrival {
    /// The socket, non-blocking.
    pub(crate) stream: TcpStream,
    /// Where it comes from.
    pub(crate) client: SocketAddr,
    /// The listener's address, as configured.
    pub(crate) address: SocketAddr,
}

/// The acceptors' side of a worker.
pub(crate) struct Worker {
    arrivals: mpsc::UnboundedSender<(Arrival, Present)>,
    count: watch::Sender<usize>,
    connections: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

/// Counts a connection for as long as it lives.
pub(crate) struct Present {
    shared: Arc<Shared>,
    count: watch::Sender<usize>,
    connections: Arc<AtomicUsize>,
}

impl Present {
    fn new(worker: &Worker) -> Self {
        worker.shared.connections.fetch_add(1, Relaxed);
        worker.connections.fetch_add(1, Relaxed);
        worker.count.send_modify(|count| *count += 1);
        Self {
            shared: Arc::clone(&worker.shared),
            count: worker.count.clone(),
            connections: Arc::clone(&worker.connections),
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Relaxed);
        self.connections.fetch_sub(1, Relaxed);
        self.count.send_modify(|count| *count -= 1);
    }
}

impl Worker {
    /// Starts the thread. It ends with its worker, or with [`Phase::Cut`].
    pub(crate) fn start(
        number: usize,
        shared: Arc<Shared>,
        phase: watch::Receiver<Phase>,
    ) -> io::Result<Self> {
        let (arrivals, received) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let here = Arc::clone(&shared);
        thread::Builder::new()
            .name(format!("worker {number}"))
            .spawn(move || runtime.block_on(run(number, here, received, phase)))?;
        Ok(Self { arrivals, count: watch::Sender::default(), connections: Arc::default(), shared })
    }

    /// Connections that it has.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// Gives it a connection.
    pub(crate) fn give(&self, arrival: Arrival) {
        // A worker that has ended closes the connection, as it closes all others.
        let _ = self.arrivals.send((arrival, Present::new(self)));
    }

    /// Waits until it has no connection.
    pub(crate) async fn idle(&self) {
        // The sender lives as long as this worker.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// The life of a worker.
async fn run(
    number: usize,
    shared: Arc<Shared>,
    mut arrivals: mpsc::UnboundedReceiver<(Arrival, Present)>,
    mut phase: watch::Receiver<Phase>,
) {
    let sweeper = tokio::spawn(sweep(number, Arc::clone(&shared)));
    let connections = phase.clone();
    let serve = async {
        while let Some((arrival, present)) = arrivals.recv().await {
            let connection = connection::serve(number, Arc::clone(&shared), arrival, connections.clone());
            tokio::spawn(async move {
                connection.await;
                drop(present);
            });
        }
    };
    tokio::select! {
        () = serve => {}
        _ = phase.wait_for(|phase| *phase == Phase::Cut) => {}
    }
    sweeper.abort();
    // With the runtime, everything that is still under way ends.
}

/// Closes idle connections to servers when their time has come.
async fn sweep(worker: usize, shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        for pool in shared.site().pools.values() {
            for server in pool.servers() {
                server.connections().sweep(worker, pool.config().keep_idle);
            }
        }
    }
}
