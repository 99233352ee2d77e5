//! Who takes part: each with one worker on the first core, before the same nginx on the others.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use andon_testbed::program::find;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::failure::Failure;
use crate::workspace;

/// The peer that the targets are about.
pub(super) const NGINX: &str = "nginx";

/// A tick of `/proc/PID/stat`: the same on every Linux that people run.
const TICK_MS: u64 = 10;

/// How long a program may take until it listens.
const START: Duration = Duration::from_secs(20);

/// A directory, and the server behind everybody.
pub(super) struct Stage {
    directory: tempfile::TempDir,
    server: Contestant,
}

/// A running program with all of its processes. They end when it is dropped.
pub(super) struct Contestant {
    name: &'static str,
    address: SocketAddr,
    child: Child,
}

impl Stage {
    /// Starts the server: an nginx that answers with 1 KiB.
    pub(super) fn prepare() -> Result<Self, Failure> {
        for program in ["nginx", "haproxy", "wrk", "taskset"] {
            if find(program).is_none() {
                let packages = "apt-get install nginx-light haproxy wrk util-linux";
                return Err(Failure::Found(format!("{program} is not installed: {packages}")));
            }
        }
        let directory = tempfile::Builder::new()
            .prefix("andon-bench-proxy-")
            .tempdir()
            .map_err(|source| Failure::Io { doing: "make a temporary directory".to_owned(), source })?;
        let address = free()?;
        let body = "x".repeat(1024);
        let server = format!("server {{ listen {address}; location / {{ return 200 \"{body}\"; }} }}");
        let text = nginx(directory.path(), "server", &server);
        let server = start("server", address, directory.path(), "server.conf", &text, &others(), |file| {
            vec!["nginx".into(), "-c".into(), file.into()]
        })?;
        Ok(Self { directory, server })
    }

    /// Where files may lie.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ours first, then nginx and HAProxy, all of them running.
    pub(super) fn contestants(&self) -> Result<Vec<Contestant>, Failure> {
        Ok(vec![self.andon()?, self.nginx()?, self.haproxy()?])
    }

    /// Ours, as it was built for release.
    pub(super) fn andon(&self) -> Result<Contestant, Failure> {
        let (address, server) = (free()?, self.server.address);
        let text = format!(
            "workers = 1\n[[listen]]\naddress = \"{address}\"\npool = \"www\"\n\
             [pools.www]\nkeep_connections = 256\nservers = [{{ name = \"web1\", address = \"{server}\" }}]\n"
        );
        let program = workspace::root().join("target/release/andon");
        start("andon", address, self.directory(), "proxy.toml", &text, "0", |file| {
            vec![program.into(), "proxy".into(), "--config".into(), file.into()]
        })
    }

    fn nginx(&self) -> Result<Contestant, Failure> {
        let (address, server) = (free()?, self.server.address);
        let block = format!(
            "upstream www {{ server {server}; keepalive 256; keepalive_requests 1000000000; }}\n\
             server {{ listen {address}; location / {{ proxy_pass http://www; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; proxy_set_header Host $host; \
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
             proxy_set_header X-Forwarded-Proto $scheme; }} }}"
        );
        let text = nginx(self.directory(), "peer", &block);
        start(NGINX, address, self.directory(), "peer.conf", &text, "0", |file| {
            vec!["nginx".into(), "-c".into(), file.into()]
        })
    }

    fn haproxy(&self) -> Result<Contestant, Failure> {
        let (address, server) = (free()?, self.server.address);
        let text = format!(
            "global\n  maxconn 4096\n  nbthread 1\ndefaults\n  mode http\n  option forwardfor\n  http-reuse always\n\
             \x20 timeout connect 2s\n  timeout client 75s\n  timeout server 60s\n\
             frontend users\n  bind {address}\n  default_backend www\nbackend www\n  server web1 {server} pool-max-conn 256\n"
        );
        start("haproxy", address, self.directory(), "haproxy.cfg", &text, "0", |file| {
            vec!["haproxy".into(), "-db".into(), "-f".into(), file.into()]
        })
    }
}

impl Contestant {
    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Where users reach it.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Processor time of all of its processes so far.
    pub(super) fn processor(&self) -> Duration {
        let ticks: u64 = self.stats().map(|fields| number(&fields, 11) + number(&fields, 12)).sum();
        Duration::from_millis(ticks * TICK_MS)
    }

    /// Resident memory of its first process, in KiB.
    pub(super) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// The fields of `/proc/PID/stat` behind the name, for each process of the group.
    fn stats(&self) -> impl Iterator<Item = Vec<String>> {
        let group = u64::from(self.child.id());
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes.filter_map(move |entry| {
            let text = fs::read_to_string(entry.path().join("stat")).ok()?;
            let (_, behind) = text.rsplit_once(") ")?;
            let fields: Vec<String> = behind.split(' ').map(str::to_owned).collect();
            (number(&fields, 2) == group).then_some(fields)
        })
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn number(fields: &[String], index: usize) -> u64 {
    fields.get(index).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// All cores but the first one, as `taskset` has it; the first one where there is no other.
pub(super) fn others() -> String {
    match std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
        1 => "0".to_owned(),
        cores => format!("1-{}", cores - 1),
    }
}

fn nginx(directory: &Path, name: &str, block: &str) -> String {
    let at = directory.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {at}/{name}-{kind};\n"))
        .collect();
    format!(
        "daemon off;\nworker_processes 1;\npid {at}/{name}.pid;\nerror_log {at}/{name}.log;\n\
         events {{ worker_connections 4096; }}\nhttp {{\naccess_log off;\nkeepalive_requests 1000000000;\n\
         {temporary}{block}\n}}\n"
    )
}

fn free() -> Result<SocketAddr, Failure> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|source| Failure::Io { doing: "find a free port".to_owned(), source })
}

fn start(
    name: &'static str,
    address: SocketAddr,
    directory: &Path,
    file: &str,
    text: &str,
    cores: &str,
    words: impl FnOnce(&Path) -> Vec<std::ffi::OsString>,
) -> Result<Contestant, Failure> {
    let file = directory.join(file);
    fs::write(&file, text).map_err(Failure::io("write", &file))?;
    let log = directory.join(format!("{name}.err"));
    let errors = fs::File::create(&log).map_err(Failure::io("write", &log))?;
    let child = Command::new("taskset")
        .args(["-c", cores])
        .args(words(&file))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(|source| Failure::Io { doing: format!("start {name}"), source })?;
    let contestant = Contestant { name, address, child };
    if andon_testbed::deadline::wait_until(START, || TcpStream::connect(address).is_ok()) {
        return Ok(contestant);
    }
    let said = fs::read_to_string(&log).unwrap_or_default();
    Err(Failure::Found(format!("{name} does not listen at {address}; it says: {said}")))
}
