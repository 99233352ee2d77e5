//! The instances that systemd looks after: what it says of their units, what their cgroups and `/proc` show, and the
//! journal. systemd hears of kills for want of memory only where the kernel counts them in a unit's cgroup: of version 2,
//! with its memory controller. Elsewhere they are not known. Two programs are run for each look, `systemctl` and `journalctl`, however many instances there are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use andon_core::host::Placement;
use andon_core::line::{Instance, SystemdUnit};
use andon_core::name::InstanceName;
use andon_core::quantity::ByteSize;
use andon_core::vitals::{Counter, InstanceVitals, Life};

use super::family::{Family, Table};
use super::journal::UnitCount;
use super::machine::number;
use super::{Memory, life_of};
use crate::run::process::{self, ProcessId};
use crate::run::systemd::state::UnitState;
use crate::run::systemd::{show, unit_name};

/// Where the kernel shows cgroups: of version 2, of version 1 beside 2, and of version 1.
const CGROUPS: [&str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

/// The most cgroups that are looked through below a unit's own.
const MOST_CGROUPS: usize = 64;

/// Looks at every instance.
pub(super) fn look(
    placement: &Placement,
    kind: &SystemdUnit,
    memory: &mut Memory,
) -> BTreeMap<InstanceName, InstanceVitals> {
    let name_of =
        |instance: &Instance| Some((instance.name.clone(), unit_name(placement, kind, instance).ok()?));
    let names: BTreeMap<InstanceName, String> = placement.instances.iter().filter_map(name_of).collect();
    let mut units: Vec<String> = names.values().cloned().collect();
    units.dedup();
    let states = show(&units).unwrap_or_default();
    for (name, state) in &states {
        let cgroup = state.cgroup.as_deref().and_then(find_cgroup);
        if cgroup.is_some_and(|cgroup| cgroup.join("memory.events").exists()) {
            memory.oom_told.insert(name.clone());
        }
    }
    let (life, oom_told) = (memory.life, &memory.oom_told);
    let journal = if units.is_empty() { None } else { memory.journal.read_on(&units, life) };
    let vitals = |instance: &Instance| {
        let unit = names.get(&instance.name);
        let state = unit.and_then(|unit| states.get(unit));
        let told = unit.and_then(|unit| journal?.get(unit));
        let oom_is_told = unit.is_some_and(|unit| oom_told.contains(unit));
        let vitals = state.map(|state| of_unit(state, told, oom_is_told, life));
        (instance.name.clone(), vitals.unwrap_or_default())
    };
    placement.instances.iter().map(vitals).collect()
}

fn of_unit(state: &UnitState, told: Option<&UnitCount>, oom_is_told: bool, life: Life) -> InstanceVitals {
    let boot = process::boot_id();
    let main = state.main_pid.and_then(ProcessId::of);
    let cgroup = state.cgroup.as_deref().and_then(find_cgroup);
    let family = match (&cgroup, main) {
        (Some(cgroup), _) => members(cgroup),
        (None, Some(main)) => {
            let table = Table::read();
            let mut family = table.descendants(main.pid);
            table.stat(main).into_iter().for_each(|stat| family.add(main.pid, *stat));
            family
        }
        (None, None) => Family::default(),
    };
    let mut vitals = InstanceVitals {
        // Units without a process of their own, as one-shots, are active too.
        running: main.is_some() || state.active == "active",
        main: main.map(life_of),
        memory_limit: state.memory_max.map(ByteSize),
        restarts: Some(Counter {
            value: u64::from(state.restarts),
            life: Life::of(&[&boot, "restarts of the unit"]),
        }),
        cpu_us: cpu(cgroup.as_deref(), &family, state, &boot),
        ..InstanceVitals::default()
    };
    family.describe(&mut vitals);
    let Some(told) = told else { return vitals };
    vitals.ends = Some(Counter { value: told.ends, life });
    vitals.last_exit = told.last_exit;
    vitals.oom_kills = Some(Counter { value: told.oom_kills, life }).filter(|_| oom_is_told);
    vitals.log = Some(told.scan.count().clone());
    vitals
}

/// What the cgroup has counted since the unit was started; else what its processes have.
fn cpu(cgroup: Option<&Path>, family: &Family, state: &UnitState, boot: &str) -> Option<Counter> {
    let life = Life::of(&[boot, "cpu", &state.invocation]);
    let counted = cgroup.and_then(|cgroup| fs::read_to_string(cgroup.join("cpu.stat")).ok());
    let value = counted.and_then(|text| number(&text, "usage_usec "));
    match (value, state.main_pid) {
        (Some(value), _) => Some(Counter { value, life }),
        (None, Some(_)) => Some(Counter { value: family.cpu_us(), life }),
        (None, None) => None,
    }
}

fn find_cgroup(path: &str) -> Option<PathBuf> {
    let below = Path::new(path.trim_start_matches('/'));
    let winding = below.components().any(|part| !matches!(part, std::path::Component::Normal(_)));
    if winding || below.as_os_str().is_empty() {
        return None;
    }
    CGROUPS.iter().map(|root| Path::new(root).join(below)).find(|path| path.join("cgroup.procs").exists())
}

/// The processes of a cgroup and of those below it.
fn members(cgroup: &Path) -> Family {
    let mut waiting = vec![cgroup.to_owned()];
    let mut pids = Vec::new();
    let mut looked = 0;
    while let Some(path) = waiting.pop().filter(|_| looked < MOST_CGROUPS) {
        looked += 1;
        let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
        pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        let entries = fs::read_dir(&path).into_iter().flatten().flatten();
        waiting.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    Table::of(pids).family()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_lies_where_cgroups_do() {
        for wrong in ["", "/", "/../etc", "/system.slice/../../x", "/no/such.service"] {
            assert_eq!(find_cgroup(wrong), None, "{wrong:?}");
        }
    }
}
