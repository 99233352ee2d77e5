//! A proxy with its servers, on ports of its own.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use andon_core::balance::ServerSight;
use andon_core::name::ServerName;
use andon_proxy::access::{AccessLog, End, Ended};
use andon_proxy::proxy::Departure;
use andon_proxy::{Config, Pool, Proxy};
use tokio::sync::oneshot;

use crate::backend::Backend;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running proxy.
pub(crate) struct Scene {
    pub(crate) proxy: Proxy,
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Log>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<Departure>>,
}

/// The records of requests that have ended.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<Line>>);

/// A record.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) status: u16,
    pub(crate) server: Option<String>,
    pub(crate) tries: u32,
    pub(crate) end: End,
    pub(crate) target: String,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl AccessLog for Log {
    fn ended(&self, request: &Ended<'_>) {
        self.0.lock().unwrap().push(Line {
            status: request.status,
            server: request.server.map(ToString::to_string),
            tries: request.tries,
            end: request.end,
            target: String::from_utf8_lossy(request.target).into_owned(),
            received: request.received,
            sent: request.sent,
        });
    }
}

impl Log {
    /// The first record, once there is one.
    pub(crate) fn first(&self) -> Line {
        until("a record in the access log", || self.0.lock().unwrap().first().cloned())
    }
}

/// The entries of a pool with these servers, named `a`, `b` and so on.
pub(crate) fn servers(backends: &[&Backend]) -> String {
    let servers = backends
        .iter()
        .zip('a'..)
        .map(|(backend, name)| format!("{{ name = \"{name}\", address = \"{}\" }}", backend.address));
    format!("servers = [{}]\n", servers.collect::<Vec<_>>().join(", "))
}

/// A configuration: what stands before the pool, and what stands in it.
pub(crate) fn config(before: &str, pool: &str) -> Config {
    let text = format!(
        "workers = 2\n{before}\n[[listen]]\naddress = \"127.0.0.1:0\"\npool = \"www\"\n[pools.www]\n{pool}"
    );
    Config::parse(&text).unwrap()
}

impl Scene {
    /// A proxy before these servers.
    pub(crate) fn before(backends: &[&Backend]) -> Self {
        Self::with("", &servers(backends))
    }

    /// A proxy with this configuration.
    pub(crate) fn with(before: &str, pool: &str) -> Self {
        Self::of(config(before, pool))
    }

    /// A proxy with this configuration.
    pub(crate) fn of(config: Config) -> Self {
        let listeners = Proxy::bind(&config, Vec::new()).unwrap();
        let address = listeners[0].local_address().unwrap();
        let proxy = Proxy::new(config).unwrap();
        let log = Arc::new(Log::default());
        proxy.log_to(log.clone());
        let (stop, stopped) = oneshot::channel();
        let serving = proxy.clone();
        let thread = thread::spawn(move || {
            run(async move {
                let shutdown = async {
                    let _ = stopped.await;
                };
                serving.serve(listeners, shutdown).await.unwrap()
            })
        });
        Self { proxy, address, log, stop: Some(stop), thread: Some(thread) }
    }

    /// The only pool.
    pub(crate) fn pool(&self) -> Arc<Pool> {
        self.proxy.pool("www").unwrap()
    }

    /// What is seen of a server.
    pub(crate) fn sight(&self, name: &str) -> ServerSight {
        self.pool().sight().servers[&server(name)].clone()
    }

    /// Tells it to end, without waiting for it.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits for its end.
    pub(crate) fn departure(&mut self) -> Departure {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // The shutdown of tests is short; the thread ends by itself.
        drop(self.stop.take());
    }
}

/// The name of a server.
pub(crate) fn server(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

/// Runs a future on a runtime of its own.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

/// Waits until something is there.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
