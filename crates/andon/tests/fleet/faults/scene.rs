//! Where faults happen: machines, one of them with HAProxy, a service under systemd, and the project of its person.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use andon_load::{Load, Mix};
use andon_testbed::deadline::wait_until;
use andon_testbed::{Fleet, Machine};
use serde_json::Value;

use crate::project::{Project, text};

/// A service that answers the load.
const SHOP: &str = include_str!("shop.py");

/// Waits on hosts where somebody has closed the gate until it is open again.
const GATE: &str = r#"#!/bin/sh
[ -e "$ANDON_ROOT/gate" ] || exit 0
touch "$ANDON_ROOT/waiting"
while [ -e "$ANDON_ROOT/gate" ]; do sleep 0.1; done
"#;

/// Makes the release large enough for its way to a host to be a moment of its own, in bytes.
const ASSETS: usize = 12 << 20;

/// Where users reach HAProxy; nginx has port 80.
const USERS: u16 = 8000;

/// The unit of the service on every host.
pub(super) const UNIT: &str = "www@8080.service";
/// The host that faults strike, in the second wave.
pub(super) const VICTIM: &str = "web2";

/// The requests of users: no uploads, which nobody may send twice, and so nobody can save.
pub(super) fn mix() -> Mix {
    Mix { rate: 60, slow_for: Duration::from_secs(2), uploads: 0, ..Mix::default() }
}

/// How long anything may take, on a machine that does much else.
pub(super) const LIMIT: Duration = Duration::from_secs(240);

pub(super) struct Scene {
    pub(super) fleet: Fleet,
    pub(super) project: Project,
    /// The sums of all files of each release that was ever made.
    pub(super) sums: RefCell<BTreeSet<String>>,
}

impl Scene {
    /// Boots so many machines, the last of which is `lb`, and deploys a first release.
    pub(super) fn boot(machines: usize) -> Self {
        let mut names: Vec<String> = (1..machines).map(|number| format!("web{number}")).collect();
        names.push("lb".to_owned());
        let fleet = Fleet::boot_named(&names).unwrap();
        let project = Project::new().with_ssh(fleet.ssh_config());
        let scene = Self { fleet, project, sums: RefCell::default() };
        scene.start_haproxy();
        scene.project.write("gate.sh", GATE);
        scene.write_release("the first");
        scene.write_line("60s");
        scene.project.well(&["deploy", "www"]);
        scene
    }

    pub(super) fn balancer(&self) -> &Machine {
        self.fleet.machine("lb").unwrap()
    }

    pub(super) fn victim(&self) -> &Machine {
        self.fleet.machine(VICTIM).unwrap()
    }

    /// The machines of the service.
    pub(super) fn hosts(&self) -> &[Machine] {
        let machines = self.fleet.machines();
        &machines[..machines.len() - 1]
    }

    fn start_haproxy(&self) {
        let servers = self
            .hosts()
            .iter()
            .map(|host| format!("    server {} {}:8080\n", host.name(), Machine::address(host)));
        let config = format!(
            "global\n    stats socket /run/haproxy/admin.sock user haproxy group haproxy mode 660 level admin\n    \
             maxconn 4000\n\ndefaults\n    mode http\n    timeout connect 2s\n    timeout client 60s\n    \
             timeout server 60s\n    timeout queue 10s\n\n\
             frontend users\n    bind :{USERS}\n    default_backend www\n\n\
             backend www\n    balance roundrobin\n    option httpchk GET /healthz\n    timeout check 2s\n    \
             retries 3\n    option redispatch 1\n    retry-on all-retryable-errors\n    \
             http-request disable-l7-retry unless METH_GET\n    \
             default-server check inter 1s fall 2 rise 1 on-marked-down shutdown-sessions\n{}",
            servers.collect::<String>(),
        );
        fs::write(self.balancer().inside("/etc/haproxy/haproxy.cfg").unwrap(), config).unwrap();
        self.balancer().output("systemctl enable --now haproxy").unwrap();
    }

    /// Writes the line, in which a lost host is called again for so long.
    pub(super) fn write_line(&self, window: &str) {
        let names: Vec<String> = self.hosts().iter().map(|host| format!("\"{}\"", host.name())).collect();
        self.project.write(
            "line.star",
            &format!(
                r#"service("www",
    hosts = group("web", [{names}], user = "deploy", sudo = True),
    release = directory("dist"),
    run = systemd(exec = "/usr/bin/python3 {{release}}/shop.py {{port}}", ports = [8080], user = "deploy",
                  stop_timeout = "3s"),
    balancer = haproxy(host("lb", user = "deploy", sudo = True)),
    health = health(http("/healthz"), interval = "200ms", in_a_row = 2),
    tests = [http("/", contains = "The shop", name = "the shop greets"), script("gate.sh", timeout = "120s")],
    watch = [],
    rollout = rollout(waves = [1, "100%"], max_parallel = "50%", min_available = "50%", bake = "0s",
                      min_healthy_time = "500ms", healthy_deadline = "60s", drain_timeout = "10s",
                      reconnect_window = "{window}"))
"#,
                names = names.join(", "),
            ),
        );
    }

    /// Makes the release `dist/`: what it shows on its first page, and whether it can start at all.
    pub(super) fn write_release(&self, mark: &str) {
        let dist = self.project.path().join("dist");
        let _ = fs::remove_dir_all(&dist);
        self.project.write("dist/shop.py", SHOP);
        self.project.write("dist/mark", mark);
        let mut state = 88172645463325252_u64;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        let noise: Vec<u8> = noise.take(ASSETS / 8).flatten().collect();
        fs::write(dist.join("assets"), noise).unwrap();
        self.note_sums(&dist);
    }

    /// The same release, and it ends as soon as it is started.
    pub(super) fn spoil_release(&self) {
        self.project.write("dist/crash", "");
        self.note_sums(&self.project.path().join("dist"));
    }

    fn note_sums(&self, dist: &Path) {
        let sum = std::process::Command::new("sh").args(["-c", SUM]).arg("sh").arg(dist).output().unwrap();
        self.sums.borrow_mut().insert(String::from_utf8(sum.stdout).unwrap().trim().to_owned());
    }

    /// Load that has become steady.
    pub(super) fn steady_load(&self) -> Load {
        let mix = mix();
        let enough = u64::from(mix.rate) * 3;
        let load = Load::start(SocketAddr::from((self.balancer().address(), USERS)), mix).unwrap();
        go_on(&load, enough);
        let lap = load.lap();
        assert_eq!(lap.failed, 0, "before anything happened: {lap}");
        load
    }

    /// The number of the newest deployment.
    pub(super) fn recorded(&self) -> u64 {
        self.project.json(&["show"])["deployment"].as_u64().unwrap()
    }

    /// How HAProxy sees each host: `web1 UP`, `web2 MAINT`.
    pub(super) fn seen_by_haproxy(&self) -> Vec<(String, String)> {
        let stat = r#"python3 -c '
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/run/haproxy/admin.sock")
s.sendall(b"show stat\n")
print(b"".join(iter(lambda: s.recv(65536), b"")).decode())'"#;
        let Ok(table) = self.balancer().output(stat) else { return Vec::new() };
        let rows = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let servers = rows.filter(|row| row.len() > 17 && row[0] == "www" && row[1].starts_with("web"));
        servers.map(|row| (row[1].to_owned(), row[17].to_owned())).collect()
    }

    /// Hosts that the scope holds out of its balancers, by the ledger.
    pub(super) fn held(&self) -> Vec<String> {
        let status = self.project.json(&["status"]);
        let held = status.as_array().and_then(|scopes| scopes.first()).map(|scope| &scope["held"]);
        held.and_then(Value::as_object).map(|held| held.keys().cloned().collect()).unwrap_or_default()
    }

    /// Everything is as before any fault: all machines are up, all hosts serve one good release, nobody is held out.
    pub(super) fn insist_on_calm(&self) {
        let calm = || {
            let seen = self.seen_by_haproxy();
            seen.len() == self.hosts().len() && seen.iter().all(|(_, status)| status == "UP")
        };
        assert!(wait_until(LIMIT, calm), "not all hosts serve: {:?}", self.seen_by_haproxy());
        let status = self.project.well(&["status", "www"]);
        assert!(!status.out.contains("not what should run"), "{}", status.out);
        assert_eq!(self.held(), Vec::<String>::new());
        self.project.well(&["line"]);
    }

    /// What a person does after a fault: the machines are mended, the line is started, and a good release goes everywhere.
    pub(super) fn mend(&self) {
        for machine in self.fleet.machines() {
            if !machine.is_running() {
                machine.power_on().unwrap();
            }
            machine.restore_network().unwrap();
        }
        let victim = self.victim();
        victim.output(&format!(
            "systemctl unmask {UNIT}; rm -f /run/stubborn /srv/www/gate /srv/www/waiting /srv/.andon-filler; \
             echo 'deploy ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/deploy; systemctl reset-failed; true"
        ))
        .unwrap();
        self.balancer().output("systemctl start haproxy").unwrap();
        self.write_line("60s");
        let number = self.recorded();
        let shown = self.project.show(number);
        if shown["ended"].is_null() {
            self.project.run(&["abort", &number.to_string()]);
            self.project.until_shown(number, "it has ended", |shown| !shown["ended"].is_null());
        }
        if self.project.run(&["line"]).code != Some(0) {
            self.project.well(&["line", "start", "the fault is over"]);
        }
        let runs = shown["host_runs"].as_array().cloned().unwrap_or_default();
        let whole = runs.iter().all(|run| matches!(text(run, "state"), "succeeded" | "skipped"));
        if text(&shown, "state") != "rolled_back" && !whole || !self.held().is_empty() {
            self.write_release(&format!("mended after {number}"));
            self.project.well(&["deploy", "www"]);
        }
    }
}

/// Sums up all files below `$1`.
pub(super) const SUM: &str =
    r#"cd "$1" && find . -type f -not -name '*.pyc' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum"#;

/// Waits for so many more requests.
pub(super) fn go_on(load: &Load, requests: u64) {
    let before = load.so_far().requests;
    assert!(wait_until(LIMIT, || load.so_far().requests >= before + requests), "{}", load.so_far());
}
