//! The system's own `ssh`, told how to behave when nobody sits in front of it.
//!
//! Everything that people have set up for `ssh` (aliases, jumps, agents, certificates, host keys) keeps working,
//! because it is their `ssh` that runs. This module does not know what is run on the host, nor does it retry.

mod failure;

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

pub use failure::Failure;

/// What `ssh` is asked to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTarget {
    /// A name, an address, or an alias of `~/.ssh/config`.
    pub address: String,
    /// The remote user; `None` leaves it to `ssh`.
    pub user: Option<String>,
    /// The remote port; `None` leaves it to `ssh`.
    pub port: Option<u16>,
}

/// How `ssh` shall behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshOptions {
    /// Read instead of `~/.ssh/config` and the system's configuration.
    pub config: Option<PathBuf>,
    /// Where the sockets of shared connections live; see [`SshOptions::prepare`].
    pub control_dir: PathBuf,
    /// How long a connection may take to come about. Whole seconds, at least one.
    pub connect_timeout: Duration,
    /// How often a silent connection is asked for a sign of life; three missing answers end it. Whole seconds.
    pub keepalive: Duration,
    /// Further arguments, before the address, for example `-oProxyJump=bastion`.
    pub extra: Vec<String>,
}

/// Missing answers to keep-alive messages after which a connection counts as lost.
const KEEPALIVE_COUNT: u32 = 3;
/// How long a connection stays open for the next command.
const PERSIST: &str = "60s";
/// What `ssh` appends to the directory: a slash, 40 hexadecimal digits, and 17 more while the socket is made.
const SOCKET_NAME_LEN: usize = 1 + 40 + 17;
/// The longest path of a Unix socket on Linux, without the NUL at its end.
const MAX_SOCKET_PATH: usize = 107;

/// Why connections cannot be shared.
#[derive(Debug, thiserror::Error)]
pub enum ControlDirError {
    /// The directory cannot be made or looked at.
    #[error(
        "cannot use {path} for shared ssh connections: {source}; make its parent writable or choose another"
    )]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Somebody else could use or replace the connections.
    #[error(
        "{path} is not a directory that only you can use; remove it, or choose another for shared connections"
    )]
    NotPrivate {
        /// The directory.
        path: PathBuf,
    },
    /// Sockets in it would have too long a name.
    #[error(
        "{path} is too long for sockets of shared ssh connections; choose a directory of at most {max} bytes"
    )]
    TooLong {
        /// The directory.
        path: PathBuf,
        /// The longest that works, in bytes.
        max: usize,
    },
}

impl SshOptions {
    /// The usual behaviour, with shared connections in `control_dir`.
    pub fn new(control_dir: impl Into<PathBuf>) -> Self {
        Self {
            config: None,
            control_dir: control_dir.into(),
            connect_timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(15),
            extra: Vec::new(),
        }
    }

    /// Where shared connections live unless a person says otherwise: a short path that is the user's own.
    pub fn default_control_dir() -> PathBuf {
        let fits =
            |dir: &PathBuf| dir.is_absolute() && dir.as_os_str().len() + SOCKET_NAME_LEN <= MAX_SOCKET_PATH;
        std::env::var_os("XDG_RUNTIME_DIR")
            .map(|dir| Path::new(&dir).join("andon"))
            .filter(|dir| fits(dir) && dir.parent().is_some_and(Path::is_dir))
            .unwrap_or_else(|| format!("/tmp/andon-{}", rustix::process::geteuid().as_raw()).into())
    }

    /// Makes the directory for shared connections and sees that nobody else can use it. Call it once before
    /// [`SshOptions::command`]: whoever could replace a socket could read what is sent.
    pub fn prepare(&self) -> Result<(), ControlDirError> {
        let path = &self.control_dir;
        if path.as_os_str().len() + SOCKET_NAME_LEN > MAX_SOCKET_PATH {
            let max = MAX_SOCKET_PATH - SOCKET_NAME_LEN;
            return Err(ControlDirError::TooLong { path: path.clone(), max });
        }
        let failed = |source| ControlDirError::Io { path: path.clone(), source };
        match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let meta = path.symlink_metadata().map_err(failed)?;
        let private =
            meta.is_dir() && meta.mode() & 0o077 == 0 && meta.uid() == rustix::process::geteuid().as_raw();
        if private { Ok(()) } else { Err(ControlDirError::NotPrivate { path: path.clone() }) }
    }

    /// `ssh` that runs `remote` on `target`, by way of the login shell there.
    ///
    /// It asks nobody anything, shares its connection, forwards nothing, and says only what went wrong. Whether
    /// unknown host keys are taken is left to the user's configuration; as it stands, they are not. All three
    /// standard streams are pipes, and the process is killed when its handle is dropped.
    pub fn command(&self, target: &SshTarget, remote: &str) -> Command {
        let mut command = Command::new("ssh");
        crate::secrets::withhold(&mut command);
        if let Some(config) = &self.config {
            command.arg("-F").arg(config);
        }
        // ssh takes the first value that it sees, so the user's own arguments come first.
        command.args(&self.extra).arg("-T");
        for option in ["BatchMode=yes", "LogLevel=ERROR", "ClearAllForwardings=yes", "ControlMaster=auto"] {
            command.arg("-o").arg(option);
        }
        command
            .arg("-o")
            .arg(self.control_path())
            .arg("-o")
            .arg(format!("ControlPersist={PERSIST}"))
            .arg("-o")
            .arg(format!("ConnectTimeout={}", self.connect_timeout.as_secs().max(1)))
            .arg("-o")
            .arg(format!("ServerAliveInterval={}", self.keepalive.as_secs().max(1)))
            .arg("-o")
            .arg(format!("ServerAliveCountMax={KEEPALIVE_COUNT}"));
        if let Some(port) = target.port {
            command.arg("-p").arg(port.to_string());
        }
        if let Some(user) = &target.user {
            command.arg("-l").arg(user);
        }
        // Nothing behind the dashes is an option, whatever it looks like.
        command.arg("--").arg(&target.address).arg(remote);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// `%C` is ssh's own digest of host, port and user, after all configuration was read.
    fn control_path(&self) -> OsString {
        let mut option = OsString::from("ControlPath=\"");
        option.push(self.control_dir.as_os_str());
        option.push("/%C\"");
        option
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(options: &SshOptions, target: &SshTarget) -> Vec<String> {
        let command = options.command(target, "uname -r");
        command.as_std().get_args().map(|arg| arg.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn an_address_is_never_an_option() {
        let address = "-oProxyCommand=touch /tmp/owned".to_owned();
        let target = SshTarget { address: address.clone(), user: None, port: None };
        let arguments = arguments(&SshOptions::new("/run/andon"), &target);
        assert_eq!(arguments[arguments.len() - 3..], ["--".to_owned(), address, "uname -r".to_owned()]);
    }

    #[test]
    fn a_persons_own_arguments_come_before_ours() {
        let mut options = SshOptions::new("/run/andon");
        options.config = Some("/etc/andon/ssh_config".into());
        options.extra = vec!["-oControlMaster=no".to_owned()];
        let target = SshTarget { address: "web1".into(), user: Some("deploy".into()), port: Some(2222) };
        let arguments = arguments(&options, &target);
        assert_eq!(arguments[..3], ["-F", "/etc/andon/ssh_config", "-oControlMaster=no"]);
        let ours = arguments.iter().position(|argument| argument == "ControlMaster=auto");
        assert!(ours > Some(2));
        assert_eq!(arguments[arguments.len() - 7..][..4], ["-p", "2222", "-l", "deploy"]);
    }

    #[test]
    fn shared_connections_live_in_a_private_directory_only() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::Builder::new().prefix("andon").tempdir_in("/tmp").unwrap();
        let dir = parent.path().join("c");
        let options = SshOptions::new(&dir);
        options.prepare().unwrap();
        options.prepare().unwrap();
        assert_eq!(dir.metadata().unwrap().mode() & 0o777, 0o700);
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(options.prepare(), Err(ControlDirError::NotPrivate { .. })));
        std::fs::remove_dir(&dir).unwrap();
        std::os::unix::fs::symlink("/tmp", &dir).unwrap();
        assert!(matches!(options.prepare(), Err(ControlDirError::NotPrivate { .. })));
        let long = SshOptions::new(parent.path().join("d".repeat(80)));
        assert!(matches!(long.prepare(), Err(ControlDirError::TooLong { .. })));
        let orphan = SshOptions::new(parent.path().join("no/where"));
        assert!(matches!(orphan.prepare(), Err(ControlDirError::Io { .. })));
    }
}
