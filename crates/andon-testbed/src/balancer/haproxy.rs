//! HAProxy in master-worker mode, with a runtime API at level `admin`.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::daemon::{Daemon, LIMIT};
use super::{Backend, BalancerError, Retries, free_address};
use crate::deadline::wait_until;
use crate::program::{self, require};

/// The backend that holds the servers.
pub const BACKEND: &str = "www";

/// The socket of its runtime API, below its directory.
const SOCKET: &str = "api.sock";
/// How often it is asked to reload before that is given up.
const TRIES: u32 = 3;
const PROGRAM: &str = "haproxy";

/// A running HAProxy.
#[derive(Debug)]
pub struct Haproxy {
    daemon: Daemon,
    address: SocketAddr,
    directory: TempDir,
    /// Kept, so that no other test takes the port.
    _held: TcpListener,
}

impl Haproxy {
    /// Starts one before `backends`, whose `/healthz` it asks every 200 ms.
    ///
    /// # Errors
    /// [`BalancerError`] says what is missing or did not start.
    pub fn start(backends: &[Backend], retries: Retries) -> Result<Self, BalancerError> {
        require(&[PROGRAM])?;
        let directory = tempfile::Builder::new()
            .prefix("andon-haproxy-")
            .tempdir()
            .map_err(BalancerError::io("make a temporary directory"))?;
        let (held, address) = free_address()?;
        let config = directory.path().join("haproxy.cfg");
        let text = configuration(&directory.path().join(SOCKET), address, backends, retries);
        fs::write(&config, text).map_err(BalancerError::io("write haproxy.cfg"))?;
        let daemon = launch(&directory, address)?;
        Ok(Self { daemon, address, directory, _held: held })
    }

    /// Where users reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket of its runtime API.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join(SOCKET)
    }

    /// Its configuration, for a test that changes it.
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("haproxy.cfg")
    }

    /// What its runtime API answers to a command.
    ///
    /// # Errors
    /// The system's, when it does not answer.
    pub fn api(&self, command: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        writeln!(stream, "{command}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// A field of `show stat` for a server, by the names of both.
    ///
    /// # Errors
    /// Says which of them is missing.
    pub fn stat(&self, server: &str, field: &str) -> io::Result<String> {
        let text = self.api("show stat")?;
        let mut lines = text.lines().map(|line| line.trim_start_matches("# ").split(',').collect::<Vec<_>>());
        let heading = lines.next().unwrap_or_default();
        let column = heading.iter().position(|name| *name == field);
        let line = lines.find(|line| line.starts_with(&[BACKEND, server]));
        let value =
            column.zip(line).and_then(|(column, line)| line.get(column).map(|value| (*value).to_owned()));
        value.ok_or_else(|| io::Error::other(format!("no {field} of {server} in {text}")))
    }

    /// Reads the configuration again, as after a change, and waits until a new worker answers. What was said through
    /// the runtime API is lost by it.
    ///
    /// # Errors
    /// [`BalancerError::NotReady`] when no other worker takes over.
    pub fn reload(&self) -> Result<(), BalancerError> {
        let worker = || self.api("show info").ok().and_then(|info| pid(&info));
        let before = worker();
        // One that has only just started does not hear the first of them.
        let took_over = (0..TRIES).any(|_| {
            self.daemon.signal(Signal::USR2);
            wait_until(LIMIT / TRIES, || worker().is_some_and(|now| Some(now) != before))
        });
        if took_over { Ok(()) } else { Err(self.daemon.failure("reload")) }
    }

    /// All of its processes, the first one in front.
    pub fn processes(&self) -> Vec<u32> {
        self.daemon.processes()
    }

    /// Ends it at once, with all its connections.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Starts it anew at the same address.
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
    command.args(["-W", "-f"]).arg(directory.path().join("haproxy.cfg"));
    let mut daemon = Daemon::start(PROGRAM, command, directory.path(), address)?;
    // Users are accepted a moment before there is a worker, and before the runtime API answers.
    let answers = || {
        let Ok(mut stream) = UnixStream::connect(directory.path().join(SOCKET)) else { return false };
        let mut answer = String::new();
        let asked = writeln!(stream, "show info").and_then(|()| stream.read_to_string(&mut answer));
        asked.is_ok() && pid(&answer).is_some()
    };
    let decided = wait_until(LIMIT, || !daemon.is_running() || (!daemon.workers().is_empty() && answers()));
    if decided && daemon.is_running() { Ok(daemon) } else { Err(daemon.failure("start")) }
}

fn pid(info: &str) -> Option<u32> {
    info.lines().find_map(|line| line.strip_prefix("Pid: "))?.trim().parse().ok()
}

fn configuration(
    socket: &std::path::Path,
    address: SocketAddr,
    backends: &[Backend],
    retries: Retries,
) -> String {
    let retries = match retries {
        Retries::None => "    retries 0\n",
        Retries::Idempotent => {
            "    retries 3\n    option redispatch 1\n    retry-on all-retryable-errors\n    \
             http-request disable-l7-retry unless METH_GET\n"
        }
    };
    let mut text = format!(
        "global\n    stats socket {socket} mode 600 level admin expose-fd listeners\n    stats timeout 1m\n    \
         maxconn 4000\n\n\
         defaults\n    mode http\n    timeout connect 2s\n    timeout client 60s\n    timeout server 60s\n    \
         timeout queue 10s\n    timeout http-request 20s\n\n\
         frontend users\n    bind {address}\n    default_backend {BACKEND}\n\n\
         backend {BACKEND}\n    balance roundrobin\n    option httpchk GET /healthz\n\
         {retries}    default-server check inter 200ms fall 2 rise 1\n",
        socket = socket.display(),
    );
    for Backend { name, address } in backends {
        text += &format!("    server {name} {address}\n");
    }
    text
}
