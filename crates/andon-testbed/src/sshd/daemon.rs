//! One `sshd` process: its configuration, its start, its end.

use std::fs::{self, File};
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::{MARK, SshdBuilder, SshdError};
use crate::deadline::wait_until;
use crate::keys::KeyPair;
use crate::{process, program};

/// The configuration in a host's directory.
const CONFIG: &str = "sshd_config";

/// The log in a host's directory.
pub(super) const LOG: &str = "log";

/// How long a daemon has to come up, on a machine that does much else.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Runs what the client asked for in the throw-away home, as the login would have done in the real one.
const IN_HOME: &str = r#"cd && if [ -n "$SSH_ORIGINAL_COMMAND" ]; then eval "$SSH_ORIGINAL_COMMAND"; else exec "$SHELL" -l; fi"#;

/// What all daemons of one testbed share.
#[derive(Debug)]
pub(super) struct DaemonSettings {
    pub(super) host_key: KeyPair,
    pub(super) user_key: KeyPair,
    /// The directory that is removed at the end, which is also the value of the mark.
    directory: PathBuf,
    banner: Option<PathBuf>,
    real_home: bool,
    /// Options that not every version of OpenSSH knows.
    version_options: &'static str,
}

impl DaemonSettings {
    /// Makes the keys and files that `builder` asks for in `directory`.
    pub(super) fn prepare(directory: &Path, builder: &SshdBuilder) -> Result<Self, SshdError> {
        make_privilege_separation_directory()?;
        let host_key = KeyPair::generate(directory, "host_key").map_err(SshdError::io("make a host key"))?;
        let user_key = KeyPair::generate(directory, "user_key").map_err(SshdError::io("make a user key"))?;
        let authorized = if builder.accept_key { format!("{}\n", user_key.public) } else { String::new() };
        fs::write(directory.join("authorized_keys"), authorized)
            .map_err(SshdError::io("write authorized_keys"))?;
        let banner = builder.banner.as_ref().map(|text| (directory.join("banner"), text));
        if let Some((path, text)) = &banner {
            fs::write(path, text).map_err(SshdError::io("write the banner"))?;
        }
        Ok(Self {
            host_key,
            user_key,
            directory: directory.to_owned(),
            banner: banner.map(|(path, _)| path),
            real_home: builder.real_home,
            version_options: version_options(),
        })
    }

    /// The text of `sshd_config` for the host at `address` with the home `home`.
    fn config(&self, address: SocketAddr, home: &Path) -> String {
        let directory = self.directory.display();
        let mut config = format!(
            "ListenAddress {ip}\nPort {port}\nHostKey \"{host_key}\"\nPidFile none\n\
             AuthorizedKeysFile \"{directory}/authorized_keys\"\nStrictModes no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM {pam}\nUseDNS no\n\
             PrintMotd no\nPrintLastLog no\nMaxStartups 2000\nMaxSessions 2000\n\
             Subsystem sftp internal-sftp\n{more}",
            ip = address.ip(),
            port = address.port(),
            host_key = self.host_key.private.display(),
            pam = if root_is_locked() { "yes" } else { "no" },
            more = self.version_options,
        );
        if let Some(banner) = &self.banner {
            config += &format!("Banner \"{}\"\n", banner.display());
        }
        if self.real_home {
            config += &format!("SetEnv \"{MARK}={directory}\"\n");
        } else {
            config += &format!("SetEnv \"{MARK}={directory}\" \"HOME={}\"\n", home.display());
            config += &format!("ForceCommand {IN_HOME}\n");
        }
        config
    }

    /// Writes the configuration of the host at `address` into its directory `place`.
    pub(super) fn write(&self, address: SocketAddr, place: &Path) -> Result<(), SshdError> {
        fs::create_dir_all(place.join("home")).map_err(SshdError::io("make a home"))?;
        fs::write(place.join(CONFIG), self.config(address, &place.join("home")))
            .map_err(SshdError::io("write sshd_config"))
    }
}

/// A running listener.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts a daemon from the configuration in `place`, without waiting for it.
    pub(super) fn launch(place: &Path) -> Result<Self, SshdError> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(place.join(LOG))
            .map_err(SshdError::io("open the log of sshd"))?;
        // sshd starts itself anew for each connection and therefore wants to be called by its full path.
        let sshd = program::find("sshd").unwrap_or_else(|| PathBuf::from("/usr/sbin/sshd"));
        let child = Command::new(sshd)
            .args(["-D", "-e", "-f"])
            .arg(place.join(CONFIG))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(SshdError::io("start sshd"))?;
        Ok(Self { child })
    }

    /// Waits until the daemon answers at `address`.
    pub(super) fn ready(&mut self, address: SocketAddr, place: &Path) -> Result<(), SshdError> {
        let decided = wait_until(START_LIMIT, || !self.is_running() || answers(address));
        // Somebody else may answer there: only a daemon that still runs is the one that does.
        if decided && self.is_running() {
            return Ok(());
        }
        let log = fs::read_to_string(place.join(LOG)).unwrap_or_default().trim().to_owned();
        Err(SshdError::NotReady { address: address.to_string(), log })
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends all connections, but not the listener and not the commands that ran over them.
    pub(super) fn sever(&self) {
        for connection in self.connections() {
            process::kill(connection);
        }
    }

    /// Ends the listener and all connections.
    pub(super) fn end(&mut self) {
        if self.is_running() {
            // A stopped listener takes no new connection between the look at the old ones and its end.
            process::send(self.child.id(), Signal::STOP);
        }
        let connections = self.connections();
        // The two failures are "has ended already" and "was waited for already".
        let _ = self.child.kill();
        let _ = self.child.wait();
        for connection in connections {
            process::kill(connection);
        }
    }

    /// The processes that serve connections; from OpenSSH 9.8 on they are called `sshd-session`.
    fn connections(&self) -> Vec<u32> {
        process::descendants(self.child.id())
            .into_iter()
            .filter(|process| process.name.starts_with("sshd"))
            .map(|process| process.pid)
            .collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ends whatever commands of the testbed in `directory` left running.
pub(super) fn reap(directory: &Path) {
    for pid in process::with_environment(&format!("{MARK}={}", directory.display())) {
        process::kill(pid);
    }
}

/// Whether an ssh daemon at `address` introduces itself.
pub(crate) fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let mut greeting = [0; 4];
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && greeting == *b"SSH-"
}

/// `/run/sshd` is made by the service on a machine that runs it; here nobody else does.
fn make_privilege_separation_directory() -> Result<(), SshdError> {
    let directory = Path::new("/run/sshd");
    if !rustix::process::geteuid().is_root() || directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory)
        .and_then(|()| fs::set_permissions(directory, fs::Permissions::from_mode(0o755)))
        .map_err(SshdError::io("make /run/sshd"))
}

/// OpenSSH 9.8 began to punish addresses that connect often, which is all that a test does.
fn version_options() -> &'static str {
    let version = Command::new("ssh").arg("-V").output().map(|output| output.stderr).unwrap_or_default();
    let version = String::from_utf8_lossy(&version).into_owned();
    let mut numbers = version
        .trim_start_matches("OpenSSH_")
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= (9, 8) => "PerSourcePenalties no\n",
        _ => "",
    }
}

/// Without PAM, sshd refuses an account whose password is locked, which root's is where people use sudo.
fn root_is_locked() -> bool {
    fs::read_to_string("/etc/shadow").is_ok_and(|shadow| shadow.lines().any(|l| l.starts_with("root:!")))
}
