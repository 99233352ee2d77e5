//! The root file system that all machines share: built once, then only read.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::{output, run};
use super::leftovers::unmount_below;
use super::{MachineError, NOPASS_PASSWORD};

/// What is on a machine besides Debian's required packages.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,openssh-server,iproute2,sudo,python3,\
    monitoring-plugins-basic,nginx-light,haproxy,ca-certificates,procps";

/// What is done once inside the new root. Timers that fetch or scrub something would only disturb a test.
const SETUP: &str = r#"
useradd --create-home --shell /bin/bash deploy
echo 'deploy ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/deploy
useradd --create-home --shell /bin/bash nopass
echo "nopass:$NOPASS_PASSWORD" | chpasswd
echo 'nopass ALL=(ALL) ALL' > /etc/sudoers.d/nopass
chmod 0440 /etc/sudoers.d/deploy /etc/sudoers.d/nopass
for user in deploy nopass; do install -d -o "$user" -g "$user" -m 0700 "/home/$user/.ssh"; done
install -d -m 0700 /root/.ssh
systemctl enable systemd-networkd.service
systemctl disable haproxy.service
systemctl mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer \
    e2scrub_all.timer e2scrub_reap.service dpkg-db-backup.timer fstrim.timer
apt-get clean
rm -rf /var/lib/apt/lists/*
"#;

/// The directory for the root file systems and the runs; `ANDON_TESTBED_CACHE` names another one.
pub(super) fn cache() -> PathBuf {
    std::env::var_os("ANDON_TESTBED_CACHE")
        .map_or_else(|| PathBuf::from("/var/cache/andon-testbed"), PathBuf::from)
}

/// The root file system, built now if no earlier run has built the same.
pub(super) fn build_once() -> Result<PathBuf, MachineError> {
    let source = Source::of_this_machine()?;
    let recipe = blake3::hash(format!("{PACKAGES}\n{SETUP}\n{NOPASS_PASSWORD}").as_bytes()).to_hex();
    let cache = cache();
    let root = cache.join(format!("{}-{}", source.suite, &recipe[..16]));
    fs::create_dir_all(&cache).map_err(MachineError::io(format!("make {}", cache.display())))?;
    let lock = File::create(cache.join("lock")).map_err(MachineError::io("open the lock of the cache"))?;
    lock.lock().map_err(MachineError::io("lock the cache"))?;
    if root.is_dir() {
        return Ok(root);
    }
    // The lock is ours, so a building place that is there belongs to a build that was killed.
    let building = cache.join("building");
    discard(&building)?;
    source.debootstrap(&building)?;
    run(Command::new("chroot")
        .arg(&building)
        .args(["/bin/sh", "-euc", SETUP])
        .env("NOPASS_PASSWORD", NOPASS_PASSWORD)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))?;
    fs::rename(&building, &root).map_err(MachineError::io("move the new root file system into place"))?;
    Ok(root)
}

/// The public half of the host key that all machines have, without its comment.
pub(super) fn host_key(root: &Path) -> Result<String, MachineError> {
    let file = root.join("etc/ssh/ssh_host_ed25519_key.pub");
    let key = fs::read_to_string(&file).map_err(MachineError::io(format!("read {}", file.display())))?;
    Ok(key.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

fn discard(directory: &Path) -> Result<(), MachineError> {
    if !directory.exists() {
        return Ok(());
    }
    unmount_below(directory);
    fs::remove_dir_all(directory).map_err(MachineError::io(format!("remove {}", directory.display())))
}

/// Where Debian comes from: the mirror and release that this machine itself installs from.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    suite: String,
    mirror: String,
}

impl Source {
    fn of_this_machine() -> Result<Self, MachineError> {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let codename = release
            .lines()
            .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
            .unwrap_or("stable")
            .trim_matches('"');
        let targets = output(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(SITE) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
        ]))?;
        Self::choose(&targets, codename).ok_or_else(|| MachineError::NoSource(codename.to_owned()))
    }

    /// The first line `SITE RELEASE COMPONENT` of `targets` for the release itself, by codename or as `stable`.
    fn choose(targets: &str, codename: &str) -> Option<Self> {
        [codename, "stable", "oldstable", "testing", "unstable"].iter().find_map(|suite| {
            targets.lines().find_map(|line| {
                let mut words = line.split_whitespace();
                let mirror = words.next()?;
                let fits = words.next()? == *suite && words.next()? == "main";
                fits.then(|| Self { suite: (*suite).to_owned(), mirror: mirror.to_owned() })
            })
        })
    }

    fn debootstrap(&self, directory: &Path) -> Result<(), MachineError> {
        run(Command::new("debootstrap")
            .args(["--variant=minbase", &format!("--include={PACKAGES}"), &self.suite])
            .arg(directory)
            .arg(&self.mirror))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_itself_is_chosen_among_its_updates_and_other_vendors() {
        let targets = "https://vendor.example/node nodistro main\n\
            http://mirror.example/debian bookworm-updates main\n\
            http://mirror.example/debian bookworm contrib\n\
            http://mirror.example/debian bookworm main\n";
        let source = Source::choose(targets, "bookworm").unwrap();
        let expected = Source { suite: "bookworm".into(), mirror: "http://mirror.example/debian".into() };
        assert_eq!(source, expected);
        assert_eq!(Source::choose(targets, "trixie"), None);
    }
}
