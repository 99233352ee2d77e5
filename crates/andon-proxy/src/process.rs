//! The proxy as a process: its configuration file, control socket, signals, logs and numbers, from start to end.
//!
//! `SIGHUP` reads the configuration again, `SIGUSR1` opens the access log anew, `SIGUSR2` starts the program anew and
//! hands over to it, `SIGTERM` and `SIGINT` end in peace, a second one at once.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use andon_core::balance::{BalancerFailure, FailureKind, PoolSight, Traffic, Wishes};
use andon_core::suggest::nearest;
use tokio::sync::watch;

use crate::access_log::FileLog;
use crate::config::Config;
use crate::control::{ControlSocket, Steering};
use crate::hand_over::{Heritage, Predecessor};
use crate::listener::Listener;
use crate::metrics::{MetricsListener, PoolNumbers, Snapshot, Source};
use crate::pool::Pool;
use crate::proxy::Proxy;
use crate::wishes::{WishBook, WishError};

pub use failure::ProcessError;

mod failure;
mod signals;
mod supervisor;

/// A proxy and what belongs to its process.
struct Process {
    file: PathBuf,
    proxy: Proxy,
    log: Option<Arc<FileLog>>,
    wishes: Mutex<WishBook>,
    heritage: OnceLock<Heritage>,
    metrics: Mutex<Option<(std::net::SocketAddr, OwnedFd)>>,
    leaving: watch::Sender<bool>,
    began: Instant,
}

/// Reads and checks a configuration file.
///
/// # Errors
/// When it cannot be read, or with every mistake in it.
pub fn read_config(file: &Path) -> Result<Config, ProcessError> {
    let unreadable = |source| ProcessError::Unreadable { file: file.to_owned(), source };
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(Config::MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > Config::MAX_BYTES {
        return Err(unreadable(io::Error::other(format!("it is longer than {} bytes", Config::MAX_BYTES))));
    }
    Config::parse(&text).map_err(|error| ProcessError::Config { file: file.to_owned(), error })
}

/// Serves by a configuration file until a signal or a successor ends it. When another proxy serves the same control
/// socket, its listening sockets are taken over and it leaves.
///
/// # Errors
/// When it cannot start; whoever served before goes on doing so.
pub async fn run(file: &Path) -> Result<(), ProcessError> {
    let config = read_config(file)?;
    let mut predecessor = match &config.control {
        Some(control) => Predecessor::find(control).await?,
        None => None,
    };
    let metrics = config.metrics.map(|address| metrics_socket(address, predecessor.as_mut())).transpose()?;
    let inherited = predecessor.as_mut().map(Predecessor::sockets).unwrap_or_default();
    let inherited =
        inherited.into_iter().filter_map(|(address, socket)| Listener::inherited(address, socket).ok());
    let listeners = Proxy::bind(&config, inherited.collect())?;
    let process = Arc::new(Process::new(file, config.clone())?);
    signals::watch(&process).map_err(ProcessError::Signals)?;
    tokio::spawn(tell_news(process.proxy.clone()));

    let mut left = process.leaving.subscribe();
    let serving = tokio::spawn({
        let proxy = process.proxy.clone();
        async move {
            let end = async move {
                let _ = left.wait_for(|left| *left).await;
            };
            proxy.serve(listeners, end).await
        }
    });
    if let Some(socket) = metrics {
        let own = socket.try_clone().map_err(ProcessError::Metrics)?;
        if let Some(address) = config.metrics {
            *process.metrics.lock().unwrap_or_else(PoisonError::into_inner) = Some((address, own.into()));
        }
        let listener = MetricsListener::new(socket).map_err(ProcessError::Metrics)?;
        tokio::spawn(listener.serve(Arc::clone(&process)));
    }
    if let Some(control) = &config.control {
        let mode = if config.control_for_group { 0o660 } else { 0o600 };
        let socket = ControlSocket::bind(control, mode)?;
        tokio::spawn(socket.serve(Arc::clone(&process), process.leaving.clone()));
    }
    if let Some(predecessor) = predecessor {
        succeed(&process, predecessor).await;
    }
    supervisor::ready();
    let departure = serving.await.map_err(|error| ProcessError::Crashed(error.to_string()))??;
    if departure.cut > 0 {
        say(&format!("{} connections were cut, the time for their end was over", departure.cut));
    }
    if let Some(log) = &process.log {
        log.close();
    }
    Ok(())
}

/// Lets the predecessor leave, and begins to watch what it still does.
async fn succeed(process: &Process, predecessor: Predecessor) {
    let pid = predecessor.pid();
    match predecessor.taken().await {
        Ok((grace, heritage)) => {
            let _ = process.heritage.set(heritage);
            say(&format!("took over from process {pid}, which ends within {} s", grace.as_secs()));
        }
        Err(error) => say(&format!("process {pid} may go on accepting connections beside this one: {error}")),
    }
}

/// The address for readers of numbers: the predecessor's socket, or a new one.
fn metrics_socket(
    address: std::net::SocketAddr,
    predecessor: Option<&mut Predecessor>,
) -> Result<std::net::TcpListener, ProcessError> {
    if let Some(socket) = predecessor.and_then(|predecessor| predecessor.socket(address)) {
        return Ok(socket.into());
    }
    std::net::TcpListener::bind(address).map_err(ProcessError::Metrics)
}

async fn tell_news(proxy: Proxy) {
    use tokio::sync::broadcast::error::RecvError;
    let mut news = proxy.news();
    loop {
        match news.recv().await {
            Ok(sentence) => say(&sentence),
            Err(RecvError::Lagged(missed)) => say(&format!("{missed} more sentences were dropped here")),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Says a sentence where the journal hears it.
#[allow(clippy::print_stderr, reason = "this is where a daemon speaks")]
fn say(sentence: &str) {
    eprintln!("andon proxy: {sentence}");
}

impl Process {
    fn new(file: &Path, config: Config) -> Result<Self, ProcessError> {
        let log = match &config.access_log {
            Some(path) => Some(Arc::new(FileLog::open(path, config.access_log_format)?)),
            None => None,
        };
        let wishes = open_wishes(&config)?;
        let proxy = Proxy::new(config)?;
        if let Some(log) = &log {
            proxy.log_to(Arc::<FileLog>::clone(log));
        }
        for pool in proxy.pools().values() {
            apply(pool, &wishes.of(pool.name()));
        }
        Ok(Self {
            file: file.to_owned(),
            proxy,
            log,
            wishes: Mutex::new(wishes),
            heritage: OnceLock::new(),
            metrics: Mutex::default(),
            leaving: watch::Sender::new(false),
            began: Instant::now(),
        })
    }

    fn pool(&self, name: &str) -> Result<Arc<Pool>, BalancerFailure> {
        self.proxy.pool(name).ok_or_else(|| {
            let pools = self.proxy.pools();
            let hint = nearest(name, pools.keys().map(String::as_str)).map_or_else(
                || "; see `andon proxy show`".to_owned(),
                |near| format!("; did you mean {near}?"),
            );
            let reason = format!("the proxy has no pool {name:?}{hint}");
            BalancerFailure { kind: FailureKind::Missing, reason, details: String::new() }
        })
    }

    fn whole(&self, pool: &str, mut sight: PoolSight) -> PoolSight {
        if let Some(heritage) = self.heritage.get() {
            heritage.add_to(pool, &mut sight);
        }
        sight
    }

    fn is_leaving(&self) -> bool {
        *self.leaving.borrow()
    }

    /// Reads the configuration again: all of it, or, with an error, nothing.
    fn read_again(&self) -> Result<(), BalancerFailure> {
        let read = read_config(&self.file).and_then(|config| {
            let fixed = changed_for_good(&self.proxy.config(), &config);
            self.proxy.reload(config)?;
            Ok(fixed)
        });
        let fixed = read.map_err(|error| BalancerFailure {
            kind: FailureKind::Invalid,
            reason: format!("the configuration in force stays: {error}"),
            details: String::new(),
        })?;
        // A server that is new may have been taken out before it went.
        let wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        self.proxy.pools().values().for_each(|pool| apply(pool, &wishes.of(pool.name())));
        drop(wishes);
        say("the configuration was read again");
        for name in fixed {
            say(&format!("`{name}` takes effect with the next start: kill -USR2 {}", std::process::id()));
        }
        Ok(())
    }
}

/// Makes servers so, as far as the pool has them.
fn apply(pool: &Pool, wishes: &Wishes) {
    let known: Wishes = wishes
        .iter()
        .filter(|(name, _)| pool.server(name).is_some())
        .map(|(name, traffic)| (name.clone(), *traffic))
        .collect();
    // All of them are known: there is nothing to fail.
    let _ = pool.assert(&known);
}

/// What is asked for by a new configuration and stays as it is until the next start.
fn changed_for_good(before: &Config, after: &Config) -> Vec<&'static str> {
    let compared = [
        ("workers", before.workers() != after.workers()),
        ("control", before.control != after.control || before.control_for_group != after.control_for_group),
        ("state", before.state != after.state),
        ("metrics", before.metrics != after.metrics),
        (
            "access_log",
            before.access_log != after.access_log || before.access_log_format != after.access_log_format,
        ),
    ];
    compared.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}

/// The wishes of the last process. A file that makes no sense is set aside: better all servers than no proxy.
fn open_wishes(config: &Config) -> Result<WishBook, WishError> {
    let Some(path) = config.state_file() else { return Ok(WishBook::in_memory()) };
    match WishBook::open(&path) {
        Err(error @ WishError::Malformed { .. }) => {
            let mut aside = path.clone().into_os_string();
            aside.push(".broken");
            say(&format!("{error}; it is set aside as {}", aside.to_string_lossy()));
            std::fs::rename(&path, &aside).map_err(|source| WishError::Io { path: path.clone(), source })?;
            WishBook::open(&path)
        }
        other => other,
    }
}

impl Steering for Process {
    fn pools(&self) -> Vec<String> {
        self.proxy.pools().into_keys().collect()
    }

    fn show(&self, pool: &str) -> Result<PoolSight, BalancerFailure> {
        Ok(self.whole(pool, self.pool(pool)?.sight()))
    }

    fn assert(&self, pool: &str, wishes: &Wishes) -> Result<PoolSight, BalancerFailure> {
        let found = self.pool(pool)?;
        let mut book = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let sight = found.assert(wishes)?;
        // While a successor serves, the book is the successor's.
        if !self.is_leaving() {
            book.add(pool, &kept(wishes)).map_err(|error| BalancerFailure {
                kind: FailureKind::Refused,
                reason: format!("done, but not remembered over a restart: {error}"),
                details: String::new(),
            })?;
        }
        drop(book);
        if let Some(heritage) = self.heritage.get() {
            heritage.pass_on(pool, wishes);
        }
        Ok(self.whole(pool, sight))
    }

    async fn reload(&self) -> Result<(), BalancerFailure> {
        self.read_again()
    }

    fn sockets(&self) -> io::Result<Vec<(String, OwnedFd)>> {
        let mut sockets = Vec::new();
        for listener in self.proxy.listeners() {
            sockets.push((listener.address.to_string(), listener.socket.try_clone()?.into()));
        }
        if let Some((address, socket)) = &*self.metrics.lock().unwrap_or_else(PoisonError::into_inner) {
            sockets.push((address.to_string(), socket.try_clone()?));
        }
        Ok(sockets)
    }

    fn leave(&self) -> Duration {
        self.leaving.send_replace(true);
        self.proxy.config().timeouts.shutdown
    }
}

/// As it is remembered: what was cut is out, and is not cut again by the next start.
fn kept(wishes: &Wishes) -> Wishes {
    let calm = |traffic: &Traffic| if *traffic == Traffic::Cut { Traffic::Out } else { *traffic };
    wishes.iter().map(|(name, traffic)| (name.clone(), calm(traffic))).collect()
}

impl Source for Process {
    fn snapshot(&self) -> Snapshot {
        let pools = self.proxy.pools().into_iter().map(|(name, pool)| PoolNumbers {
            queued: pool.queued() as u64,
            sight: self.whole(&name, pool.sight()),
            name,
        });
        Snapshot {
            serving: self.began.elapsed(),
            connections: self.proxy.connections() as u64,
            lines_dropped: self.log.as_ref().map_or(0, |log| log.dropped()),
            pools: pools.collect(),
        }
    }

    fn is_leaving(&self) -> bool {
        Process::is_leaving(self)
    }
}
