//! A proxy takes over from the one that serves before it, and no connection is lost.
//!
//! The successor gets the listening sockets and accepts on them before the predecessor stops; connections that wait in
//! them are nobody's until one of the two accepts them. Afterwards the successor keeps asking the predecessor what is
//! still under way there: a server is idle only when it is idle in both.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use andon_api::proxy::{FromProxy, ToProxy};
use andon_core::balance::{BalancerFailure, PoolSight, Wishes};
use tokio::sync::mpsc;

use crate::control::{Client, ClientError, beside};

/// How often the predecessor is asked what is still under way.
const ASK: Duration = Duration::from_millis(100);

/// Wishes that may wait to be passed on.
const MAX_WISHES: usize = 64;

/// Why a proxy cannot take over.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// The conversation broke off, or there was none.
    #[error("another proxy serves this control socket, but cannot be taken over from: {0}")]
    Client(#[from] ClientError),
    /// It says no.
    #[error("the proxy that serves now does not hand over: {0}")]
    Refused(BalancerFailure),
    /// Its answer makes no sense.
    #[error("the proxy that serves now named {named} sockets and sent {sent}")]
    Uneven {
        /// Sockets by name.
        named: usize,
        /// File descriptors.
        sent: usize,
    },
}

/// A proxy that has handed its sockets over and still serves.
#[derive(Debug)]
pub struct Predecessor {
    client: Client,
    sockets: BTreeMap<SocketAddr, OwnedFd>,
}

impl Predecessor {
    /// Asks whoever serves the control socket for its listening sockets; `None` when nobody does.
    ///
    /// # Errors
    /// When somebody serves it and they cannot be had.
    pub async fn find(control: &Path) -> Result<Option<Self>, HandOverError> {
        let mut client = match Client::connect(control).await {
            Ok(client) => client,
            Err(ClientError::Absent { source, .. }) if is_nobody(&source) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (answer, descriptors) = client.ask(&ToProxy::HandOver).await?;
        let names = match answer {
            FromProxy::Sockets { sockets: Ok(names) } => names,
            FromProxy::Sockets { sockets: Err(refusal) } => return Err(HandOverError::Refused(refusal)),
            other => return Err(beside(&other).into()),
        };
        if names.len() != descriptors.len() {
            return Err(HandOverError::Uneven { named: names.len(), sent: descriptors.len() });
        }
        let named = names.into_iter().zip(descriptors);
        // One whose name is not an address is closed here, and goes on listening there.
        let sockets = named.filter_map(|(name, socket)| Some((name.address.parse().ok()?, socket))).collect();
        Ok(Some(Self { client, sockets }))
    }

    /// The socket that listens on an address, once.
    pub fn socket(&mut self, address: SocketAddr) -> Option<OwnedFd> {
        self.sockets.remove(&address)
    }

    /// All sockets that are left.
    pub fn sockets(&mut self) -> BTreeMap<SocketAddr, OwnedFd> {
        std::mem::take(&mut self.sockets)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.client.identity().pid
    }

    /// Says that we accept: it leaves now. Returns how long it may take, and its heritage, which is looked after by a
    /// task until the predecessor is gone.
    ///
    /// # Errors
    /// When it does not answer. It may go on accepting beside us, which costs nothing, but is worth a look.
    pub async fn taken(mut self) -> Result<(Duration, Heritage), HandOverError> {
        match self.client.ask(&ToProxy::Taken).await?.0 {
            FromProxy::Leaving { grace_ms } => {
                Ok((Duration::from_millis(grace_ms), Heritage::watch(self.client)))
            }
            other => Err(beside(&other).into()),
        }
    }
}

/// Nobody listens there: no file, a socket that a crash left, or no directory yet.
fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// What a predecessor still does, and all that it has counted.
#[derive(Debug)]
pub struct Heritage {
    sights: std::sync::Arc<Mutex<BTreeMap<String, PoolSight>>>,
    wishes: mpsc::Sender<(String, Wishes)>,
}

impl Heritage {
    fn watch(mut client: Client) -> Self {
        let sights = std::sync::Arc::<Mutex<BTreeMap<String, PoolSight>>>::default();
        let (wishes, mut passed_on) = mpsc::channel(MAX_WISHES);
        let seen = std::sync::Arc::clone(&sights);
        tokio::spawn(async move {
            // It ends when the predecessor does.
            while look(&mut client, &seen).await.is_ok() {
                if let Ok(Some((pool, wishes))) = tokio::time::timeout(ASK, passed_on.recv()).await {
                    let _ = client.ask(&ToProxy::Assert { pool, wishes }).await;
                }
            }
            for sight in lock(&seen).values_mut() {
                sight.servers.values_mut().for_each(|server| server.sessions = Some(0));
            }
        });
        Self { sights, wishes }
    }

    /// Adds what is under way and was counted there to what is seen here.
    pub fn add_to(&self, pool: &str, sight: &mut PoolSight) {
        let sights = lock(&self.sights);
        let Some(there) = sights.get(pool) else { return };
        for (name, server) in &mut sight.servers {
            let Some(there) = there.servers.get(name) else { continue };
            if let (Some(own), Some(more)) = (server.sessions.as_mut(), there.sessions) {
                *own = own.saturating_add(more);
            }
            if let (Some(own), Some(more)) = (server.counters.as_mut(), &there.counters) {
                own.merge(more);
            }
        }
    }

    /// Passes wishes on. When it is busy they are dropped: whoever wishes, wishes again.
    pub fn pass_on(&self, pool: &str, wishes: &Wishes) {
        let _ = self.wishes.try_send((pool.to_owned(), wishes.clone()));
    }
}

/// Looks at every pool of the predecessor once.
async fn look(client: &mut Client, seen: &Mutex<BTreeMap<String, PoolSight>>) -> Result<(), ClientError> {
    for pool in client.identity().pools.clone() {
        let (answer, _) = client.ask(&ToProxy::Show { pool: pool.clone() }).await?;
        if let FromProxy::Sight { sight: Ok(sight) } = answer {
            lock(seen).insert(pool, *sight);
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
