//! The connections to one server: those that wait for the next request, and all that can be cut.
//!
//! Each worker keeps its own idle connections, so that the lock around them is free whenever it is taken, except
//! while a server is taken out.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

/// The connections to one server.
#[derive(Debug)]
pub(crate) struct Connections {
    idle: Box<[Mutex<Vec<Idle>>]>,
    live: Mutex<HashMap<u64, Arc<TcpStream>>>,
    next: AtomicU64,
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The socket.
    pub(crate) stream: Arc<TcpStream>,
    number: u64,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Connections {
    pub(super) fn new(workers: usize) -> Self {
        Self {
            idle: (0..workers.max(1)).map(|_| Mutex::default()).collect(),
            live: Mutex::default(),
            next: AtomicU64::default(),
        }
    }

    /// Takes note of a new connection.
    pub(crate) fn opened(&self, stream: TcpStream) -> Connection {
        let (stream, number) = (Arc::new(stream), self.next.fetch_add(1, Relaxed));
        locked(&self.live).insert(number, Arc::clone(&stream));
        Connection { stream, number }
    }

    /// Forgets a connection, which closes it.
    pub(crate) fn close(&self, connection: &Connection) {
        locked(&self.live).remove(&connection.number);
    }

    /// An idle connection that is still open and has been used within `fresh`.
    pub(crate) fn take(&self, worker: usize, fresh: Duration) -> Option<Connection> {
        loop {
            let Idle { connection, since } = locked(self.shard(worker)).pop()?;
            if is_quiet(&connection.stream) && since.elapsed() < fresh {
                return Some(connection);
            }
            self.close(&connection);
        }
    }

    /// Keeps a connection for the next request, unless there are `most` or `wanted` says no.
    pub(crate) fn keep(&self, worker: usize, connection: Connection, most: usize, wanted: impl Fn() -> bool) {
        let mut idle = locked(self.shard(worker));
        // Asked under the lock: whoever takes the server out empties this list after having said so.
        if wanted() && idle.len() < most {
            idle.push(Idle { connection, since: Instant::now() });
        } else {
            drop(idle);
            self.close(&connection);
        }
    }

    /// Closes the idle connections of a worker that are older than `span`, or that the server has closed.
    pub(crate) fn sweep(&self, worker: usize, span: Duration) {
        let mut idle = locked(self.shard(worker));
        if idle.is_empty() {
            return;
        }
        let mut closed = Vec::new();
        let mut index = 0;
        while let Some(at) = idle.get(index) {
            if at.since.elapsed() >= span || !is_quiet(&at.connection.stream) {
                closed.push(idle.remove(index).connection);
            } else {
                index += 1;
            }
        }
        drop(idle);
        closed.iter().for_each(|connection| self.close(connection));
    }

    /// Closes all idle connections.
    pub(super) fn close_idle(&self) {
        for shard in &self.idle {
            let idle = std::mem::take(&mut *locked(shard));
            idle.iter().for_each(|idle| self.close(&idle.connection));
        }
    }

    /// Closes all connections, whatever is under way on them: whoever reads or writes there finds them ended.
    pub(super) fn close_all(&self) {
        self.close_idle();
        for stream in locked(&self.live).values() {
            // One that the server has closed in the meantime is as closed as it can be.
            let _ = rustix::net::shutdown(stream, rustix::net::Shutdown::Both);
        }
    }

    fn shard(&self, worker: usize) -> &Mutex<Vec<Idle>> {
        &self.idle[worker % self.idle.len()]
    }
}

/// Whether a connection between two requests is still open: nothing is to be read on it, not even its end.
fn is_quiet(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
