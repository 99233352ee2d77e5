//! The configuration with which a client reaches the hosts of a test, and nothing else.
//!
//! It must not read anything of the person who runs the test: no agent, no other key, no shared connection.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The file for `ssh -F` in a testbed's directory.
pub(crate) const SSH_CONFIG: &str = "ssh_config";

/// The keys of the hosts, beside it.
pub(crate) const KNOWN_HOSTS: &str = "known_hosts";

/// Who can be reached where, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct ClientConfig {
    /// Names and where each listens.
    pub(crate) hosts: Vec<(String, SocketAddr)>,
    /// The key that all hosts are believed to have; `None` when they are unknown.
    pub(crate) host_key: Option<String>,
    /// The private key to log in with.
    pub(crate) identity: PathBuf,
    /// Whom to log in as when the command does not say; the local user when `None`.
    pub(crate) user: Option<&'static str>,
}

impl ClientConfig {
    /// Writes [`SSH_CONFIG`] and [`KNOWN_HOSTS`] into `directory`.
    pub(crate) fn write(&self, directory: &Path) -> io::Result<()> {
        let known_hosts = directory.join(KNOWN_HOSTS);
        fs::write(&known_hosts, self.known_hosts())?;
        fs::write(directory.join(SSH_CONFIG), self.ssh_config(&known_hosts))
    }

    fn known_hosts(&self) -> String {
        let Some(key) = &self.host_key else { return String::new() };
        let lines = self.hosts.iter().map(|(_, socket)| match socket.port() {
            22 => format!("{} {key}\n", socket.ip()),
            port => format!("[{}]:{port} {key}\n", socket.ip()),
        });
        lines.collect()
    }

    fn ssh_config(&self, known_hosts: &Path) -> String {
        let hosts = self.hosts.iter().map(|(name, socket)| {
            format!("Host {name}\n  HostName {}\n  Port {}\n", socket.ip(), socket.port())
        });
        let mut config: String = hosts.collect();
        config += "Host *\n";
        if let Some(user) = self.user {
            config += &format!("  User {user}\n");
        }
        config += &format!(
            "  IdentityFile \"{identity}\"\n  IdentitiesOnly yes\n  IdentityAgent none\n  \
             UserKnownHostsFile \"{known_hosts}\"\n  GlobalKnownHostsFile /dev/null\n  ControlMaster no\n  \
             ControlPath none\n",
            identity = self.identity.display(),
            known_hosts = known_hosts.display(),
        );
        config
    }
}
