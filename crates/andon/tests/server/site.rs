//! A server in a directory of its own.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use andon_testbed::deadline::wait_until;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{self, Answer};

/// What nothing here may exceed, on a machine that does much else.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// A server and its data.
pub(crate) struct Site {
    dir: TempDir,
    child: Child,
    address: SocketAddr,
}

impl Site {
    /// A server on loopback.
    pub(crate) fn start() -> Self {
        Self::start_with(&[], &[])
    }

    /// A server with more words and environment.
    pub(crate) fn start_with(words: &[&str], environment: &[(&str, &Path)]) -> Self {
        let dir = tempfile::Builder::new().prefix("andon-server-").tempdir_in("/tmp").unwrap();
        let (child, address) = launch(dir.path(), words, environment);
        Self { dir, child, address }
    }

    /// A server on data that `prepare` makes first, in the directory that it is given.
    pub(crate) fn start_over(prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::Builder::new().prefix("andon-server-").tempdir_in("/tmp").unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        prepare(&data);
        let (child, address) = launch(dir.path(), &[], &[]);
        Self { dir, child, address }
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The recording of an evaluation.
    pub(crate) fn recording(&self, id: &str) -> PathBuf {
        self.path().join("data/evaluations").join(id).join("recording.jsonl")
    }

    /// Kills it without a word, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Kills it, and starts it again on the same data.
    pub(crate) fn kill_and_start(&mut self) {
        self.kill();
        (self.child, self.address) = launch(self.dir.path(), &[], &[]);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        andon_testbed::process::send(self.child.id(), signal);
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until(LIMIT, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap_or_else(|| panic!("the server did not end within {LIMIT:?}"))
    }

    /// A connection that waits for at most [`LIMIT`].
    pub(crate) fn connect(&self) -> TcpStream {
        client::connect(self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, "Content-Type: application/json\r\n", body.to_string().as_bytes())
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, "", b"")
    }

    /// One request with these further lines in its head.
    pub(crate) fn ask(&self, method: &str, path: &str, lines: &str, body: &[u8]) -> Answer {
        client::ask(self.address, method, path, lines, body)
    }

    /// Waits until an evaluation is over.
    pub(crate) fn until_over(&self, id: &str) -> Value {
        let mut last = Value::Null;
        let held = wait_until(LIMIT, || {
            last = self.get(&format!("/v1/evaluations/{id}?wait=5s")).is(200).json();
            last["state"] != "running"
        });
        assert!(held, "{id} is never over: {last:#}");
        last
    }
}

/// The program with these words, in the surroundings of `dir`.
pub(crate) fn command(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_andon"));
    for inherited in ["ANDON_LINE", "ANDON_DATA", "NO_COLOR", "CLICOLOR_FORCE", "NOTIFY_SOCKET"] {
        command.env_remove(inherited);
    }
    command.current_dir(dir).env("HOME", dir).env("LANG", "C.UTF-8").env("TZ", "UTC").stdin(Stdio::null());
    command.args(words);
    command
}

fn launch(dir: &Path, words: &[&str], environment: &[(&str, &Path)]) -> (Child, SocketAddr) {
    let said = dir.join("said");
    let mut command = command(dir, &["server", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(dir.join("data")).args(words).envs(environment.iter().copied());
    let out = File::create(&said).unwrap();
    command.stderr(out.try_clone().unwrap()).stdout(out);
    let mut child = command.spawn().unwrap();
    let mut address = None;
    wait_until(LIMIT, || {
        let text = fs::read_to_string(&said).unwrap();
        address = text.split_once("answers on http://").and_then(|(_, rest)| {
            rest.split_once('\n').map(|(address, _)| address.parse::<SocketAddr>().unwrap())
        });
        address.is_some() || child.try_wait().unwrap().is_some()
    });
    let address = address.unwrap_or_else(|| panic!("no server: {}", fs::read_to_string(&said).unwrap()));
    (child, address)
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
