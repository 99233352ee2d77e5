//! A service on a fleet of machines, looked at from outside: by what Andon says, by systemd, by processes, by HTTP.

use std::fs;

use andon_testbed::{Fleet, Machine};
use serde_json::Value;

use crate::page::{self, Page};
use crate::project::{Project, text};

/// A service whose pages are files beside it.
const PROGRAM: &str = include_str!("www.py");

/// How it is started, for one port.
pub(crate) const EXEC: &str = "/usr/bin/python3 {release}/www.py {port}";

/// A rollout that watches for moments only, so that a test waits for little.
pub(crate) const BRISK: &str =
    r#"bake = "0s", min_healthy_time = "500ms", healthy_deadline = "60s", reconnect_window = "60s""#;

/// Health that is asked often.
pub(crate) const INTERVAL: &str = r#"interval = "200ms", in_a_row = 2"#;

/// Machines, and the project of a person who deploys the service `www` to them.
pub(crate) struct Site {
    pub(crate) fleet: Fleet,
    pub(crate) project: Project,
}

impl Site {
    /// Boots `count` machines: `web1`, `web2`, …
    pub(crate) fn boot(count: usize) -> Self {
        let fleet = Fleet::boot(count).unwrap();
        let project = Project::new().with_ssh(fleet.ssh_config());
        Self { fleet, project }
    }

    pub(crate) fn machine(&self, host: &str) -> &Machine {
        self.fleet.machine(host).unwrap()
    }

    /// The names of all machines.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.fleet.machines().iter().map(Machine::name).collect()
    }

    /// The expression of a group of all machines, on which Andon logs in as `user` and becomes root.
    pub(crate) fn group(&self, user: &str) -> String {
        let names: Vec<String> = self.names().iter().map(|name| format!("\"{name}\"")).collect();
        format!("group(\"web\", [{}], user = \"{user}\", sudo = True)", names.join(", "))
    }

    /// Makes the release `dist/`: the program, what it shows as its first page, that it is well, and further pages.
    pub(crate) fn write_release(&self, mark: &str, pages: &[(&str, &str)]) {
        let _ = fs::remove_dir_all(self.project.path().join("dist"));
        self.project.write("dist/www.py", PROGRAM);
        for (page, text) in [("mark", mark), ("health", "well")].iter().chain(pages) {
            self.project.write(&format!("dist/{page}"), text);
        }
    }

    /// Deploys, which must go well, and returns the release.
    pub(crate) fn deploy(&self) -> String {
        self.project.well(&["deploy", "www"]);
        text(&self.newest(), "release").to_owned()
    }

    /// The newest deployment, as `show` tells it.
    pub(crate) fn newest(&self) -> Value {
        self.project.json(&["show"])
    }

    /// What `status` says of every host.
    pub(crate) fn status(&self) -> Vec<Value> {
        let mut status = self.project.json(&["status", "www"]);
        let Value::Array(hosts) = status[0]["hosts"].take() else { panic!("no hosts in {status:#}") };
        hosts
    }

    /// What a page of the service looks like on a host.
    pub(crate) fn get(&self, host: &str, port: u16, path: &str) -> Option<Page> {
        page::get(self.machine(host).address(), port, path)
    }

    /// What systemd says of a unit: one property.
    pub(crate) fn unit(&self, host: &str, unit: &str, property: &str) -> String {
        self.machine(host).output(&format!("systemctl show --property {property} --value {unit}")).unwrap()
    }

    /// The main process of each unit that is active, and the release that its own environment names.
    pub(crate) fn processes(&self, host: &str, units: &[&str]) -> Vec<(u32, String)> {
        let script = format!(
            "for unit in {}; do systemctl is-active --quiet $unit || continue; \
             pid=$(systemctl show --property MainPID --value $unit); \
             echo $pid $(tr '\\0' '\\n' < /proc/$pid/environ | sed -n s/^ANDON_RELEASE=//p); done",
            units.join(" ")
        );
        let lines = self.machine(host).output(&script).unwrap();
        let process = |line: &str| {
            let (pid, release) = line.split_once(' ').unwrap_or((line, ""));
            (pid.parse().unwrap(), release.to_owned())
        };
        lines.lines().map(process).collect()
    }

    /// The releases that active units run, one entry for each.
    pub(crate) fn running(&self, host: &str, units: &[&str]) -> Vec<String> {
        self.processes(host, units).into_iter().map(|(_, release)| release).collect()
    }

    /// The releases on a host's disk, sorted.
    pub(crate) fn releases(&self, host: &str) -> Vec<String> {
        let list = self.machine(host).output("ls /srv/www/releases").unwrap();
        list.lines().map(str::to_owned).collect()
    }

    /// Insists that `units` run `release` on `hosts`, and that Andon says so: by what the processes are, on both sides.
    #[track_caller]
    pub(crate) fn run(&self, hosts: &[&str], units: &[&str], release: &str) {
        for host in hosts {
            assert_eq!(self.running(host, units), vec![release; units.len()], "{host}");
        }
        let status = self.status();
        for host in hosts {
            let said = said_of(&status, host);
            let instances = said["facts"]["instances"].as_array().unwrap();
            assert_eq!(instances.len(), units.len(), "{said:#}");
            assert!(instances.iter().all(|instance| instance["release"] == release), "{said:#}");
            assert_eq!(said["facts"]["current"], release, "{said:#}");
            assert_eq!(said["serves"], true, "{said:#}");
        }
    }
}

/// The part of a status that is about one host.
pub(crate) fn said_of<'a>(status: &'a [Value], host: &str) -> &'a Value {
    status.iter().find(|it| it["host"] == host).unwrap_or_else(|| panic!("no {host} in {status:#?}"))
}
