//! The built-in proxy, as its program runs it from a file.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::BalancerError;
use super::daemon::Daemon;

const PROGRAM: &str = "andon proxy";

/// A running `andon proxy`.
#[derive(Debug)]
pub struct Proxy {
    daemon: Daemon,
    address: SocketAddr,
    directory: TempDir,
}

impl Proxy {
    /// Starts `program proxy --config FILE` with a configuration that makes it listen at `address`.
    ///
    /// # Errors
    /// [`BalancerError`] says what did not start.
    pub fn start(
        program: &Path,
        address: SocketAddr,
        configuration: impl FnOnce(&Path) -> String,
    ) -> Result<Self, BalancerError> {
        let directory = tempfile::Builder::new()
            .prefix("andon-proxy-")
            .tempdir()
            .map_err(BalancerError::io("make a temporary directory"))?;
        let config = directory.path().join("proxy.toml");
        fs::write(&config, configuration(directory.path())).map_err(BalancerError::io("write proxy.toml"))?;
        let mut command = Command::new(program);
        command.arg("proxy").arg("--config").arg(&config);
        let daemon = Daemon::start(PROGRAM, command, directory.path(), address)?;
        Ok(Self { daemon, address, directory })
    }

    /// Where users reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The directory of its configuration and its files.
    pub fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.daemon.signal(signal);
    }

    /// Ends it at once, with all its connections.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }
}
