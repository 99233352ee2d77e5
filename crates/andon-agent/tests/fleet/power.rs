//! The power of a host cut at each thing that its agent makes durable: a file system of its own is shut down without
//! flushing at that moment, mounted again under another boot id, and the host is asked what it knows.
//!
//! It needs root, for the mounts and namespaces; no machine is booted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use andon_testbed::deadline::wait_until;
use andon_testbed::{Deed, Tripwire, Wire, require};

use crate::LONG;
use crate::driver::{PROGRAM, Session};
use crate::service::Site;
use crate::upset::{Passage, alike, plain_site};

/// What makes something durable, or gives it its name.
const KINDS: &[&str] = &["sync", "rename", "link"];

/// Hosts on which moments are tried at the same time.
const HOSTS: usize = 3;

/// A host in namespaces of its own: its disk is mounted nowhere else, its boot id is new, and with the first process
/// all others end. That process is the shell: the first one of a namespace cannot kill itself.
const BOOT: &str = "mount -o loop \"$DISK\" \"$MOUNT\" && cat /proc/sys/kernel/random/uuid > \"$DISK.boot\" \
    && mount --bind \"$DISK.boot\" /proc/sys/kernel/random/boot_id && \"$AGENT\" stdio; exit";

/// The disk of a host, and where it is mounted while the host runs.
struct Host {
    site: Site,
    disk: PathBuf,
    mount: PathBuf,
}

impl Host {
    /// A host that runs a first release.
    fn new() -> Self {
        let site = plain_site();
        let (disk, mount) = (site.dir.path().join("disk"), site.dir.path().join("srv"));
        std::fs::create_dir(&mount).unwrap();
        done(Command::new("truncate").args(["-s", "24M"]).arg(&disk));
        done(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk));
        let host = Self { site, disk, mount };
        let mut first = Passage::of(&host.site, "first");
        let mut session = host.boot(&host.disk, None);
        first.give(&mut session);
        assert!(first.is_over());
        drop(session);
        host.until_off(&host.disk);
        host
    }

    fn boot(&self, disk: &Path, wire: Option<&Wire>) -> Session {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", BOOT])
            .envs([("DISK", disk), ("MOUNT", &self.mount), ("AGENT", Path::new(PROGRAM))]);
        if let Some(wire) = wire {
            wire.arm(&mut command);
        }
        Session::by(&mut command).greeted()
    }

    /// Waits until nothing has the disk mounted any more.
    fn until_off(&self, disk: &Path) {
        let attached = || {
            let listed = Command::new("losetup").arg("-j").arg(disk).output().unwrap();
            listed.stdout.is_empty()
        };
        assert!(wait_until(LONG, attached), "{} stays mounted", disk.display());
    }

    /// The root of the service as it is seen from here, while the host of this session runs.
    fn root(&self, session: &Session) -> PathBuf {
        let below = self.site.placement.root.strip_prefix("/").unwrap();
        Path::new("/proc").join(session.child.id().to_string()).join("root").join(below)
    }

    /// Cuts the power at an event on the way of another release. Whether it came to that.
    fn cut(&self, tripwire: &Tripwire, turn: usize, at: Option<&(String, u64)>) -> (bool, Vec<String>) {
        let disk = self.site.dir.path().join(format!("disk-{turn}"));
        std::fs::copy(&self.disk, &disk).unwrap();
        let book = self.site.dir.path().join(format!("book-{turn}"));
        let mut wire = tripwire.wire(&book, &self.site.placement.root, KINDS);
        let mut what = "the power cut at the end".to_owned();
        if let Some((only, number)) = at {
            wire = wire.at(only, *number, Deed::CutPower(self.mount.clone()));
            what = format!("the power cut before {only}, number {number}");
        }
        let mut passage = Passage::of(&self.site, &format!("version-{turn}"));
        let mut session = self.boot(&disk, Some(&wire));
        let boot = session.probe(&self.site.placement, &[]).boot_id;
        passage.give(&mut session);
        drop(session);
        self.until_off(&disk);
        let mut session = self.boot(&disk, None);
        let root = self.root(&session);
        let facts = passage.check(&mut session, &root, &what);
        assert_ne!(facts.boot_id, boot, "{what}: it was started again");
        passage.finish(&self.site, &mut session, &root, true, &what);
        drop(session);
        self.until_off(&disk);
        std::fs::remove_file(&disk).unwrap();
        (wire.has_tripped(), wire.events())
    }
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "fleet: needs root; run by `cargo xtask test`"]
fn what_a_host_acknowledged_outlives_a_power_cut_at_any_write() {
    require(&["mkfs.ext4", "losetup", "unshare", "mount"]).unwrap();
    let tripwire = Tripwire::compile().unwrap();
    let next = AtomicUsize::new(0);
    let cut_some = || {
        let host = Host::new();
        let (_, events) = host.cut(&tripwire, 0, None);
        let events = alike(&events, &host.site.placement.root);
        assert!(events.len() > 40, "only {events:?} were seen: the story is too short to mean anything");
        let mut missed = Vec::new();
        loop {
            let turn = next.fetch_add(1, Ordering::SeqCst);
            let Some(event) = events.get(turn) else { return missed };
            if !host.cut(&tripwire, turn + 1, Some(event)).0 {
                missed.push(event.clone());
            }
        }
    };
    let missed: Vec<_> = std::thread::scope(|scope| {
        let hosts: Vec<_> = (0..HOSTS).map(|_| scope.spawn(cut_some)).collect();
        hosts.into_iter().flat_map(|host| host.join().unwrap()).collect()
    });
    assert!(missed.is_empty(), "the power was not cut at {missed:#?}");
}
