//! `andon server`, as it was built for release, in a directory with a line and a ledger; and what asking it costs.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use andon_testbed::deadline::wait_until;

use crate::failure::Failure;
use crate::workspace;

/// How long it may take until it answers, and for one answer.
const LIMIT: Duration = Duration::from_secs(120);
/// A tick of `/proc/PID/stat`: the same on every Linux that people run.
const TICK_MS: u64 = 10;
/// The longest answer, in bytes.
const LONGEST: u64 = 64 << 20;

/// A running server. It ends when it is dropped.
pub(super) struct Served {
    child: Child,
    address: String,
    agent: ureq::Agent,
}

/// An answer, and what it took.
pub(super) struct Answer {
    pub(super) status: u16,
    /// From the first byte of the request to the last byte of the answer.
    pub(super) took: Duration,
    /// The body as it came over the wire.
    pub(super) body: Vec<u8>,
    /// Its media type.
    pub(super) kind: String,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Served {
    /// Starts one on the line and the ledger in `directory`.
    pub(super) fn start(directory: &Path) -> Result<Self, Failure> {
        let said = directory.join("said");
        let log = File::create(&said).map_err(Failure::io("write", &said))?;
        let again = log.try_clone().map_err(Failure::io("write", &said))?;
        let mut command = Command::new(workspace::target().join("release/andon"));
        command.current_dir(directory).env("HOME", directory).env("ANDON_USER", "ana");
        command.args(["server", "--listen", "127.0.0.1:0", "--line", "line.star", "--data"]).arg(directory);
        command.stdin(Stdio::null()).stdout(log).stderr(again);
        let mut child =
            command.spawn().map_err(|source| Failure::Io { doing: "start andon".to_owned(), source })?;
        let mut address = None;
        wait_until(LIMIT, || {
            let text = fs::read_to_string(&said).unwrap_or_default();
            let found = text.split_once("http://").and_then(|(_, rest)| rest.split_once('\n'));
            address = found.map(|(address, _)| format!("http://{}", address.trim()));
            address.is_some() || !matches!(child.try_wait(), Ok(None))
        });
        let config = ureq::Agent::config_builder().timeout_global(Some(LIMIT)).http_status_as_error(false);
        let agent = ureq::Agent::new_with_config(config.build());
        // From here on, dropping it ends the process.
        let served = Self { child, address: address.clone().unwrap_or_default(), agent };
        match address {
            Some(_) => Ok(served),
            None => Err(Failure::Found(format!(
                "andon server did not start: {}",
                fs::read_to_string(&said).unwrap_or_default()
            ))),
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Asks for a path; packed, where a browser would have it so.
    pub(super) fn get(&self, path: &str, packed: bool) -> Result<Answer, Failure> {
        let request = self.agent.get(format!("{}{path}", self.address));
        let request = request.header("Accept-Encoding", if packed { "gzip" } else { "identity" });
        self.read(path, Instant::now(), request.call())
    }

    /// Sends JSON.
    pub(super) fn post(&self, path: &str, body: &str) -> Result<Answer, Failure> {
        let request = self.agent.post(format!("{}{path}", self.address)).content_type("application/json");
        self.read(path, Instant::now(), request.send(body))
    }

    fn read(
        &self,
        path: &str,
        began: Instant,
        called: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, Failure> {
        let broken = |error: ureq::Error| Failure::Found(format!("GET {path}: {error}"));
        let mut answer = called.map_err(broken)?;
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(broken)?;
        let took = began.elapsed();
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("");
        Ok(Answer { status: answer.status().as_u16(), took, body, kind: kind.to_owned() })
    }

    /// The processor time of the server so far, its children left out.
    pub(super) fn processor(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        // After the name: user time is the 12th field, system time the 13th.
        let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
        Duration::from_millis(ticks.sum::<u64>() * TICK_MS)
    }

    /// The most memory that it has had, in MiB.
    pub(super) fn peak_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or(f64::NAN) / 1024.0
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
