//! Real Debian machines with systemd, booted in seconds on a network of their own.
//!
//! Every machine is a container over one shared root file system, which is built once and never changed. A fleet has
//! its own bridge and subnet, which lead nowhere else. What a fleet made is gone when it is dropped; what a killed run
//! left is removed by the next boot or by [`leftovers::clean`]. Nothing else on the machine is touched. Root only.

mod bridge;
mod cgroup;
mod command;
mod container;
mod disk;
mod inside;
pub mod leftovers;
pub mod link;
mod root;
mod run;

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use self::command::run;
use self::container::Container;
use self::run::Run;
use crate::client::{self, ClientConfig};
use crate::deadline::wait_until;
use crate::keys::KeyPair;
use crate::program::{MissingPrograms, require};
use crate::sshd::daemon::answers;

/// The most machines of one [`Fleet`].
pub const MAX_MACHINES: usize = 200;

/// The password of the user `nopass`, whose sudo asks for it.
pub const NOPASS_PASSWORD: &str = "letmein";

/// How long a machine has to come up, on a machine that does much else.
const BOOT_LIMIT: Duration = Duration::from_secs(120);

/// Why there is no machine, or why it did not do what a test asked for.
#[derive(thiserror::Error)]
pub enum MachineError {
    /// A program is not installed.
    #[error(transparent)]
    Missing(#[from] MissingPrograms),
    /// Machines need mounts, a bridge and cgroups.
    #[error("only root can boot machines; run the test as root")]
    NotRoot,
    /// This root is locked in: it may not mount or may not make network interfaces.
    #[error(
        "this root may not mount file systems and make network interfaces, as in a container; boot machines on a \
         real or virtual computer"
    )]
    Confined,
    /// More machines than [`MAX_MACHINES`].
    #[error("a fleet has at most {MAX_MACHINES} machines, not {0}")]
    TooMany(usize),
    /// A file could not be written or a program could not be started.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program failed.
    #[error("`{command}` failed: {output}")]
    Failed {
        /// The command line.
        command: String,
        /// The end of what it printed.
        output: String,
    },
    /// `apt` knows no source for the Debian release of this machine.
    #[error(
        "apt names no Debian source to build machines from; check /etc/apt/sources.list.d (looked for {0} main)"
    )]
    NoSource(String),
    /// All subnets of the testbed are taken.
    #[error(
        "no free subnet is left in 10.213.0.0/16; `cargo xtask machines clean` removes what killed runs left"
    )]
    NoSubnet,
    /// The machine did not get to where it should be.
    #[error("{machine} did not {what} in time; the end of its console: {console}")]
    TimedOut {
        /// Its name.
        machine: String,
        /// What it should have done.
        what: &'static str,
        /// The last lines of its console.
        console: String,
    },
}

// A failed `unwrap` prints the debug form, and the person who reads it wants the sentence.
impl fmt::Debug for MachineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl MachineError {
    fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// Running machines, and the client configuration that reaches them by their names.
///
/// On each there are `root`, `deploy` (sudo without a password; whom the client configuration logs in as) and `nopass`
/// (sudo asks for [`NOPASS_PASSWORD`]). All three accept the fleet's key. nginx answers on port 80; HAProxy is there,
/// and not started.
#[derive(Debug)]
pub struct Fleet {
    // Machines go before the run, whose directory holds their files.
    machines: Vec<Machine>,
    run: Run,
}

impl Fleet {
    /// Boots `machines` machines named `web1`, `web2`, …, and waits until systemd on each says that it is up.
    ///
    /// The first call on a computer builds the root file system, which takes a minute or two.
    ///
    /// # Errors
    /// [`MachineError`] says what is missing or did not work; whatever was started is ended again.
    pub fn boot(machines: usize) -> Result<Self, MachineError> {
        let names: Vec<String> = (1..=machines).map(|number| format!("web{number}")).collect();
        Self::boot_named(&names)
    }

    /// The same with other names: letters, digits and `-`, as host names are.
    ///
    /// # Errors
    /// As for [`boot`](Self::boot).
    pub fn boot_named(names: &[String]) -> Result<Self, MachineError> {
        require_root()?;
        require(&["debootstrap", "systemd-nspawn", "ip", "mount", "umount", "chroot", "ssh", "ssh-keygen"])?;
        if names.len() > MAX_MACHINES {
            return Err(MachineError::TooMany(names.len()));
        }
        leftovers::clean()?;
        let base = root::build_once()?;
        let run = Run::begin()?;
        let key = KeyPair::generate(run.directory(), "user_key").map_err(MachineError::io("make a key"))?;
        let addresses: Vec<(String, Ipv4Addr)> =
            (1..).zip(names).map(|(number, name)| (name.clone(), run.address(number))).collect();
        let client = ClientConfig {
            hosts: addresses.iter().map(|(name, ip)| (name.clone(), SocketAddr::from((*ip, 22)))).collect(),
            host_key: Some(root::host_key(&base)?),
            identity: key.private,
            user: Some("deploy"),
        };
        client.write(run.directory()).map_err(MachineError::io("write the client's configuration"))?;
        let mut fleet = Self { machines: Vec::with_capacity(names.len()), run };
        for (number, (name, address)) in (1..).zip(addresses.iter().cloned()) {
            let container = Container::prepare(&fleet.run, &base, number, &addresses, &key.public)?;
            fleet.machines.push(Machine { name, address, container, config: fleet.ssh_config() });
        }
        for machine in &fleet.machines {
            machine.container.power_on()?;
        }
        for machine in &fleet.machines {
            machine.wait_until_up()?;
        }
        Ok(fleet)
    }

    /// The file for `ssh -F`.
    pub fn ssh_config(&self) -> PathBuf {
        self.run.directory().join(client::SSH_CONFIG)
    }

    /// All machines, in the order of their numbers.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// The machine called `name`, if there is one.
    pub fn machine(&self, name: &str) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.name == name)
    }

    /// The names of all machines, as a line that a command takes: `web1,web2`.
    pub fn names(&self) -> String {
        self.machines.iter().map(Machine::name).collect::<Vec<_>>().join(",")
    }
}

/// One machine, and what a test may do to it.
#[derive(Debug)]
pub struct Machine {
    name: String,
    address: Ipv4Addr,
    container: Container,
    config: PathBuf,
}

impl Machine {
    /// Its name in the client's configuration, which is also its host name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address, which this computer and the other machines of the fleet reach.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Runs `command` as root.
    ///
    /// # Errors
    /// Only when `ssh` cannot be started: a failing connection is an exit status of 255.
    pub fn ssh(&self, command: &str) -> io::Result<Output> {
        self.ssh_as("root", command)
    }

    /// Runs `command` as `user`: `root`, `deploy` or `nopass`.
    ///
    /// # Errors
    /// Only when `ssh` cannot be started: a failing connection is an exit status of 255.
    pub fn ssh_as(&self, user: &str, command: &str) -> io::Result<Output> {
        Command::new("ssh")
            .arg("-F")
            .arg(&self.config)
            .args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5"])
            .args(["-l", user, &self.name, command])
            .stdin(Stdio::null())
            .output()
    }

    /// Runs `command` as root and returns its trimmed output.
    ///
    /// # Errors
    /// [`MachineError::Failed`] when the command or the connection fails.
    pub fn output(&self, command: &str) -> Result<String, MachineError> {
        let output = self.ssh(command).map_err(MachineError::io("start ssh"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(MachineError::Failed { command: format!("{}: {command}", self.name), output })
    }

    /// Whether the machine has power, whatever it does with it.
    pub fn is_running(&self) -> bool {
        self.container.is_running()
    }

    /// The kernel's id of this boot.
    ///
    /// # Errors
    /// [`MachineError::Failed`] when the machine does not answer.
    pub fn boot_id(&self) -> Result<String, MachineError> {
        self.output("cat /proc/sys/kernel/random/boot_id")
    }

    /// Ends everything on the machine at once, as when somebody pulls the plug.
    ///
    /// One difference remains: what was written but not yet on the disk is still there afterwards.
    pub fn power_cut(&self) {
        self.container.power_cut();
    }

    /// Gives the power back after [`power_cut`](Self::power_cut) or a shutdown, and waits until the machine is up.
    ///
    /// # Errors
    /// [`MachineError::TimedOut`] when it does not come up.
    pub fn power_on(&self) -> Result<(), MachineError> {
        self.container.power_on()?;
        self.wait_until_up()
    }

    /// Reboots in an orderly way and waits until the machine is up again.
    ///
    /// # Errors
    /// [`MachineError::TimedOut`] when it does not come back with another boot id.
    pub fn reboot(&self) -> Result<(), MachineError> {
        let before = self.boot_id()?;
        // The connection may end before its exit status arrives: the boot id decides.
        let _ = self.ssh("systemctl reboot");
        if !wait_until(BOOT_LIMIT, || self.boot_id().is_ok_and(|now| now != before)) {
            return Err(self.timed_out("reboot"));
        }
        self.wait_until_up()
    }

    /// Takes the machine off the network: packets vanish, nothing is refused.
    ///
    /// # Errors
    /// [`MachineError::Failed`] when the machine has no power.
    pub fn cut_network(&self) -> Result<(), MachineError> {
        self.set_link("down")
    }

    /// Undoes [`cut_network`](Self::cut_network).
    ///
    /// # Errors
    /// [`MachineError::Failed`] when the machine has no power.
    pub fn restore_network(&self) -> Result<(), MachineError> {
        self.set_link("up")
    }

    fn set_link(&self, state: &str) -> Result<(), MachineError> {
        run(Command::new("ip").args(["link", "set", self.container.link(), state]))
    }

    /// Waits until sshd answers, people may log in and systemd has finished starting.
    fn wait_until_up(&self) -> Result<(), MachineError> {
        let up = wait_until(BOOT_LIMIT, || {
            answers(SocketAddr::from((self.address, 22)))
                && self.ssh_as("deploy", "systemctl is-system-running --wait").is_ok_and(|output| {
                    // A kernel without some feature leaves a unit failed; the machine is up nevertheless.
                    matches!(output.stdout.trim_ascii(), b"running" | b"degraded")
                })
        });
        if up { Ok(()) } else { Err(self.timed_out("come up")) }
    }

    fn timed_out(&self, what: &'static str) -> MachineError {
        MachineError::TimedOut { machine: self.name.clone(), what, console: self.container.console() }
    }
}

/// Checks that this process may boot machines.
///
/// # Errors
/// [`MachineError::NotRoot`], or [`MachineError::Confined`] for a root without the needed capabilities.
pub fn require_root() -> Result<(), MachineError> {
    if !rustix::process::geteuid().is_root() {
        return Err(MachineError::NotRoot);
    }
    let status =
        fs::read_to_string("/proc/self/status").map_err(MachineError::io("read /proc/self/status"))?;
    if may_boot(&status) { Ok(()) } else { Err(MachineError::Confined) }
}

/// Whether the text of `/proc/PID/status` tells of the capabilities to administer the system and its network.
fn may_boot(status: &str) -> bool {
    const CAP_NET_ADMIN: u64 = 1 << 12;
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    effective.is_some_and(|mask| mask & CAP_NET_ADMIN != 0 && mask & CAP_SYS_ADMIN != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_in_a_container_may_not_boot_machines() {
        assert!(may_boot("Name:\tx\nCapEff:\t000001ffffffffff\n"));
        assert!(!may_boot("Name:\tx\nCapEff:\t00000000a80425fb\n"));
        assert!(!may_boot("Name:\tx\n"));
    }
}
