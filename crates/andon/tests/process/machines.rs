//! Hosts behind real `sshd`s, each in namespaces of its own: a file tree, a loopback and processes that no other
//! host sees. They need root, or a kernel that allows user namespaces to everybody.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use andon_testbed::sshd::{Sshd, SshdBuilder, SshdHost};
use andon_testbed::{process, require};

use crate::project::Project;

/// What every host has: a loopback that is up, a `/srv` of its own, and the kernel's name for its last start.
const SETUP: &str = "ip link set lo up && mount --bind \"$PLACE/srv\" /srv \
    && cat /proc/sys/kernel/random/uuid > \"$PLACE/boot_id\" && mount --bind \"$PLACE/boot_id\" /proc/sys/kernel/random/boot_id";

/// `unshare` for namespaces of these kinds, by root or by anybody.
pub(crate) fn unshare(kinds: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(kinds);
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command
}

/// Running hosts, called `web1`, `web2`, …
pub(crate) struct Machines {
    // Dropped first: with the first process of a namespace all others of it end.
    keepers: Vec<Keeper>,
    pub(crate) sshd: Sshd,
}

impl Machines {
    /// `count` ordinary hosts.
    pub(crate) fn start(count: usize) -> Self {
        Self::with(Sshd::builder(count), |_| String::new())
    }

    /// Hosts with a peculiarity: shell commands that `peculiar` gives for the number of a host, from 1, and that run
    /// in its namespaces before anybody logs in.
    pub(crate) fn with(builder: SshdBuilder, peculiar: impl Fn(usize) -> String) -> Self {
        require_agent();
        require(&["unshare", "nsenter", "ip", "mount"]).unwrap();
        let sshd = builder.start().unwrap();
        let keepers: Vec<Keeper> =
            (1..).zip(sshd.hosts()).map(|(number, host)| Keeper::start(host, &peculiar(number))).collect();
        for (host, keeper) in sshd.hosts().iter().zip(&keepers) {
            lead_into(host, keeper.inner());
        }
        Self { keepers, sshd }
    }

    /// Cuts a host's power and starts it again: its files stay, its processes do not.
    pub(crate) fn power_cut(&mut self, name: &str) {
        let at = self.position(name);
        let host = &self.sshd.hosts()[at];
        host.stop();
        // The old namespaces end with their keeper, which is dropped here.
        self.keepers[at] = Keeper::start(host, "");
        lead_into(host, self.keepers[at].inner());
    }

    fn position(&self, name: &str) -> usize {
        self.sshd.hosts().iter().position(|host| host.name() == name).unwrap()
    }

    pub(crate) fn host(&self, name: &str) -> &SshdHost {
        self.sshd.host(name).unwrap()
    }

    /// The root of the service `www` on a host, as seen from outside.
    pub(crate) fn root(&self, host: &str) -> PathBuf {
        place(self.host(host)).join("srv/www")
    }

    /// What `current` points to on a host; `None` when nothing was ever activated there.
    pub(crate) fn current(&self, host: &str) -> Option<String> {
        let target = fs::read_link(self.root(host).join("current")).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// The agents that a host keeps, with the inode of each.
    pub(crate) fn agents(&self, host: &str) -> Vec<(String, u64)> {
        use std::os::unix::fs::MetadataExt;
        let Ok(kept) = fs::read_dir(self.host(host).home().join(".cache/andon")) else { return Vec::new() };
        kept.map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().ino())
        })
        .collect()
    }

    /// A project with the service `www` on all hosts, and a first release.
    pub(crate) fn project(&self, rollout: &str) -> Project {
        let project = Project::new().with_ssh(self.sshd.ssh_config());
        project.write_line(&self.group(), rollout, "");
        project.release("one", "exit 0");
        project
    }

    /// The expression of a group of all hosts.
    pub(crate) fn group(&self) -> String {
        let names: Vec<String> = self.names().map(|name| format!("\"{name}\"")).collect();
        format!("group(\"web\", [{}])", names.join(", "))
    }

    /// The names of all hosts.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.sshd.hosts().iter().map(SshdHost::name)
    }

    /// The releases that processes of the service really run on a host, one entry for each process.
    pub(crate) fn running(&self, host: &str) -> Vec<String> {
        self.processes(host).into_iter().map(|(_, release)| release).collect()
    }

    /// The processes of the service on a host, each with the release that it runs.
    pub(crate) fn processes(&self, host: &str) -> Vec<(u32, String)> {
        let keeper = &self.keepers[self.position(host)];
        let mut found: Vec<(u32, String)> = process::descendants(keeper.inner())
            .into_iter()
            .filter_map(|process| {
                let environment = fs::read(format!("/proc/{}/environ", process.pid)).ok()?;
                let mut entries = environment.split(|byte| *byte == 0);
                let said = entries.find_map(|entry| entry.strip_prefix(b"ANDON_RELEASE="))?;
                Some((process.pid, String::from_utf8_lossy(said).into_owned()))
            })
            .collect();
        found.sort();
        found
    }
}

/// Without the agent no host can be spoken to.
fn require_agent() {
    let beside = Path::new(env!("CARGO_BIN_EXE_andon")).with_file_name("andon-agent-x86_64.gz");
    assert!(beside.is_file(), "{} is missing; build it with: cargo xtask agent", beside.display());
}

/// The directory that belongs to a host, with its home, its configuration and its `/srv`.
fn place(host: &SshdHost) -> PathBuf {
    host.home().parent().unwrap().to_owned()
}

/// The first process of a host's namespaces, which keeps them.
struct Keeper {
    child: Child,
}

impl Keeper {
    fn start(host: &SshdHost, peculiar: &str) -> Self {
        let place = place(host);
        fs::create_dir_all(place.join("srv")).unwrap();
        let peculiar = if peculiar.is_empty() { "true" } else { peculiar };
        let script = format!("{SETUP} && {peculiar} && echo ready && while :; do sleep 1; done");
        let mut command = unshare(&["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        let mut child = command
            .args(["bash", "-c", &script])
            .env("PLACE", &place)
            .env("HOME", host.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "namespaces cannot be had: run the tests as root");
        Self { child }
    }

    /// Its id as seen from outside.
    fn inner(&self) -> u32 {
        process::descendants(self.child.id()).first().map(|process| process.pid).unwrap()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whoever logs in on `host` finds itself in the namespaces that `keeper` keeps.
fn lead_into(host: &SshdHost, keeper: u32) {
    let path = place(host).join("sshd_config");
    let user = if rustix::process::geteuid().is_root() { "" } else { "-U --preserve-credentials " };
    let enter = format!(
        "ForceCommand exec nsenter -t {keeper} {user}-m -n -p -- /bin/bash -c 'cd; eval \"$SSH_ORIGINAL_COMMAND\"'\n"
    );
    let config: String = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with("ForceCommand"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&path, config + &enter).unwrap();
    host.restart().unwrap();
}
