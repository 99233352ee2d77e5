//! What is seen of units of the real systemd, and of a real kill for want of memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use andon_agent::run::{self, SelfExe};
use andon_agent::vitals::Looks;
use andon_core::line::{Supervision, SystemdUnit, Template};
use andon_core::vitals::{Exit, HostVitals, InstanceChange, InstanceVitals, VitalsMeter};
use andon_testbed::deadline::wait_until;

use super::{COMMAND, LONG, Site};

/// See [`super::SCENES`].
pub(crate) const SCENES: &[(&str, fn())] = named![
    a_unit_says_what_it_has,
    crashes_of_units_are_counted_with_their_exit_codes,
    a_kill_for_want_of_memory_is_told_where_systemd_hears_of_it,
    the_journal_of_each_instance_is_counted_by_itself,
    a_unit_that_floods_the_journal_is_said_to_have_gaps,
];

struct Watcher<'a> {
    site: &'a Site,
    looks: Looks,
    meter: VitalsMeter,
}

impl<'a> Watcher<'a> {
    /// The first look is taken here.
    fn of(site: &'a Site) -> Self {
        let mut watcher = Self { site, looks: Looks::default(), meter: VitalsMeter::default() };
        watcher.changes();
        watcher
    }

    fn host(&self) -> HostVitals {
        self.looks.look(&self.site.placement).unwrap()
    }

    fn look(&self) -> InstanceVitals {
        self.host().instances.into_values().next().unwrap()
    }

    fn changes(&mut self) -> Vec<InstanceChange> {
        let look = self.host();
        self.meter.read(&look).instances.into_values().collect()
    }

    fn change(&mut self) -> InstanceChange {
        self.changes().remove(0)
    }
}

fn with_extra(service: &str, extra: &[&str]) -> Site {
    let mut site = Site::new(service, &[], COMMAND);
    if let Supervision::Systemd(SystemdUnit::Written { extra: lines, .. }) = &mut site.placement.run.by {
        *lines = extra.iter().map(|line| (*line).to_owned()).collect();
    }
    site
}

fn touch(path: &str) {
    fs::write(path, "").unwrap();
}

fn a_unit_says_what_it_has() {
    let site = with_extra("resting", &["LimitNOFILE=2048", "MemoryMax=512M"]);
    site.restart(&site.release(1, "sleep 1000 & sleep 1000 & exec sleep 1000\n")).unwrap();
    let watcher = Watcher::of(&site);
    assert!(wait_until(LONG, || watcher.look().processes == 3), "{:?}", watcher.look());
    let host = watcher.host();
    let vitals = watcher.look();
    assert!(vitals.running && vitals.main.is_some());
    assert_eq!((vitals.threads, vitals.last_exit), (3, None));
    assert_eq!(vitals.files.unwrap().limit, Some(2048));
    assert_eq!(vitals.memory_limit.map(|limit| limit.0), Some(512 << 20));
    assert!(vitals.rss.0 > 3 * 64 * 1024);
    assert!(vitals.cpu_us.is_some());
    assert_eq!((vitals.restarts.unwrap().value, vitals.ends.unwrap().value), (0, 0));
    assert_eq!(vitals.log.unwrap().errors, 0);
    assert!(host.disk.is_some() && host.memory.is_some() && host.oom_kills.is_some());
    run::stop(&site.placement, &mut Vec::new()).unwrap();
    let stopped = watcher.look();
    assert!(!stopped.running && stopped.main.is_none() && stopped.processes == 0, "{stopped:?}");
}

fn crashes_of_units_are_counted_with_their_exit_codes() {
    let site = Site::new("ending", &[], COMMAND);
    let script = "while ! test -e /srv/ending/die; do sleep 0.05; done\nrm /srv/ending/die\nexit 7\n";
    site.restart(&site.release(1, script)).unwrap();
    let mut watcher = Watcher::of(&site);
    let (mut ends, mut restarts, mut exits, mut anew) = (0, 0, Vec::new(), 0);
    for wanted in [1, 2] {
        touch("/srv/ending/die");
        assert!(wait_until(LONG, || {
            let change = watcher.change();
            ends += change.ends;
            restarts += change.restarts;
            exits.extend(change.exit);
            anew += u64::from(change.started_anew);
            (ends, restarts, anew) == (wanted, wanted, wanted)
        }));
    }
    assert_eq!(exits, [Exit::Code(7), Exit::Code(7)]);
    // A restart by hand is none of these.
    site.restart(&site.release(2, "exec sleep 1000\n")).unwrap();
    let change = watcher.change();
    assert!(change.started_anew && change.ends == 0 && change.restarts == 0, "{change:?}");
}

fn a_kill_for_want_of_memory_is_told_where_systemd_hears_of_it() {
    let site = with_extra("hungry", &["MemoryMax=64M", "MemorySwapMax=0", "OOMPolicy=stop"]);
    let script = "while ! test -e /srv/hungry/go; do sleep 0.05; done\nrm /srv/hungry/go\n\
        exec python3 -c 'x = []\nwhile len(x) < 512: x.append(bytearray(1 << 20))\nimport os; os.kill(os.getpid(), 9)'\n";
    site.restart(&site.release(1, script)).unwrap();
    let mut watcher = Watcher::of(&site);
    let told = watcher.look().oom_kills;
    touch("/srv/hungry/go");
    let (mut kills, mut exit) = (0, None);
    let killed = wait_until(LONG, || {
        let change = watcher.change();
        kills += change.oom_kills.unwrap_or(0);
        exit = exit.or(change.exit);
        exit.is_some() && change.restarts > 0
    });
    assert!(killed, "it was not killed: {:?}", watcher.look());
    assert_eq!(exit, Some(Exit::Signal(9)));
    // With cgroups of version 1, the machine's systemd hears nothing, and the program has killed itself: then nobody
    // may say that there was no such kill.
    assert_eq!(
        told.is_some(),
        fs::exists("/sys/fs/cgroup/system.slice/hungry.service/memory.events").unwrap()
    );
    assert_eq!(kills, u64::from(told.is_some()));
}

fn the_journal_of_each_instance_is_counted_by_itself() {
    let site = Site::new("talking", &[8100, 8101], COMMAND);
    let script = "echo 'ERROR from before anybody looked'\n\
        while ! test -e /srv/talking/go.$1; do sleep 0.05; done\n\
        for order in 1 2 3; do echo \"ERROR order $order failed on purpose\"; echo done; done\n\
        echo '<3>no disk'\necho done\n\
        python3 /srv/talking/broken.py\nexec sleep 1000\n";
    fs::create_dir_all("/srv/talking").unwrap();
    fs::write("/srv/talking/broken.py", "def charge(order):\n    return order['card']\ncharge({})\n")
        .unwrap();
    site.restart(&site.release(1, script)).unwrap();
    let has_begun = |port: &str| {
        let unit = format!("--unit=talking@{port}.service");
        let said = Command::new("journalctl").args(["--quiet", "--output=cat", &unit]).output().unwrap();
        String::from_utf8_lossy(&said.stdout).contains("from before")
    };
    assert!(wait_until(LONG, || has_begun("8100") && has_begun("8101")));
    let mut watcher = Watcher::of(&site);
    touch("/srv/talking/go.8100");
    let (mut errors, mut new) = ([0, 0], Vec::new());
    assert!(wait_until(LONG, || {
        for (index, change) in watcher.changes().into_iter().enumerate() {
            let found = change.errors.unwrap();
            errors[index] += found.errors;
            new.extend(found.new.into_values().map(|seen| seen.sample));
        }
        errors[0] >= 5
    }));
    new.sort();
    new.dedup();
    let wanted = ["ERROR order 1 failed on purpose", "KeyError: 'card'", "no disk"];
    let found: Vec<&str> = new.iter().map(String::as_str).filter(|it| !it.contains("from before")).collect();
    assert_eq!(found, wanted);
    assert_eq!(errors, [5, 0]);
}

fn a_unit_that_floods_the_journal_is_said_to_have_gaps() {
    let site = with_extra("flooding", &["LogRateLimitIntervalSec=0"]);
    let script = "while ! test -e /srv/flooding/go; do sleep 0.05; done\n\
        yes 'INFO far too much' | head -n 20000\necho FATAL end\n\
        while ! test -e /srv/flooding/on; do sleep 0.05; done\necho FATAL after it\nexec sleep 1000\n";
    site.restart(&site.release(1, script)).unwrap();
    let watcher = Watcher::of(&site);
    touch("/srv/flooding/go");
    assert!(wait_until(LONG, || watcher.look().log.is_some_and(|log| log.gaps > 0)), "{:?}", watcher.look());
    // The reading goes on behind the flood.
    let mut before = u64::MAX;
    assert!(wait_until(LONG, || {
        let lines = watcher.look().log.unwrap().lines;
        let silent = lines == before;
        before = lines;
        silent
    }));
    touch("/srv/flooding/on");
    let seen = || {
        watcher.look().log.unwrap().by_fingerprint.into_values().any(|seen| seen.sample == "FATAL after it")
    };
    assert!(wait_until(LONG, seen), "{:?}", watcher.look());
}

/// A group of processes that may have little memory. Removed in the end.
struct Tight(PathBuf);

impl Tight {
    fn new() -> Self {
        let name = format!("andon-tight-{}", std::process::id());
        let (root, limit) = if fs::exists("/sys/fs/cgroup/cgroup.controllers").unwrap() {
            ("/sys/fs/cgroup", "memory.max")
        } else {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        };
        let group = Self(Path::new(root).join(name));
        fs::create_dir(&group.0).unwrap();
        fs::write(group.0.join(limit), (48 << 20).to_string()).unwrap();
        // Where the kernel counts swap.
        let _ = fs::write(group.0.join("memory.swap.max"), "0");
        let _ = fs::write(group.0.join("memory.memsw.limit_in_bytes"), (48 << 20).to_string());
        group
    }
}

impl Drop for Tight {
    fn drop(&mut self) {
        wait_until(LONG, || fs::remove_dir(&self.0).is_ok() || !self.0.exists());
    }
}

#[test]
#[ignore = "fleet: needs root; run by `cargo xtask test`"]
fn a_kill_for_want_of_memory_is_counted_for_the_host_and_not_guessed_for_the_instance() {
    andon_testbed::require(&["python3"]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(directory.path()).unwrap();
    let mut site = Site::new("hungry", &[], COMMAND);
    site.placement.root = root.clone();
    site.placement.run.by =
        Supervision::Own { command: COMMAND.iter().map(|word| Template::new(*word).unwrap()).collect() };
    let go = root.join("go");
    let script = format!(
        "while ! test -e {0}; do sleep 0.05; done\nrm {0}\n\
         exec python3 -c 'x = []\nwhile len(x) < 512: x.append(bytearray(1 << 20))'\n",
        go.display()
    );
    let release = site.release(1, &script);
    let exe = SelfExe { program: env!("CARGO_BIN_EXE_andon-agent").into(), prefix: Vec::new() };
    run::restart(&site.placement, &release, &exe, &mut Vec::new()).unwrap();
    let (looks, mut meter) = (Looks::default(), VitalsMeter::default());
    let mut change = || meter.read(&looks.look(&site.placement).unwrap());
    change();
    let tight = Tight::new();
    let status = fs::read(root.join(".andon/run/main/status.json")).unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
    fs::write(tight.0.join("cgroup.procs"), status["child"]["pid"].to_string()).unwrap();
    fs::write(&go, "").unwrap();
    let (mut kills, mut exit) = (0, None);
    let killed = wait_until(LONG, || {
        let change = change();
        kills += change.oom_kills.unwrap();
        let instance = &change.instances[&site.placement.instances[0].name];
        assert_eq!(instance.oom_kills, None);
        exit = exit.or(instance.exit);
        exit.is_some()
    });
    assert!(killed, "it was not killed");
    assert_eq!(exit, Some(Exit::Signal(9)));
    // Others on this host may have been killed as well.
    assert!(kills >= 1);
}
