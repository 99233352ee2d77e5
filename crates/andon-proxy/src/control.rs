//! The control socket: who may talk to it, and the conversation with each client.
//!
//! It knows what is said and in which order; what is done about it is behind [`Steering`]. Any number of clients come
//! and go, [`MAX_CLIENTS`] at a time; none of them can make it wait for another one.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use andon_api::proxy::{FromProxy, ListeningSocket, MAX_REQUEST, PROTOCOL, ToProxy};
use andon_core::balance::{BalancerFailure, FailureKind, PoolSight, Wishes};
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

use connection::{Connection, ConnectionError};

pub(crate) use client::beside;
pub use client::{Client, ClientError, Identity};

mod client;
pub mod connection;

/// Clients at a time. More wait until one goes.
pub const MAX_CLIENTS: usize = 64;

/// How long a client may be silent between two requests.
const SILENCE: Duration = Duration::from_secs(60);

/// The pause after the system could not accept: it lacks something that time may bring.
const PAUSE: Duration = Duration::from_millis(100);

/// What the control socket does to the proxy.
pub trait Steering: Send + Sync + 'static {
    /// The names of all pools, in order.
    fn pools(&self) -> Vec<String>;
    /// What is seen of a pool.
    fn show(&self, pool: &str) -> Result<PoolSight, BalancerFailure>;
    /// Makes a pool's servers get what is wished, remembers it, and says what is seen then.
    fn assert(&self, pool: &str, wishes: &Wishes) -> Result<PoolSight, BalancerFailure>;
    /// Reads the configuration again.
    fn reload(&self) -> impl Future<Output = Result<(), BalancerFailure>> + Send;
    /// The listening sockets, by their addresses in the configuration.
    fn sockets(&self) -> io::Result<Vec<(String, OwnedFd)>>;
    /// Accepts nothing any more, and ends when all is done; says how long that may take.
    fn leave(&self) -> Duration;
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Something else lies there.
    #[error("{0} is not a socket; move it away, or name another path as `control`")]
    NotASocket(PathBuf),
    /// The system refuses.
    #[error(
        "the control socket {path} cannot be made: {source}; its directory must exist and be writable, and the path have at most 90 bytes"
    )]
    Bind {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A bound control socket. When it is dropped, its path is removed, unless a successor has put its own there.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    identity: Option<(u64, u64)>,
    /// Whether only root and our own user may use it, whatever became of the permissions of its path.
    own: bool,
}

impl ControlSocket {
    /// Listens at `path` with the permissions `mode`, for example `0o600`. Whatever socket was there before, left by
    /// a crash or in use by a predecessor, is replaced in one step: no client finds nobody.
    pub fn bind(path: &Path, mode: u32) -> Result<Self, ControlError> {
        if std::fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
            return Err(ControlError::NotASocket(path.to_owned()));
        }
        let bound = listen_beside(path, mode).and_then(|(listener, beside)| {
            std::fs::rename(&beside, path)?;
            UnixListener::from_std(listener)
        });
        let listener = bound.map_err(|source| ControlError::Bind { path: path.to_owned(), source })?;
        let own = mode & 0o077 == 0;
        Ok(Self { listener, path: path.to_owned(), identity: identity(path), own })
    }

    /// Serves clients until one of them has taken the proxy over or `leaving` turns true. Then only the conversation
    /// with the successor goes on, in a task of its own.
    pub async fn serve<S: Steering>(self, steering: Arc<S>, leaving: watch::Sender<bool>) {
        let shared = Arc::new(Shared {
            steering,
            began: Instant::now(),
            handing_over: AtomicBool::new(false),
            leaving,
        });
        let seats = Arc::new(Semaphore::new(MAX_CLIENTS));
        let mut left = shared.leaving.subscribe();
        loop {
            let arrival = async {
                // The semaphore is never closed.
                let seat = Arc::clone(&seats).acquire_owned().await;
                (seat, self.listener.accept().await)
            };
            let (seat, accepted) = tokio::select! {
                arrival = arrival => arrival,
                _ = left.wait_for(|left| *left) => return,
            };
            match accepted {
                // Whom the kernel names is believed; what the permissions were when the client connected is not known.
                Ok((stream, _)) if self.own && !is_ours(&stream) => drop((stream, seat)),
                Ok((stream, _)) => {
                    let shared = Arc::clone(&shared);
                    tokio::spawn(async move {
                        // A client that breaks the rules or breaks off loses its connection and nothing else.
                        let _ = converse(&shared, stream).await;
                        drop(seat);
                    });
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // Nothing can be done about a path that stays: the next proxy replaces it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn is_ours(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// A listening socket at a path beside the wished one. The permissions are on the socket before it has a path, so
/// that there is no moment in which everybody could connect.
fn listen_beside(path: &Path, mode: u32) -> io::Result<(std::os::unix::net::UnixListener, PathBuf)> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode))?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(&beside)?)?;
    // The umask has taken away from it what it may.
    rustix::fs::chmod(&beside, Mode::from_raw_mode(mode))?;
    rustix::net::listen(&socket, 128)?;
    Ok((socket.into(), beside))
}

struct Shared<S> {
    steering: Arc<S>,
    began: Instant,
    handing_over: AtomicBool,
    leaving: watch::Sender<bool>,
}

/// Held by the conversation that hands over; nobody else may change anything meanwhile.
struct HandingOver<'a>(&'a AtomicBool);

impl<'a> HandingOver<'a> {
    fn begin(flag: &'a AtomicBool) -> Option<Self> {
        (!flag.swap(true, Ordering::AcqRel)).then(|| Self(flag))
    }
}

impl Drop for HandingOver<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// One client, from its first word to its last.
async fn converse<S: Steering>(shared: &Shared<S>, stream: UnixStream) -> Result<(), ConnectionError> {
    let mut connection = Connection::new(stream, MAX_REQUEST);
    let mut left = shared.leaving.subscribe();
    let mut greeted = false;
    let mut heir: Option<HandingOver<'_>> = None;
    loop {
        let is_heir = heir.is_some();
        let received = tokio::select! {
            received = tokio::time::timeout(SILENCE, connection.receive::<ToProxy>()) => received,
            _ = left.wait_for(|left| *left), if !is_heir => return Ok(()),
        };
        let question = match received {
            Ok(Ok(Some((question, _)))) => question,
            Ok(Ok(None)) | Err(_) => return Ok(()),
            Ok(Err(ConnectionError::Frame(error))) => {
                return confused(&mut connection, error.to_string()).await;
            }
            Ok(Err(error)) => return Err(error),
        };
        let answer = match question {
            ToProxy::Hello { .. } => {
                greeted = true;
                welcome(shared)
            }
            _ if !greeted => {
                return confused(&mut connection, "the first message must be `hello`".to_owned()).await;
            }
            ToProxy::Show { pool } => sight(shared.steering.show(&pool)),
            ToProxy::Assert { .. } | ToProxy::Reload if !is_heir && shared.is_handing_over() => {
                return confused(
                    &mut connection,
                    "another proxy is taking over; ask that one, in a moment".to_owned(),
                )
                .await;
            }
            ToProxy::Assert { pool, wishes } => sight(shared.steering.assert(&pool, &wishes)),
            ToProxy::Reload => FromProxy::Reloaded { outcome: shared.steering.reload().await },
            ToProxy::HandOver => {
                if heir.is_none() {
                    heir = HandingOver::begin(&shared.handing_over);
                }
                hand_over(shared, &mut connection, heir.is_some()).await?;
                continue;
            }
            ToProxy::Taken if !is_heir => {
                return confused(&mut connection, "nothing was handed over to you".to_owned()).await;
            }
            ToProxy::Taken => {
                let grace = shared.steering.leave();
                shared.leaving.send_replace(true);
                FromProxy::Leaving { grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX) }
            }
        };
        connection.send(&answer, &[]).await?;
    }
}

impl<S> Shared<S> {
    fn is_handing_over(&self) -> bool {
        self.handing_over.load(Ordering::Acquire)
    }
}

fn welcome<S: Steering>(shared: &Shared<S>) -> FromProxy {
    FromProxy::Welcome {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        serving_ms: u64::try_from(shared.began.elapsed().as_millis()).unwrap_or(u64::MAX),
        pools: shared.steering.pools(),
    }
}

fn sight(seen: Result<PoolSight, BalancerFailure>) -> FromProxy {
    FromProxy::Sight { sight: seen.map(Box::new) }
}

async fn confused(connection: &mut Connection, why: String) -> Result<(), ConnectionError> {
    connection.send(&FromProxy::Confused { why }, &[]).await
}

async fn hand_over<S: Steering>(
    shared: &Shared<S>,
    connection: &mut Connection,
    is_heir: bool,
) -> Result<(), ConnectionError> {
    let refused = |reason: String| FromProxy::Sockets {
        sockets: Err(BalancerFailure { kind: FailureKind::Refused, reason, details: String::new() }),
    };
    if !is_heir {
        return connection.send(&refused("another proxy is already taking over".to_owned()), &[]).await;
    }
    match shared.steering.sockets() {
        Ok(sockets) => {
            let names =
                sockets.iter().map(|(address, _)| ListeningSocket { address: address.clone() }).collect();
            let descriptors: Vec<_> = sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
            connection.send(&FromProxy::Sockets { sockets: Ok(names) }, &descriptors).await
        }
        Err(error) => {
            let reason = format!("the listening sockets cannot be handed over: {error}");
            connection.send(&refused(reason), &[]).await
        }
    }
}

#[cfg(test)]
mod tests;
