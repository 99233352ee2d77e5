//! systemd's supervision, seen from the agent: writes the unit, orders restarts through `systemctl`, and reads what
//! runs. No shell is involved, and no unit that somebody else wrote is ever changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use andon_core::host::{InstanceFacts, InstanceState, Placement};
use andon_core::line::{Instance, SystemdUnit};
use andon_core::release::ReleaseId;
use serde::{Deserialize, Serialize};

use self::state::{PROPERTIES, UnitState};
use super::child::{self, Ended};
use super::order;
use super::process::{self, ProcessId};
use super::supervisor::describe;
use super::{RunError, say};
use crate::durable;
use crate::probe::legible;

pub(crate) mod state;
pub(crate) mod unit;

const UNITS: &str = "/etc/systemd/system";
const QUICK: Duration = Duration::from_secs(60);

/// Starting is the unit's own business and may take long; this only keeps an agent from hanging forever.
const START_TIME: Duration = Duration::from_secs(300);

/// systemd counts in microseconds, the kernel in ticks.
const MICROSECONDS_PER_TICK: u64 = 10_000;

const MAX_OUTPUT: usize = 1 << 20;

/// The moment of the last activation, beside `release.env`: tells for a process that hides its environment
/// whether it was started before or after it.
#[derive(Serialize, Deserialize)]
struct Activated {
    release: ReleaseId,
    boot_id: String,
    ticks: u64,
}

/// Starts every instance on `release`; instances that are no longer in the placement end.
pub(crate) fn restart(
    placement: &Placement,
    kind: &SystemdUnit,
    release: &ReleaseId,
    log: &mut dyn Write,
) -> Result<(), RunError> {
    write_environment(placement, release)?;
    if let SystemdUnit::Written { command, user, extra } = kind {
        let text = unit::text(placement, command, user.as_deref(), extra)?;
        write_unit(placement, &text, log)?;
        remove_former(placement, log)?;
    }
    let names = unit_names(placement, kind)?;
    let states = show(&names)?;
    let disabled: Vec<&str> = names
        .iter()
        .filter(|name| !states.get(*name).is_some_and(|state| state.enabled))
        .map(String::as_str)
        .collect();
    if matches!(kind, SystemdUnit::Written { .. }) && !disabled.is_empty() {
        systemctl(&["enable", "--quiet"], &disabled, QUICK)?;
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let time = START_TIME.saturating_add(placement.run.stop_timeout);
    forget_restarts(&states, &all, time);
    if let Err(error) = systemctl(&["restart"], &all, time) {
        let states = show(&names)?;
        // To start is one thing, to be healthy another: that is for `verify` to wait for.
        if !names.iter().all(|name| states.get(name).is_some_and(UnitState::comes_back)) {
            return Err(error.with_journal(&states));
        }
        say(log, &format!("{}.", error.with_journal(&states)));
    }
    for name in &names {
        say(log, &format!("{name}: restarted on {release}."));
    }
    Ok(())
}

/// Ends crash loops and their counters. systemd goes on counting over a restart by hand, and the good release that
/// follows a bad one would answer for its crashes.
fn forget_restarts(states: &BTreeMap<String, UnitState>, names: &[&str], time: Duration) {
    let troubled = |name: &&str| {
        let state = states.get(*name);
        state.is_some_and(|state| {
            state.restarts > 0 || state.active == "failed" || state.sub == "auto-restart"
        })
    };
    let troubled: Vec<&str> = names.iter().copied().filter(troubled).collect();
    if !troubled.is_empty() {
        // What cannot be stopped is told by the restart that follows.
        let _ = systemctl(&["stop"], &troubled, time);
        let _ = systemctl(&["reset-failed"], &troubled, QUICK);
    }
}

/// Stops every instance and keeps those of a unit that we wrote from starting with the machine.
pub(crate) fn stop(placement: &Placement, kind: &SystemdUnit, log: &mut dyn Write) -> Result<(), RunError> {
    let names = unit_names(placement, kind)?;
    let states = show(&names)?;
    let present: Vec<&str> = names
        .iter()
        .filter(|name| states.get(*name).is_some_and(|state| state.loaded))
        .map(String::as_str)
        .collect();
    if present.is_empty() {
        return Ok(());
    }
    let time = QUICK.saturating_add(placement.run.stop_timeout);
    match kind {
        SystemdUnit::Written { .. } => systemctl(&["disable", "--quiet", "--now"], &present, time)?,
        SystemdUnit::Existing(_) => systemctl(&["stop"], &present, time)?,
    };
    say(log, &format!("Stopped {}.", present.join(", ")));
    Ok(())
}

/// Ends and removes the units that an earlier description of the service had us write for this root.
pub(crate) fn remove_all(placement: &Placement, log: &mut dyn Write) -> Result<(), RunError> {
    let (used, other) = unit::file_names(placement);
    for file in [used, other] {
        remove_unit(placement, &file, &BTreeSet::new(), log)?;
    }
    Ok(())
}

/// What is known of every instance.
pub(crate) fn facts(placement: &Placement, kind: &SystemdUnit) -> Vec<InstanceFacts> {
    let names = unit_names(placement, kind).unwrap_or_default();
    let states = show(&names).unwrap_or_default();
    let now = process::ticks_since_boot().unwrap_or(0).saturating_mul(MICROSECONDS_PER_TICK);
    let fact = |instance: &Instance| {
        let name = unit_name(placement, kind, instance).unwrap_or_default();
        let state = states.get(&name).cloned().unwrap_or_default();
        InstanceFacts {
            name: instance.name.clone(),
            state: state.instance_state(now),
            release: release_of(placement, &state),
            restarts: state.restarts,
            health: None,
        }
    };
    placement.instances.iter().map(fact).collect()
}

/// What the main process says. One that says nothing, but was started after the activation, runs what was activated:
/// a program may overwrite its environment, as nginx does, and an existing unit need not pass ours on.
fn release_of(placement: &Placement, state: &UnitState) -> Option<ReleaseId> {
    let process = state.main_pid.and_then(ProcessId::of);
    process.and_then(|process| process.release(&placement.root)).or_else(|| {
        let bytes = fs::read(placement.root.join(".andon/activated.json")).ok()?;
        let activated: Activated = serde_json::from_slice(&bytes).ok()?;
        let started = process.map_or(state.started / MICROSECONDS_PER_TICK, |process| process.started);
        let later = activated.boot_id != process::boot_id() || started >= activated.ticks;
        (later && state.active == "active").then_some(activated.release)
    })
}

/// What will keep the units from working here.
pub(crate) fn obstacles(placement: &Placement, kind: &SystemdUnit) -> Vec<String> {
    let mut found = Vec::new();
    if !Path::new("/run/systemd/system").is_dir() {
        found.push(
            "systemd does not run on this host. Use Andon's own supervisor: give the service a `command` without `systemd`."
                .to_owned(),
        );
        return found;
    }
    if !rustix::process::geteuid().is_root() {
        found.push("Only root may order systemd about. Reach this host as root or with sudo.".to_owned());
    }
    match kind {
        SystemdUnit::Written { command, user, extra } => {
            let (file, _) = unit::file_names(placement);
            let declared = placement
                .run
                .environment
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().to_owned()));
            let text = unit::text(placement, command, user.as_deref(), extra);
            match text.and_then(|_| unit::environment_file(&declared.collect())) {
                Ok(_) => found.extend(check_owner(placement, &file).err().map(|error| error.to_string())),
                Err(error) => found.push(format!("The systemd unit cannot be written: {error}.")),
            }
        }
        SystemdUnit::Existing(_) => match unit_names(placement, kind).and_then(|names| show(&names)) {
            Ok(states) => found.extend(states.iter().filter(|(_, state)| !state.loaded).map(|(name, _)| {
                format!("systemd does not know the unit {name}. Install what provides it.")
            })),
            Err(error) => found.push(error.to_string()),
        },
    }
    found
}

/// The last lines that the unit of `instance` wrote to the journal, as they are.
pub(crate) fn log_tail(placement: &Placement, kind: &SystemdUnit, instance: &Instance) -> Vec<u8> {
    unit_name(placement, kind, instance).map(|name| journal(&name, 20)).unwrap_or_default()
}

fn journal(name: &str, lines: u32) -> Vec<u8> {
    let mut command = Command::new("journalctl");
    command.args(["--no-pager", "--quiet", "--output=cat", &format!("--lines={lines}"), "--unit", name]);
    child::run(&mut command, Duration::from_secs(10), 16 * 1024)
        .map(|finished| finished.stdout)
        .unwrap_or_default()
}

/// The name of the unit that runs `instance`, as `systemctl show` answers it.
pub(crate) fn unit_name(
    placement: &Placement,
    kind: &SystemdUnit,
    instance: &Instance,
) -> Result<String, RunError> {
    match kind {
        SystemdUnit::Written { .. } => Ok(unit::name(placement, instance)),
        SystemdUnit::Existing(name) => {
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':' | '\\');
            if name.is_empty() || name.len() > 255 || !name.chars().all(good) {
                return Err(RunError::BadUnitName { name: name.clone() });
            }
            // `systemctl show` answers with the whole name.
            let whole = name.ends_with(".service") || name.ends_with(".target") || name.ends_with(".socket");
            Ok(if whole { name.clone() } else { format!("{name}.service") })
        }
    }
}

fn unit_names(placement: &Placement, kind: &SystemdUnit) -> Result<Vec<String>, RunError> {
    let names: Result<BTreeSet<String>, RunError> =
        placement.instances.iter().map(|instance| unit_name(placement, kind, instance)).collect();
    Ok(names?.into_iter().collect())
}

fn write_environment(placement: &Placement, release: &ReleaseId) -> Result<(), RunError> {
    let own = placement.root.join(".andon");
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| RunError::File { path, source }
    };
    let env = own.join("env");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&env).map_err(file(&env))?;
    let write = |path: PathBuf, text: &[u8]| durable::replace(&path, text).map_err(file(&path));
    let shared = BTreeMap::from([
        (process::RELEASE_VARIABLE.to_owned(), release.to_string()),
        ("ANDON_SERVICE".to_owned(), placement.service.to_string()),
        ("ANDON_HOST".to_owned(), placement.host.to_string()),
    ]);
    write(own.join("release.env"), unit::environment_file(&shared)?.as_bytes())?;
    for instance in &placement.instances {
        let mut variables = order::service_environment(placement, instance, release);
        variables.extend(order::declared_environment(placement, instance, release));
        write(env.join(instance.name.as_str()), unit::environment_file(&variables)?.as_bytes())?;
    }
    let activated = Activated {
        release: release.clone(),
        boot_id: process::boot_id(),
        ticks: process::ticks_since_boot().unwrap_or(u64::MAX),
    };
    let bytes = serde_json::to_vec(&activated).map_err(io::Error::other);
    write(own.join("activated.json"), &bytes.map_err(file(&own))?)
}

/// Refuses when the unit's file is somebody else's.
fn check_owner(placement: &Placement, file: &str) -> Result<Option<String>, RunError> {
    let path = Path::new(UNITS).join(file);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RunError::File { path, source }),
    };
    let owner = unit::owner_line(&placement.root);
    if !text.starts_with(unit::HEADER) || text.lines().nth(1) != Some(owner.as_str()) {
        return Err(RunError::ForeignUnit { path });
    }
    Ok(Some(text))
}

fn write_unit(placement: &Placement, text: &str, log: &mut dyn Write) -> Result<(), RunError> {
    let (file, _) = unit::file_names(placement);
    if check_owner(placement, &file)?.as_deref() == Some(text) {
        return Ok(());
    }
    let path = Path::new(UNITS).join(&file);
    // systemd warns of units that people cannot read.
    durable::replace(&path, text.as_bytes())
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o644)))
        .map_err(|source| RunError::File { path: path.clone(), source })?;
    systemctl(&["daemon-reload"], &[], QUICK)?;
    say(log, &format!("Wrote {}.", path.display()));
    Ok(())
}

/// Ends the instances that are gone from the placement.
fn remove_former(placement: &Placement, log: &mut dyn Write) -> Result<(), RunError> {
    let (used, other) = unit::file_names(placement);
    let kept: BTreeSet<String> =
        placement.instances.iter().map(|instance| unit::name(placement, instance)).collect();
    remove_unit(placement, &other, &BTreeSet::new(), log)?;
    end_others(&used, &kept, log, placement.run.stop_timeout)
}

fn remove_unit(
    placement: &Placement,
    file: &str,
    kept: &BTreeSet<String>,
    log: &mut dyn Write,
) -> Result<(), RunError> {
    // Somebody else's unit by that name is none of our business.
    if !matches!(check_owner(placement, file), Ok(Some(_))) {
        return Ok(());
    }
    end_others(file, kept, log, placement.run.stop_timeout)?;
    let path = Path::new(UNITS).join(file);
    fs::remove_file(&path).map_err(|source| RunError::File { path, source })?;
    systemctl(&["daemon-reload"], &[], QUICK).map(drop)
}

/// Stops and disables every unit of `file` that is not in `kept`.
fn end_others(
    file: &str,
    kept: &BTreeSet<String>,
    log: &mut dyn Write,
    stop_timeout: Duration,
) -> Result<(), RunError> {
    let present = match file.strip_suffix("@.service") {
        None => BTreeSet::from([file.to_owned()]),
        Some(stem) => instances_of(stem)?,
    };
    let gone: Vec<&str> = present.iter().filter(|name| !kept.contains(*name)).map(String::as_str).collect();
    if !gone.is_empty() {
        systemctl(&["disable", "--quiet", "--now"], &gone, QUICK.saturating_add(stop_timeout))?;
        say(log, &format!("Stopped {}, which the service no longer has.", gone.join(", ")));
    }
    Ok(())
}

/// The instances of a template that are loaded or start with the machine.
fn instances_of(stem: &str) -> Result<BTreeSet<String>, RunError> {
    let prefix = format!("{stem}@");
    let ours = |name: &str| {
        name.strip_prefix(&prefix).is_some_and(|rest| !rest.starts_with('.') && rest.ends_with(".service"))
    };
    let pattern = format!("{prefix}*.service");
    let listed = systemctl(&["list-units", "--all", "--plain", "--no-legend"], &[&pattern], QUICK)?;
    let mut found: BTreeSet<String> = String::from_utf8_lossy(&listed)
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().next())
        .filter(|name| ours(name))
        .map(str::to_owned)
        .collect();
    let wanted = fs::read_dir(Path::new(UNITS).join("multi-user.target.wants"));
    found.extend(
        wanted
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| ours(name)),
    );
    Ok(found)
}

/// What systemd says of these units, by their names.
pub(crate) fn show(names: &[String]) -> Result<BTreeMap<String, UnitState>, RunError> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let property = format!("--property={PROPERTIES}");
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let text = systemctl(&["show", &property], &all, QUICK)?;
    let mut states = state::parse_all(&String::from_utf8_lossy(&text));
    // A unit may answer by another of its names.
    if let ([name], 1) = (names, states.len())
        && !states.contains_key(name)
        && let Some((_, state)) = states.pop_first()
    {
        states.insert(name.clone(), state);
    }
    Ok(states)
}

/// Whether systemd is taking the machine down. Its own word for it; where there is no systemd, nobody says so.
pub(crate) fn takes_the_machine_down() -> bool {
    if !Path::new("/run/systemd/system").is_dir() {
        return false;
    }
    let mut command = Command::new("systemctl");
    command.arg("is-system-running").env("LC_ALL", "C");
    // Its exit code is a failure for every word but one.
    child::run(&mut command, QUICK, MAX_OUTPUT)
        .is_ok_and(|finished| finished.stdout.trim_ascii() == b"stopping")
}

/// Runs `systemctl` and answers its output.
fn systemctl(order: &[&str], units: &[&str], time: Duration) -> Result<Vec<u8>, RunError> {
    let failed = |reason: String| RunError::Systemctl {
        order: order.first().map_or_else(String::new, |word| (*word).to_owned()),
        units: units.join(" "),
        reason,
        journal: String::new(),
    };
    let mut command = Command::new("systemctl");
    command.args(["--no-pager", "--no-ask-password"]).args(order).arg("--").args(units).env("LC_ALL", "C");
    // Colours and escapes are for terminals.
    command.env("SYSTEMD_COLORS", "0");
    let finished = child::run(&mut command, time, MAX_OUTPUT)
        .map_err(|error| failed(format!("systemctl could not be started: {error}")))?;
    if finished.succeeded() {
        return Ok(finished.stdout);
    }
    let said = legible(&finished.stderr, 1000);
    Err(failed(match finished.ended {
        Ended::Code(_) if !said.is_empty() => said,
        how => format!("systemctl {}. {said}", describe(how)),
    }))
}

impl RunError {
    /// Adds what the units that do not run have written to the journal.
    fn with_journal(self, states: &BTreeMap<String, UnitState>) -> Self {
        match self {
            Self::Systemctl { order, units, reason, .. } => {
                let now = process::ticks_since_boot().unwrap_or(0).saturating_mul(MICROSECONDS_PER_TICK);
                let broken =
                    states.iter().filter(|(_, state)| state.instance_state(now) != InstanceState::Running);
                let tails = broken.take(3).map(|(name, state)| {
                    let lines = String::from_utf8_lossy(&journal(name, 10))
                        .lines()
                        .map(|line| format!("\n  | {}", legible(line.as_bytes(), 300)))
                        .collect::<String>();
                    format!("\n{name} is {} ({}, {}):{lines}", state.active, state.sub, state.result)
                });
                let journal = tails.collect();
                Self::Systemctl { order, units, reason, journal }
            }
            other => other,
        }
    }
}
