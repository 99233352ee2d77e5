//! A real Prometheus on loopback, and the pages that it scrapes.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::balancer::daemon::{Daemon, LIMIT};
use crate::balancer::{BalancerError, free_address};
use crate::deadline::wait_until;
use crate::program::{self, require};

const PROGRAM: &str = "prometheus";
/// Time for one piece of a conversation on loopback.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running Prometheus that scrapes every second.
#[derive(Debug)]
pub struct PrometheusServer {
    daemon: Daemon,
    address: SocketAddr,
    directory: TempDir,
    /// Kept, so that no other test takes the port.
    _held: TcpListener,
}

impl PrometheusServer {
    /// Starts one that scrapes each page under the name that is given as its label `instance`.
    ///
    /// # Errors
    /// [`BalancerError`] says what is missing or did not start.
    pub fn start(targets: &[(&str, SocketAddr)]) -> Result<Self, BalancerError> {
        require(&[PROGRAM])?;
        let directory = tempfile::Builder::new()
            .prefix("andon-prometheus-")
            .tempdir()
            .map_err(BalancerError::io("make a temporary directory"))?;
        let (held, address) = free_address()?;
        let config = directory.path().join("prometheus.yml");
        fs::write(&config, configuration(targets)).map_err(BalancerError::io("write prometheus.yml"))?;
        let daemon = launch(&directory, address)?;
        Ok(Self { daemon, address, directory, _held: held })
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops all of its work until [`PrometheusServer::resume`]; its sockets stay open.
    pub fn pause(&self) {
        self.daemon.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.daemon.signal(Signal::CONT);
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Starts it anew at the same address, with what it had stored.
    ///
    /// # Errors
    /// [`BalancerError::NotReady`] when it does not come up.
    pub fn restart(&mut self) -> Result<(), BalancerError> {
        self.daemon.kill();
        self.daemon = launch(&self.directory, self.address)?;
        Ok(())
    }
}

fn launch(directory: &TempDir, address: SocketAddr) -> Result<Daemon, BalancerError> {
    let program = program::find(PROGRAM).unwrap_or_else(|| PathBuf::from(PROGRAM));
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", directory.path().join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
        .arg(format!("--web.listen-address={address}"));
    let daemon = Daemon::start(PROGRAM, command, directory.path(), address)?;
    let ready = wait_until(LIMIT, || get(address, "/-/ready").is_some_and(|answer| answer.contains(" 200 ")));
    if ready { Ok(daemon) } else { Err(daemon.failure("start")) }
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn configuration(targets: &[(&str, SocketAddr)]) -> String {
    let mut text =
        "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n  - job_name: shop\n    \
                    static_configs:\n"
            .to_owned();
    for (instance, address) in targets {
        text += &format!("      - targets: ['{address}']\n        labels: {{instance: '{instance}'}}\n");
    }
    text
}

/// A page in the text format of Prometheus, served on loopback.
#[derive(Debug)]
pub struct Exposition {
    address: SocketAddr,
    text: Arc<Mutex<String>>,
    scrapes: Arc<Mutex<u64>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Exposition {
    /// Serves `text` until it is dropped.
    ///
    /// # Errors
    /// The system's, when no port is free.
    pub fn start(text: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let text = Arc::new(Mutex::new(text.to_owned()));
        let (scrapes, over) = (Arc::new(Mutex::new(0)), Arc::new(AtomicBool::new(false)));
        let (page, count, end) = (Arc::clone(&text), Arc::clone(&scrapes), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let text = page.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if answer(stream, &text).is_ok() {
                    *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                }
            }
        });
        Ok(Self { address, text, scrapes, over, thread: Some(thread) })
    }

    /// Where it is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves another text from now on.
    pub fn say(&self, text: &str) {
        text.clone_into(&mut self.text.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// How often it was asked for.
    pub fn scrapes(&self) -> u64 {
        *self.scrapes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Exposition {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread, which waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Answers one request, whatever it asks for.
fn answer(mut stream: TcpStream, text: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            count => head.extend_from_slice(&piece[..count]),
        }
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}
