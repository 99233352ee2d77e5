//! nginx with an upstream whose servers come from an included file.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::daemon::{Daemon, LIMIT};
use super::{Backend, BalancerError, Retries, free_address};
use crate::deadline::wait_until;
use crate::program::{self, require};

/// The upstream that holds the servers.
pub const UPSTREAM: &str = "www";

const PROGRAM: &str = "nginx";

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    daemon: Daemon,
    address: SocketAddr,
    directory: TempDir,
    /// Kept, so that no other test takes the port.
    _held: TcpListener,
}

impl Nginx {
    /// Starts one before `backends`. The included file is handed over to Andon by its first line.
    ///
    /// # Errors
    /// [`BalancerError`] says what is missing or did not start.
    pub fn start(backends: &[Backend], retries: Retries) -> Result<Self, BalancerError> {
        require(&[PROGRAM])?;
        let directory = tempfile::Builder::new()
            .prefix("andon-nginx-")
            .tempdir()
            .map_err(BalancerError::io("make a temporary directory"))?;
        let (held, address) = free_address()?;
        let place = directory.path();
        fs::write(place.join("nginx.conf"), configuration(place, address, retries))
            .and_then(|()| fs::write(place.join("servers.conf"), servers(backends)))
            .map_err(BalancerError::io("write nginx.conf"))?;
        let mut command = Command::new(program::find(PROGRAM).unwrap_or_else(|| PathBuf::from(PROGRAM)));
        command.arg("-p").arg(place).arg("-c").arg(place.join("nginx.conf")).args(["-g", "daemon off;"]);
        let mut daemon = Daemon::start(PROGRAM, command, place, address)?;
        // Users are accepted a moment before there are its two workers.
        wait_until(LIMIT, || !daemon.is_running() || daemon.workers().len() >= 2);
        Ok(Self { daemon, address, directory, _held: held })
    }

    /// Where users reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The included file with the servers.
    pub fn include(&self) -> PathBuf {
        self.directory.path().join("servers.conf")
    }

    /// The access log, which names the server of each request.
    pub fn access_log(&self) -> PathBuf {
        self.directory.path().join("access.log")
    }

    /// What it has complained about.
    pub fn error_log(&self) -> String {
        fs::read_to_string(self.directory.path().join("error.log")).unwrap_or_default()
    }

    /// The program, with the options that every call of it needs, word by word.
    pub fn program(&self) -> Vec<String> {
        let program = program::find(PROGRAM).unwrap_or_else(|| PathBuf::from(PROGRAM));
        let place = self.directory.path();
        let config = place.join("nginx.conf");
        let words = [program.as_path(), Path::new("-p"), place, Path::new("-c"), &config];
        words.iter().map(|word| word.display().to_string()).collect()
    }

    /// Reads the configuration again, as a person would have it do, and waits until new workers serve.
    ///
    /// # Errors
    /// [`BalancerError::NotReady`] when no other worker takes over, as with an invalid configuration.
    pub fn reload(&self) -> Result<(), BalancerError> {
        let before = self.daemon.workers();
        self.daemon.signal(Signal::HUP);
        let took_over =
            wait_until(LIMIT, || self.daemon.workers().iter().any(|worker| !before.contains(worker)));
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

    /// What `nginx -t` says about the configuration: `Err` holds the complaint.
    ///
    /// # Errors
    /// The complaint of nginx, or the system's.
    pub fn check(&self) -> io::Result<()> {
        let words = self.program();
        let output = Command::new(&words[0]).args(&words[1..]).arg("-t").output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

fn servers(backends: &[Backend]) -> String {
    let servers = backends.iter().map(|Backend { name, address }| format!("server {address};  # {name}\n"));
    std::iter::once("# andon: adopt\n".to_owned()).chain(servers).collect()
}

fn configuration(place: &Path, address: SocketAddr, retries: Retries) -> String {
    let retries = match retries {
        Retries::None => "off",
        Retries::Idempotent => "error timeout",
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {}/{kind};\n", place.display()))
        .collect();
    // Workers of root's nginx are nobody, who cannot write below a directory of root's.
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    format!(
        "{user}worker_processes 2;\npid {place}/nginx.pid;\nerror_log {place}/error.log;\n\
         events {{ worker_connections 4000; }}\n\
         http {{\n{temporary}\
         \x20 log_format served '$remote_addr [$time_local] \"$request\" $status $body_bytes_sent '\n\
         \x20   '$upstream_addr $upstream_status $upstream_connect_time $upstream_response_time';\n\
         \x20 access_log {place}/access.log served;\n\
         \x20 client_max_body_size 8m;\n\
         \x20 upstream {UPSTREAM} {{\n    include {place}/servers.conf;\n    keepalive 16;\n  }}\n\
         \x20 server {{\n    listen {address};\n    location / {{\n      proxy_pass http://{UPSTREAM};\n\
         \x20     proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n\
         \x20     proxy_connect_timeout 2s;\n      proxy_next_upstream {retries};\n    }}\n  }}\n}}\n",
        place = place.display(),
    )
}
