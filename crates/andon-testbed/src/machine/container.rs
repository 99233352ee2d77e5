//! One machine as the computer below it sees it: an overlay, a control group, a container, a console.

use std::fmt::Write;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cgroup::Cgroup;
use super::command::{run, tail};
use super::run::Run;
use super::{MachineError, bridge};
use crate::process;

/// Starts the container as often as it wants to be rebooted, which its exit status 133 says, each time from a fresh
/// control group. `$1` is the number of control groups, which follow; then comes the container's command line.
const KEEP_BOOTING: &str = r#"
count=$1; shift
groups=
while [ "$count" -gt 0 ]; do groups="$groups $1"; shift; count=$((count - 1)); done
while
    for group in $groups; do
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
        mkdir -p "$group"
    done
    (for group in $groups; do echo 0 > "$group/cgroup.procs"; done; exec "$@")
    [ $? -eq 133 ]
do :; done
"#;

/// A container and what belongs to it. Dropping it ends it; its files belong to the run.
#[derive(Debug)]
pub(super) struct Container {
    /// `andon-RUN-MACHINE`, at most 12 characters, since the network interface adds three and may have fifteen.
    name: String,
    host_name: String,
    link: String,
    bridge: String,
    place: PathBuf,
    cgroup: Cgroup,
    keeper: Mutex<Option<Child>>,
}

impl Container {
    /// Mounts the machine's own view of `base` and writes into it who it is; `machines` are all of the fleet, and
    /// `number`, from 1, is this one's place among them, whose name it gets.
    pub(super) fn prepare(
        run: &Run,
        base: &Path,
        number: usize,
        machines: &[(String, Ipv4Addr)],
        public_key: &str,
    ) -> Result<Self, MachineError> {
        let name = format!("andon-{}-{number}", run.number());
        let host_name = machines.get(number - 1).map(|(name, _)| name.clone()).unwrap_or_default();
        let container = Self {
            link: format!("vb-{name}"),
            bridge: bridge::name(run.number()),
            place: run.directory().join(&host_name),
            host_name,
            cgroup: Cgroup::named(&name),
            name,
            keeper: Mutex::new(None),
        };
        container.mount(base)?;
        container.furnish(run.address(number), machines, public_key)?;
        Ok(container)
    }

    fn root(&self) -> PathBuf {
        self.place.join("root")
    }

    fn mount(&self, base: &Path) -> Result<(), MachineError> {
        let (upper, work, root) = (self.place.join("upper"), self.place.join("work"), self.root());
        for directory in [&upper, &work, &root] {
            fs::create_dir_all(directory)
                .map_err(MachineError::io(format!("make {}", directory.display())))?;
        }
        // The root of the merged tree takes its mode from the upper directory.
        fs::set_permissions(&upper, fs::Permissions::from_mode(0o755))
            .map_err(MachineError::io("open the upper directory"))?;
        let options =
            format!("lowerdir={},upperdir={},workdir={}", base.display(), upper.display(), work.display());
        run(Command::new("mount").args(["-t", "overlay", "overlay", "-o", &options]).arg(&root))
    }

    /// Writes what makes this machine different from the others.
    fn furnish(
        &self,
        address: Ipv4Addr,
        machines: &[(String, Ipv4Addr)],
        public_key: &str,
    ) -> Result<(), MachineError> {
        let mut hosts = String::from("127.0.0.1 localhost\n");
        for (name, address) in machines {
            // Writing to a string cannot fail.
            let _ = writeln!(hosts, "{address} {name}");
        }
        let network =
            format!("[Match]\nName=host0\n\n[Network]\nAddress={address}/24\nLinkLocalAddressing=no\n");
        let machine_id =
            &blake3::hash(self.place.join(&self.name).as_os_str().as_encoded_bytes()).to_hex()[..32];
        self.write("etc/hostname", &format!("{}\n", self.host_name))?;
        self.write("etc/hosts", &hosts)?;
        self.write("etc/machine-id", &format!("{machine_id}\n"))?;
        self.write("etc/systemd/network/10-host0.network", &network)?;
        for home in ["root", "home/deploy", "home/nopass"] {
            let file = format!("{home}/.ssh/authorized_keys");
            self.write(&file, &format!("{public_key}\n"))?;
            let owner = fs::metadata(self.root().join(home)).map_err(MachineError::io("look at a home"))?;
            chown(self.root().join(&file), Some(owner.uid()), Some(owner.gid()))
                .map_err(MachineError::io("give a key to its user"))?;
        }
        Ok(())
    }

    fn write(&self, file: &str, text: &str) -> Result<(), MachineError> {
        let path = self.root().join(file);
        fs::write(&path, text).map_err(MachineError::io(format!("write {}", path.display())))
    }

    /// Starts the container without waiting for it; does nothing when it runs.
    pub(super) fn power_on(&self) -> Result<(), MachineError> {
        let mut keeper = self.keeper();
        if keeper.as_mut().is_some_and(|keeper| matches!(keeper.try_wait(), Ok(None))) {
            return Ok(());
        }
        let console = File::options()
            .create(true)
            .append(true)
            .open(self.place.join("console"))
            .map_err(MachineError::io("open a console"))?;
        let errors = console.try_clone().map_err(MachineError::io("open a console"))?;
        let started = Command::new("sh")
            .args(["-c", KEEP_BOOTING, "sh", &self.cgroup.directories().len().to_string()])
            .args(self.cgroup.directories())
            .args(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"])
            .args(["--link-journal=no", "--resolv-conf=off", "--timezone=off"])
            .arg(format!("--directory={}", self.root().display()))
            .arg(format!("--machine={}", self.name))
            .arg(format!("--hostname={}", self.host_name))
            .arg(format!("--network-bridge={}", self.bridge))
            .stdin(Stdio::null())
            .stdout(console)
            .stderr(errors)
            // An interrupt at the terminal is for the test, which then ends the machine in its own way.
            .process_group(0)
            .spawn()
            .map_err(MachineError::io("start a container"))?;
        *keeper = Some(started);
        Ok(())
    }

    /// Ends everything in the container at once.
    pub(super) fn power_cut(&self) {
        // First of all, so that nothing on the machine can say goodbye to its peers. The kernel would take the interface
        // away at its leisure, and the next start needs its name at once.
        bridge::unplug(&self.link);
        if let Some(mut keeper) = self.keeper().take() {
            process::descendants(keeper.id()).iter().for_each(|process| process::kill(process.pid));
            // The two failures are "has ended already" and "was waited for already".
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
        self.cgroup.end();
    }

    /// Whether anything runs in the container.
    pub(super) fn is_running(&self) -> bool {
        self.cgroup.is_inhabited()
    }

    /// The machine's network interface on this computer's side.
    pub(super) fn link(&self) -> &str {
        &self.link
    }

    /// The bridge of the fleet.
    pub(super) fn bridge(&self) -> &str {
        &self.bridge
    }

    /// The first process of the machine itself, while it runs.
    pub(super) fn init(&self) -> Option<u32> {
        let keeper = self.keeper().as_ref()?.id();
        let below = process::descendants(keeper);
        let outside: Vec<u32> =
            below.iter().filter(|it| it.name == "systemd-nspawn").map(|it| it.pid).collect();
        below.iter().find(|it| it.name == "systemd" && outside.contains(&it.parent)).map(|it| it.pid)
    }

    /// The last lines of the console.
    pub(super) fn console(&self) -> String {
        let console = fs::read(self.place.join("console")).unwrap_or_default();
        tail(&String::from_utf8_lossy(&console))
    }

    fn keeper(&self) -> MutexGuard<'_, Option<Child>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.power_cut();
    }
}
