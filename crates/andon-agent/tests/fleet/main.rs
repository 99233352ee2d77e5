//! Supervision by the real systemd, on a real Debian machine. This program copies itself to the machine and plays its
//! scenes there, as root, one after another.
//!
//! It needs root and half a minute: it is part of the fleet set, which `cargo xtask test` runs.

// Clippy takes only the functions with `#[test]` for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use andon_agent::run::{self, RunError, SelfExe};
use andon_agent::verify::verify;
use andon_api::secret::Secrets;
use andon_core::host::{InstanceState, Outcome, Placement, TestMode};
use andon_core::line::{Health, Probe, Run, Supervision, SystemdUnit, Template};
use andon_core::name::{HostName, ServiceName};
use andon_core::release::ReleaseId;
use andon_testbed::deadline::wait_until;

const LONG: Duration = Duration::from_secs(60);

/// Names the scene to play, in the copy of this program that runs on the machine.
const SCENE: &str = "ANDON_SCENE";

/// Functions with their names.
macro_rules! named {
    ($($function:ident),* $(,)?) => { &[$((stringify!($function), $function)),*] };
}

#[path = "../agent/driver.rs"]
#[allow(dead_code, reason = "the tests of the agent use all of it")]
mod driver;
mod power;
#[path = "../agent/service.rs"]
#[allow(dead_code, reason = "the tests of the agent use all of it")]
mod service;
#[path = "../agent/upset.rs"]
#[allow(dead_code, reason = "the tests of the agent use all of it")]
mod upset;
mod vitals;

/// What happens on the machine. Never here: units are written and started.
const SCENES: &[(&str, fn())] = named![
    an_instance_per_port_runs_the_release_and_the_next_one,
    an_instance_that_is_gone_is_stopped_and_disabled,
    words_and_variables_arrive_as_they_were_written,
    a_crash_loop_is_seen_and_explained,
    a_program_that_does_not_exist_is_an_error_with_its_reason,
    a_unit_of_somebody_else_stays_as_it_is,
    an_existing_unit_is_restarted_and_its_release_is_known,
    a_process_that_ignores_term_is_killed_after_its_time,
];

fn scenes() -> impl Iterator<Item = &'static (&'static str, fn())> {
    SCENES.iter().chain(vitals::SCENES)
}

#[test]
#[ignore = "fleet: needs root; run by `cargo xtask test`"]
fn units_run_on_a_real_machine() {
    if let Ok(wanted) = std::env::var(SCENE) {
        let (_, play) = scenes().find(|(name, _)| *name == wanted).unwrap();
        return play();
    }
    let fleet = andon_testbed::Fleet::boot(1).unwrap();
    let ssh = |command: &str, input: Stdio| {
        let config = fleet.ssh_config();
        Command::new("ssh").arg("-F").arg(config).args(["web1", command]).stdin(input).output().unwrap()
    };
    let own = File::open(std::env::current_exe().unwrap()).unwrap();
    let sent = ssh("cat > /tmp/units && chmod +x /tmp/units", own.into());
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let played: Vec<(&str, Output)> = scenes()
        .map(|(name, _)| {
            let this = "/tmp/units --ignored --exact units_run_on_a_real_machine";
            (*name, ssh(&format!("sudo {SCENE}={name} {this} 2>&1"), Stdio::null()))
        })
        .collect();
    let failed: Vec<String> = played
        .iter()
        .map(|(name, output)| (name, output.status, String::from_utf8_lossy(&output.stdout)))
        .filter(|(_, status, said)| !status.success() || !said.contains("test result: ok. 1 passed"))
        .map(|(name, status, said)| format!("{name}: {status}\n{said}"))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A service of shell scripts below `/srv`.
struct Site {
    placement: Placement,
}

impl Site {
    fn new(service: &str, ports: &[u16], command: &[&str]) -> Self {
        let command = command.iter().map(|word| Template::new(*word).unwrap()).collect();
        Self::by(service, ports, SystemdUnit::Written { command, user: None, extra: Vec::new() })
    }

    fn by(service: &str, ports: &[u16], unit: SystemdUnit) -> Self {
        let run = Run {
            by: Supervision::Systemd(unit),
            ports: ports.to_vec(),
            environment: BTreeMap::new(),
            stop_timeout: Duration::from_secs(5),
        };
        let placement = Placement {
            service: ServiceName::new(service).unwrap(),
            host: HostName::new("web1").unwrap(),
            root: PathBuf::from("/srv").join(service),
            instances: run.instances(0),
            run,
            health: None,
            tests: Vec::new(),
        };
        Self { placement }
    }

    fn release(&self, number: u64, serve: &str) -> ReleaseId {
        let id: ReleaseId = format!("r-{number:012x}").parse().unwrap();
        let place = self.placement.root.join("releases").join(id.as_str());
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("serve"), serve).unwrap();
        let current = self.placement.root.join("current");
        let _ = fs::remove_file(&current);
        symlink(place, current).unwrap();
        id
    }

    fn restart(&self, release: &ReleaseId) -> Result<String, RunError> {
        let exe = SelfExe { program: "/bin/false".into(), prefix: Vec::new() };
        let mut log = Vec::new();
        run::restart(&self.placement, release, &exe, &mut log)?;
        Ok(String::from_utf8(log).unwrap())
    }

    fn states(&self) -> Vec<(InstanceState, Option<ReleaseId>)> {
        run::instances(&self.placement).into_iter().map(|fact| (fact.state, fact.release)).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = run::stop(&self.placement, &mut Vec::new());
    }
}

fn systemctl(words: &[&str]) -> String {
    let output = Command::new("systemctl").args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

const COMMAND: &[&str] = &["/bin/sh", "{release}/serve", "{port}"];
const SLEEP: &str = "exec sleep 1000\n";

fn an_instance_per_port_runs_the_release_and_the_next_one() {
    let site = Site::new("ported", &[8080, 8081], COMMAND);
    assert_eq!(run::obstacles(&site.placement), Vec::<String>::new());
    let first = site.release(1, SLEEP);
    site.restart(&first).unwrap();
    let running = |release: &ReleaseId| vec![(InstanceState::Running, Some(release.clone())); 2];
    assert_eq!(site.states(), running(&first));
    assert_eq!(systemctl(&["is-enabled", "ported@8080.service"]), "enabled");
    let written = fs::metadata("/etc/systemd/system/ported@.service").unwrap().modified().unwrap();
    let second = site.release(2, SLEEP);
    assert_eq!(site.states(), running(&first), "current is not what runs");
    site.restart(&second).unwrap();
    assert_eq!(site.states(), running(&second));
    let again = fs::metadata("/etc/systemd/system/ported@.service").unwrap().modified().unwrap();
    assert_eq!(written, again, "the unit was written although nothing changed");
}

fn an_instance_that_is_gone_is_stopped_and_disabled() {
    let mut site = Site::new("shrinking", &[8080, 8081], COMMAND);
    let release = site.release(1, SLEEP);
    site.restart(&release).unwrap();
    site.placement.instances.remove(1);
    site.placement.run.ports.pop();
    site.restart(&release).unwrap();
    assert_eq!(systemctl(&["is-active", "shrinking@8081.service"]), "inactive");
    assert_eq!(systemctl(&["is-enabled", "shrinking@8081.service"]), "disabled");
    // Without any port the template goes and one plain unit comes.
    let plain = Site::new("shrinking", &[], COMMAND);
    plain.restart(&release).unwrap();
    assert_eq!(systemctl(&["is-active", "shrinking@8080.service"]), "inactive");
    assert!(!fs::exists("/etc/systemd/system/shrinking@.service").unwrap());
    assert_eq!(plain.states(), [(InstanceState::Running, Some(release))]);
    run::stop(&plain.placement, &mut Vec::new()).unwrap();
    assert_eq!(plain.states(), [(InstanceState::Stopped, None)]);
    assert_eq!(systemctl(&["is-enabled", "shrinking.service"]), "disabled");
}

fn words_and_variables_arrive_as_they_were_written() {
    // In a template a brace is written twice.
    let template = r#"50% $HOME ${{HOME}} %i %% "q" 'q' \n \\ ; # `id` ä end"#;
    let hostile = template.replace("{{", "{").replace("}}", "}");
    let script = "printf '%s\\n' \"$@\" \"$ODD\" \"$PORT\" \"$(pwd -P)\" \"$(id -un)\" > /srv/quoted/out.new\nmv /srv/quoted/out.new /srv/quoted/out\nexec sleep 1000\n";
    let mut site = Site::new(
        "quoted",
        &[8090],
        &["/bin/sh", "{release}/serve", template, "", ";", "{port}", "{instance}%i"],
    );
    if let Supervision::Systemd(SystemdUnit::Written { user, .. }) = &mut site.placement.run.by {
        *user = Some("deploy".to_owned());
    }
    site.placement.run.environment.insert("ODD".to_owned(), Template::new(template).unwrap());
    let release = site.release(1, script);
    let chown = Command::new("chown").args(["deploy", "/srv/quoted"]).status().unwrap();
    assert!(chown.success());
    site.restart(&release).unwrap();
    assert!(wait_until(LONG, || fs::exists("/srv/quoted/out").unwrap()), "the script has not run");
    let text = fs::read_to_string("/srv/quoted/out").unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let place = "/srv/quoted/releases/r-000000000001";
    assert_eq!(lines, [&hostile, "", ";", "8090", "8090%i", &hostile, "8090", place, "deploy"]);
}

fn a_crash_loop_is_seen_and_explained() {
    let site = Site::new("crashing", &[], COMMAND);
    let release = site.release(1, "echo no database here; exit 3\n");
    // Whether systemd has seen the program run before it ended is a matter of luck; it was started either way.
    site.restart(&release).unwrap();
    let outcome = verify(
        &site.placement,
        &release,
        Duration::from_secs(3600),
        TestMode::Decide,
        &Secrets::default(),
        &mut Vec::new(),
    );
    let Outcome::Failed { reason, tail } = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("ends again and again"), "{reason}");
    assert!(tail.contains("no database here"), "{tail}");

    // The release that is put back does not answer for the crashes of the one before it.
    let good = site.release(2, "exec sleep 600\n");
    site.restart(&good).unwrap();
    let outcome = verify(
        &site.placement,
        &good,
        Duration::from_secs(60),
        TestMode::Decide,
        &Secrets::default(),
        &mut Vec::new(),
    );
    assert_eq!(outcome, Outcome::Succeeded);
}

fn a_program_that_does_not_exist_is_an_error_with_its_reason() {
    let site = Site::new("missing", &[], &["{release}/bin/nothing"]);
    let error = site.restart(&site.release(1, "")).unwrap_err().to_string();
    assert!(error.contains("systemctl restart missing.service failed"), "{error}");
    assert!(error.contains("missing.service is ") && error.contains("  | "), "{error}");
}

fn a_unit_of_somebody_else_stays_as_it_is() {
    let path = "/etc/systemd/system/foreign.service";
    fs::write(path, "[Service]\nExecStart=/bin/sleep 1000\n").unwrap();
    let site = Site::new("foreign", &[], COMMAND);
    assert!(run::obstacles(&site.placement)[0].contains("was not written by Andon"));
    assert!(matches!(site.restart(&site.release(1, SLEEP)), Err(RunError::ForeignUnit { .. })));
    assert_eq!(fs::read_to_string(path).unwrap(), "[Service]\nExecStart=/bin/sleep 1000\n");
}

fn an_existing_unit_is_restarted_and_its_release_is_known() {
    let mut site = Site::by("web", &[80], SystemdUnit::Existing("nginx".to_owned()));
    let probe = Probe::Tcp { port: None };
    site.placement.health =
        Some(Health { probe, interval: Duration::from_millis(100), timeout: LONG, in_a_row: 3 });
    let first = site.release(1, "");
    assert_eq!(site.states(), [(InstanceState::Running, None)], "nothing was activated yet");
    for release in [first, site.release(2, "")] {
        site.restart(&release).unwrap();
        assert_eq!(site.states(), [(InstanceState::Running, Some(release.clone()))]);
        let outcome =
            verify(&site.placement, &release, LONG, TestMode::Decide, &Secrets::default(), &mut Vec::new());
        assert_eq!(outcome, Outcome::Succeeded);
    }
    let unknown = Site::by("nobody", &[], SystemdUnit::Existing("no-such-unit".to_owned()));
    assert!(run::obstacles(&unknown.placement)[0].contains("does not know the unit no-such-unit.service"));
}

fn a_process_that_ignores_term_is_killed_after_its_time() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut site = Site::new("stubborn", &[port], COMMAND);
    site.placement.run.stop_timeout = Duration::from_millis(500);
    let script = "trap '' TERM\ntouch /srv/stubborn/up\nwhile :; do sleep 1; done\n";
    site.restart(&site.release(1, script)).unwrap();
    assert!(wait_until(LONG, || fs::exists("/srv/stubborn/up").unwrap()));
    run::stop(&site.placement, &mut Vec::new()).unwrap();
    assert_eq!(site.states(), [(InstanceState::Stopped, None)]);
}
