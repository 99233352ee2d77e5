//! A service made of shell scripts, on a host that is a temporary directory.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_agent::run::process::ProcessId;
use andon_agent::run::{self, SelfExe};
use andon_core::host::{InstanceFacts, Placement};
use andon_core::line::{Health, Instance, Probe, Run, Supervision, Template};
use andon_core::name::{HostName, ServiceName};
use andon_core::release::ReleaseId;
use andon_testbed::deadline::wait_until;
use tempfile::TempDir;

/// Long enough for any machine; nothing that works waits for it.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A service whose releases are one script each, `serve`.
pub(crate) struct Bench {
    pub(crate) placement: Placement,
    directory: TempDir,
}

impl Bench {
    /// `ports` instances, or one called `main` for none. Each runs `/bin/sh serve PORT`.
    pub(crate) fn new(ports: usize) -> Self {
        Self::with_command(ports, &["/bin/sh", "{release}/serve", "{port}"])
    }

    pub(crate) fn with_command(ports: usize, command: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // All are bound before any is let go, so that they differ.
        let listeners: Vec<_> = (0..ports).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let run = Run {
            by: Supervision::Own {
                command: command.iter().map(|word| Template::new(*word).unwrap()).collect(),
            },
            ports: listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect(),
            environment: BTreeMap::new(),
            stop_timeout: Duration::from_secs(10),
        };
        let placement = Placement {
            service: ServiceName::new("www").unwrap(),
            host: HostName::new("web1").unwrap(),
            root: fs::canonicalize(directory.path()).unwrap(),
            instances: run.instances(0),
            run,
            health: None,
            tests: Vec::new(),
        };
        Self { placement, directory }
    }

    /// Puts a release in place whose script is `serve`, and points `current` at it.
    pub(crate) fn release(&self, number: u64, serve: &str) -> ReleaseId {
        let id: ReleaseId = format!("r-{number:012x}").parse().unwrap();
        let place = self.root().join("releases").join(id.as_str());
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("serve"), serve).unwrap();
        let current = self.root().join("current");
        let _ = fs::remove_file(&current);
        symlink(place, current).unwrap();
        id
    }

    pub(crate) fn root(&self) -> &Path {
        &self.placement.root
    }

    /// A file that scripts may write, as `{root}/NAME`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Restarts all instances and answers what was logged.
    pub(crate) fn restart(&self, release: &ReleaseId) -> String {
        self.try_restart(release).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn try_restart(&self, release: &ReleaseId) -> Result<String, run::RunError> {
        let exe = SelfExe { program: env!("CARGO_BIN_EXE_andon-agent").into(), prefix: Vec::new() };
        let mut log = Vec::new();
        run::restart(&self.placement, release, &exe, &mut log)?;
        Ok(String::from_utf8(log).unwrap())
    }

    pub(crate) fn stop(&self) {
        run::stop(&self.placement, &mut Vec::new()).unwrap_or_else(|error| panic!("{error}"));
    }

    /// What is known of the only instance.
    pub(crate) fn facts(&self) -> InstanceFacts {
        run::instances(&self.placement).remove(0)
    }

    pub(crate) fn instance(&self) -> &Instance {
        &self.placement.instances[0]
    }

    /// A file that the supervisor of the first instance keeps.
    pub(crate) fn kept(&self, name: &str) -> PathBuf {
        self.root().join(".andon/run").join(self.instance().name.as_str()).join(name)
    }

    /// The process that the supervisor named, `supervisor` or `child`.
    pub(crate) fn process(&self, which: &str) -> ProcessId {
        let status: serde_json::Value =
            serde_json::from_slice(&fs::read(self.kept("status.json")).unwrap()).unwrap();
        serde_json::from_value(status[which].clone()).unwrap_or_else(|_| panic!("no {which} in {status}"))
    }

    /// The processes whose numbers a script has written to `name`, one per line, once there are `count`.
    pub(crate) fn written_processes(&self, name: &str, count: usize) -> Vec<ProcessId> {
        let read = || -> Vec<ProcessId> {
            let text = fs::read_to_string(self.file(name)).unwrap_or_default();
            text.lines().filter_map(|line| ProcessId::of(line.parse().ok()?)).collect()
        };
        wait_for("the script to write its processes", || read().len() == count);
        read()
    }

    /// The instance asks `probe` for its health, fast.
    pub(crate) fn health(&mut self, probe: Probe) {
        self.placement.health = Some(Health {
            probe,
            interval: Duration::from_millis(20),
            timeout: Duration::from_secs(30),
            in_a_row: 3,
        });
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = run::stop(&self.placement, &mut Vec::new());
    }
}

/// A script probe that passes while the file at `path` exists.
pub(crate) fn exists(path: &Path) -> Probe {
    Probe::Script {
        name: "exists.sh".to_owned(),
        content: "#!/bin/sh\ntest -e \"$1\"\n".to_owned(),
        args: vec![path.display().to_string()],
        secrets: std::collections::BTreeMap::new(),
    }
}

/// An HTTP probe of `path` that expects a success.
pub(crate) fn http(path: &str) -> Probe {
    Probe::Http { path: path.to_owned(), status: None, contains: None, host_header: None, port: None }
}

pub(crate) fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    assert!(wait_until(LONG, condition), "waited in vain for {what}");
}
