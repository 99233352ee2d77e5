//! Real OpenSSH daemons on loopback, each standing for one host.
//!
//! Every host has an address of its own in 127.0.0.0/8, a daemon process of its own and, unless told otherwise, a
//! throw-away home directory. [`Sshd::ssh_config`] is the only thing a client needs. It must not read or change
//! anything of the person who runs the test: no `~/.ssh`, no agent, no system-wide `known_hosts`.

pub(crate) mod daemon;
mod host;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use self::daemon::DaemonSettings;
pub use self::host::SshdHost;
use crate::client::{self, ClientConfig};
use crate::keys::KeyPair;
use crate::program::{MissingPrograms, require};

/// The environment variable that marks every process started through a testbed's daemon.
pub const MARK: &str = "ANDON_TESTBED";

/// The most hosts of one [`Sshd`].
pub const MAX_HOSTS: usize = 1000;

/// What the client's `known_hosts` says about the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KnownHosts {
    /// The keys that the hosts really have.
    #[default]
    Right,
    /// Nothing: every contact is a first contact.
    Missing,
    /// A key that the hosts do not have, as after a man in the middle or a reinstallation.
    Wrong,
}

/// Why no daemon runs.
#[derive(thiserror::Error)]
pub enum SshdError {
    /// A program is not installed.
    #[error(transparent)]
    Missing(#[from] MissingPrograms),
    /// A file could not be written, or a program could not be started.
    #[error("cannot prepare the test's ssh daemons: {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon ended, or did not answer in time.
    #[error("the ssh daemon at {address} does not answer; its log says: {log}")]
    NotReady {
        /// Where it should listen.
        address: String,
        /// What it wrote to its standard error.
        log: String,
    },
    /// More hosts than [`MAX_HOSTS`].
    #[error("a testbed has at most {MAX_HOSTS} ssh daemons, not {0}")]
    TooMany(usize),
}

// A failed `unwrap` prints the debug form, and the person who reads it wants the sentence.
impl fmt::Debug for SshdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SshdError {
    fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// What the daemons shall be like; [`start`](Self::start) starts them.
#[derive(Debug, Clone)]
pub struct SshdBuilder {
    hosts: usize,
    known_hosts: KnownHosts,
    banner: Option<String>,
    accept_key: bool,
    real_home: bool,
}

impl SshdBuilder {
    /// What the client's `known_hosts` says; [`KnownHosts::Right`] unless told otherwise.
    #[must_use]
    pub fn known_hosts(mut self, known_hosts: KnownHosts) -> Self {
        self.known_hosts = known_hosts;
        self
    }

    /// A text that every host sends before it asks who is there.
    #[must_use]
    pub fn banner(mut self, banner: impl Into<String>) -> Self {
        self.banner = Some(banner.into());
        self
    }

    /// Hosts that know nobody's key: every login is refused.
    #[must_use]
    pub fn refuse_key(mut self) -> Self {
        self.accept_key = false;
        self
    }

    /// Commands get the real home of the user who runs the test, without a wrapping shell line. For measurements;
    /// tests keep the throw-away home.
    #[must_use]
    pub fn real_home(mut self) -> Self {
        self.real_home = true;
        self
    }

    /// Makes keys and configuration, starts one daemon for each host, and waits until all of them answer.
    ///
    /// # Errors
    /// [`SshdError`] says what is missing or what did not start; whatever was started is ended again.
    pub fn start(self) -> Result<Sshd, SshdError> {
        require(&["sshd", "ssh", "ssh-keygen"])?;
        if self.hosts > MAX_HOSTS {
            return Err(SshdError::TooMany(self.hosts));
        }
        let directory = tempfile::Builder::new()
            .prefix("andon-sshd-")
            .tempdir()
            .map_err(SshdError::io("make a temporary directory"))?;
        let settings = DaemonSettings::prepare(directory.path(), &self)?;
        let hosts = host::start_all(directory.path(), &settings, self.hosts)?;
        let key = match self.known_hosts {
            KnownHosts::Right => Some(settings.host_key.public),
            KnownHosts::Missing => None,
            KnownHosts::Wrong => Some(
                KeyPair::generate(directory.path(), "other_host_key")
                    .map_err(SshdError::io("make another host key"))?
                    .public,
            ),
        };
        let client = ClientConfig {
            hosts: hosts.iter().map(|host| (host.name().to_owned(), host.socket())).collect(),
            host_key: key,
            identity: settings.user_key.private,
            user: None,
        };
        client.write(directory.path()).map_err(SshdError::io("write the client's configuration"))?;
        Ok(Sshd { hosts, directory })
    }
}

/// Running daemons, named `web1`, `web2`, …, and the client configuration that reaches them.
///
/// Dropping it ends the daemons, their connections, and every process that a command left behind.
#[derive(Debug)]
pub struct Sshd {
    hosts: Vec<SshdHost>,
    directory: TempDir,
}

impl Sshd {
    /// `hosts` daemons as one would expect them: the key is accepted, the host keys are known.
    ///
    /// # Errors
    /// See [`SshdBuilder::start`].
    pub fn start(hosts: usize) -> Result<Self, SshdError> {
        Self::builder(hosts).start()
    }

    /// The way to daemons with a peculiarity.
    pub fn builder(hosts: usize) -> SshdBuilder {
        SshdBuilder {
            hosts,
            known_hosts: KnownHosts::Right,
            banner: None,
            accept_key: true,
            real_home: false,
        }
    }

    /// The file for `ssh -F`.
    pub fn ssh_config(&self) -> PathBuf {
        self.directory.path().join(client::SSH_CONFIG)
    }

    /// The client's `known_hosts`, for a test that changes it.
    pub fn known_hosts(&self) -> PathBuf {
        self.directory.path().join(client::KNOWN_HOSTS)
    }

    /// All hosts, in the order of their numbers.
    pub fn hosts(&self) -> &[SshdHost] {
        &self.hosts
    }

    /// The host called `name`, if there is one.
    pub fn host(&self, name: &str) -> Option<&SshdHost> {
        self.hosts.iter().find(|host| host.name() == name)
    }

    /// The names of all hosts, as a line that a command takes: `web1,web2`.
    pub fn names(&self) -> String {
        self.hosts.iter().map(SshdHost::name).collect::<Vec<_>>().join(",")
    }

    /// Runs `command` on the host called `name` with the system's `ssh`.
    ///
    /// # Errors
    /// Only when `ssh` cannot be started: a failing connection is an exit status of 255.
    pub fn ssh(&self, name: &str, command: &str) -> io::Result<Output> {
        Command::new("ssh").arg("-F").arg(self.ssh_config()).args([name, command]).output()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for host in &self.hosts {
            host.stop();
        }
        daemon::reap(self.directory.path());
    }
}

#[cfg(test)]
mod tests;
