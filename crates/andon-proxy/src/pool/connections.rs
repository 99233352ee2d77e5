//! The connections to one server: those that wait for the next request, and all that can be cut.
//!
//! Each worker keeps its own idle connections, so that the lock around them is free whenever it is taken, except
//! while a server is taken out.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::alarm::Alarm;
use crate::wire::Wire;

/// The connections to one server.
#[derive(Debug)]
pub(crate) struct Connections {
    idle: Box<[Mutex<Vec<Idle>>]>,
    live: Mutex<HashMap<u64, Arc<OwnedWriteHalf>>>,
    next: AtomicU64,
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Link {
    /// The connection and its buffers.
    pub(crate) wire: Wire<Socket>,
    /// For whatever is waited for on it.
    pub(crate) alarm: Alarm,
    /// Whether it has carried a request before.
    pub(crate) is_used: bool,
    number: u64,
}

/// The socket of a connection to a server.
#[derive(Debug)]
pub(crate) struct Socket {
    read: OwnedReadHalf,
    /// Shared with those who may cut it.
    write: Arc<OwnedWriteHalf>,
}

#[derive(Debug)]
struct Idle {
    link: Link,
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

    /// Takes note of a new connection. `step` is the shortest span that its alarm will be set to.
    pub(crate) fn opened(&self, stream: TcpStream, step: Duration) -> Link {
        let (read, write) = stream.into_split();
        let (write, number) = (Arc::new(write), self.next.fetch_add(1, Relaxed));
        locked(&self.live).insert(number, Arc::clone(&write));
        let wire = Wire::new(Socket { read, write }, BytesMut::new());
        Link { wire, alarm: Alarm::new(step), is_used: false, number }
    }

    /// Closes a connection.
    pub(crate) fn close(&self, link: &Link) {
        locked(&self.live).remove(&link.number);
    }

    /// An idle connection that is still open and has been used within `fresh`.
    pub(crate) fn take(&self, worker: usize, fresh: Duration) -> Option<Link> {
        loop {
            let Idle { mut link, since } = locked(self.shard(worker)).pop()?;
            if link.is_quiet() && since.elapsed() < fresh {
                link.is_used = true;
                return Some(link);
            }
            self.close(&link);
        }
    }

    /// Keeps a connection for the next request, unless there are `most` or `wanted` says no.
    pub(crate) fn keep(&self, worker: usize, link: Link, most: usize, wanted: impl Fn() -> bool) {
        let mut idle = locked(self.shard(worker));
        // Asked under the lock: whoever takes the server out empties this list after having said so.
        if wanted() && idle.len() < most {
            idle.push(Idle { link, since: Instant::now() });
        } else {
            drop(idle);
            self.close(&link);
        }
    }

    /// Closes the idle connections of a worker that are older than `span`, or that the server has closed.
    pub(crate) fn sweep(&self, worker: usize, span: Duration) {
        let mut idle = locked(self.shard(worker));
        let stale = |idle: &mut Idle| idle.since.elapsed() >= span || !idle.link.is_quiet();
        let closed: Vec<Idle> = idle.extract_if(.., stale).collect();
        drop(idle);
        closed.iter().for_each(|idle| self.close(&idle.link));
    }

    /// Closes all idle connections.
    pub(super) fn close_idle(&self) {
        for shard in &self.idle {
            let idle = std::mem::take(&mut *locked(shard));
            idle.iter().for_each(|idle| self.close(&idle.link));
        }
    }

    /// Closes all connections, whatever is under way on them: who reads or writes there finds them ended.
    pub(super) fn close_all(&self) {
        self.close_idle();
        for write in locked(&self.live).values() {
            let stream: &TcpStream = (**write).as_ref();
            // One that the server has closed in the meantime is as closed as it can be.
            let _ = rustix::net::shutdown(stream, rustix::net::Shutdown::Both);
        }
    }

    fn shard(&self, worker: usize) -> &Mutex<Vec<Idle>> {
        &self.idle[worker % self.idle.len()]
    }
}

impl Link {
    /// Whether a connection between two requests is still open: nothing is to be read on it, not even its end.
    fn is_quiet(&mut self) -> bool {
        let read = self.wire.stream().read.try_read(&mut [0]);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buffer)
    }
}

impl Socket {
    fn poll_with(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&OwnedWriteHalf) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let stream: &TcpStream = (*self.write).as_ref();
            ready!(stream.poll_write_ready(cx))?;
            match write(&self.write) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_with(cx, |write| write.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(cx, |write| write.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream: &TcpStream = (*self.write).as_ref();
        Poll::Ready(Ok(rustix::net::shutdown(stream, rustix::net::Shutdown::Write)?))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
