//! A balancer's processes: the one that was started, and all that came of it.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::BalancerError;
use crate::deadline::wait_until;
use crate::process;

/// How long a balancer may take to start or to reload, on a machine that does much else.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A running balancer. Dropping it kills it with all of its processes.
#[derive(Debug)]
pub(crate) struct Daemon {
    program: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a command whose standard error goes to `stderr` in `directory`, and waits until it answers at
    /// `address`.
    pub(crate) fn start(
        program: &'static str,
        mut command: Command,
        directory: &Path,
        address: SocketAddr,
    ) -> Result<Self, BalancerError> {
        let log = directory.join("stderr");
        let file = File::options().create(true).append(true).open(&log);
        let file = file.map_err(BalancerError::io("open the log of a balancer"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(BalancerError::io(format!("start {program}")))?;
        let mut daemon = Self { program, child, log };
        let decided = wait_until(LIMIT, || !daemon.is_running() || TcpStream::connect(address).is_ok());
        if decided && daemon.is_running() { Ok(daemon) } else { Err(daemon.failure("start")) }
    }

    pub(crate) fn failure(&self, what: &'static str) -> BalancerError {
        let log = fs::read_to_string(&self.log).unwrap_or_default().trim().to_owned();
        BalancerError::NotReady { program: self.program, what, log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal to the process that was started.
    pub(crate) fn signal(&self, signal: Signal) {
        process::send(self.pid(), signal);
    }

    /// All of its processes, the first one in front.
    pub(crate) fn processes(&self) -> Vec<u32> {
        std::iter::once(self.pid()).chain(self.workers()).collect()
    }

    /// Its processes besides the first one.
    pub(crate) fn workers(&self) -> Vec<u32> {
        process::descendants(self.pid()).into_iter().map(|process| process.pid).collect()
    }

    /// Ends everything at once.
    pub(crate) fn kill(&mut self) {
        // A master that is stopped starts nothing new while its workers are ended.
        self.signal(Signal::STOP);
        let workers = self.workers();
        // The two failures are "has ended already" and "was waited for already".
        let _ = self.child.kill();
        workers.into_iter().for_each(process::kill);
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill();
        }
    }
}
