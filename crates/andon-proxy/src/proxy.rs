//! The proxy as a whole: its pools, listeners and workers, from start to end.
//!
//! One task for each listener accepts connections and gives each to the worker with the fewest; a worker is a thread
//! with a runtime of its own, and what came to it stays there. Health checks and certificates are looked after here,
//! beside the acceptors, away from requests.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use tokio::sync::{broadcast, watch};

use crate::access::AccessLog;
use crate::config::Config;
use crate::listener::Listener;
use crate::pool::Pool;
use crate::site::{Door, Site};
use crate::tls::TlsError;

mod serve;

/// News that nobody has read yet are forgotten beyond so many.
const NEWS: usize = 256;

/// The proxy. Clones are the same proxy.
#[derive(Clone)]
pub struct Proxy {
    pub(crate) shared: Arc<Shared>,
}

/// What all parts of a proxy know.
pub(crate) struct Shared {
    site: RwLock<Arc<Site>>,
    /// Grows with each reload; [`Shared::site`] is asked only when it has grown.
    generation: AtomicU64,
    changed: watch::Sender<u64>,
    listeners: Mutex<Vec<Listener>>,
    workers: usize,
    pub(crate) log: OnceLock<Arc<dyn AccessLog>>,
    news: broadcast::Sender<String>,
    /// Connections of clients.
    pub(crate) connections: AtomicUsize,
}

/// Why the proxy does not start, or does not take a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}{}", hint(error))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The kernel's words.
        error: io::Error,
    },
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system does not give what a worker needs.
    #[error("cannot start a worker: {0}")]
    Worker(io::Error),
}

/// What was left when the proxy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    /// Connections that were cut because the time for the end was over.
    pub cut: usize,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; see with `ss -ltnp` who listens there",
        io::ErrorKind::PermissionDenied => {
            "; a port below 1024 needs CAP_NET_BIND_SERVICE (`AmbientCapabilities=` in systemd)"
        }
        io::ErrorKind::AddrNotAvailable => "; no interface of this host has that address",
        _ => "",
    }
}

impl Proxy {
    /// A proxy that does not serve yet.
    ///
    /// # Errors
    /// When a certificate or key cannot be used.
    pub fn new(config: Config) -> Result<Self, ProxyError> {
        let workers = config.workers();
        let site = Site::new(config, workers, None)?;
        Ok(Self {
            shared: Arc::new(Shared {
                site: RwLock::new(Arc::new(site)),
                generation: AtomicU64::default(),
                changed: watch::Sender::default(),
                listeners: Mutex::default(),
                workers,
                log: OnceLock::new(),
                news: broadcast::Sender::new(NEWS),
                connections: AtomicUsize::default(),
            }),
        })
    }

    /// Has each request recorded here. Only the first log counts.
    pub fn log_to(&self, log: Arc<dyn AccessLog>) {
        let _ = self.shared.log.set(log);
    }

    /// Sentences about what an operator wants to know: servers found sick or well, certificates read or refused.
    pub fn news(&self) -> broadcast::Receiver<String> {
        self.shared.news.subscribe()
    }

    /// The configuration in force.
    pub fn config(&self) -> Config {
        self.shared.site().config.clone()
    }

    /// The pool of this name.
    pub fn pool(&self, name: &str) -> Option<Arc<Pool>> {
        self.shared.site().pools.get(name).cloned()
    }

    /// All pools by name.
    pub fn pools(&self) -> BTreeMap<String, Arc<Pool>> {
        self.shared.site().pools.clone()
    }

    /// Connections of clients that are open.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Relaxed)
    }

    /// The sockets that it listens on, to be handed to the next proxy. They go on listening here.
    pub fn listeners(&self) -> Vec<Listener> {
        self.shared.listeners().clone()
    }

    /// Sockets for all addresses of a configuration: those of `inherited` that are in it, and new ones.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub fn bind(config: &Config, inherited: Vec<Listener>) -> Result<Vec<Listener>, ProxyError> {
        let mut inherited = inherited;
        let mut listeners = Vec::new();
        for listen in &config.listen {
            let address = listen.address;
            let known = inherited.iter().position(|listener| listener.address == address);
            listeners.push(match known {
                Some(index) => inherited.swap_remove(index),
                None => Listener::bind(address).map_err(|error| ProxyError::Listen { address, error })?,
            });
        }
        Ok(listeners)
    }

    /// Takes a new configuration: all of it, or, with an error, nothing. Requests under way end as they began; kept
    /// servers keep their wishes, health and counters. The number of workers stays.
    ///
    /// # Errors
    /// When a certificate cannot be used or a new address cannot be listened on.
    pub fn reload(&self, config: Config) -> Result<(), ProxyError> {
        let shared = &self.shared;
        let mut listeners = shared.listeners();
        let before = shared.site();
        let site = Site::new(config, shared.workers, Some(&before))?;
        let bound = Self::bind(&site.config, listeners.clone())?;
        *shared.site.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(site);
        *listeners = bound;
        drop(listeners);
        let generation = shared.generation.fetch_add(1, Relaxed) + 1;
        before.pools.values().for_each(|pool| pool.wake());
        shared.changed.send_replace(generation);
        Ok(())
    }

    /// Serves on `listeners` until `shutdown`, then ends in peace: nothing is accepted any more, what is under way may
    /// end within the configured time, and then is cut.
    ///
    /// Runs on the caller's runtime, except for the workers. Dropping the future cuts everything.
    ///
    /// # Errors
    /// When a worker cannot be started.
    pub async fn serve(
        &self,
        listeners: Vec<Listener>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Departure, ProxyError> {
        *self.shared.listeners() = listeners;
        serve::serve(&self.shared, shutdown).await
    }
}

impl Shared {
    pub(crate) fn site(&self) -> Arc<Site> {
        Arc::clone(&self.site.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Grows with each reload.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// What is behind an address now; `None` when it is not listened on any more.
    pub(crate) fn door(&self, address: SocketAddr) -> Option<Arc<Door>> {
        self.site().doors.get(&address).cloned()
    }

    /// Tells the operator.
    pub(crate) fn tell(&self, news: String) {
        // Nobody may be listening.
        let _ = self.news.send(news);
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
