//! The instances that our own supervisors look after: what these have written down, what `/proc` shows, and the log
//! files.
//!
//! Whether a process was killed for want of memory is not told: the kernel says so only in its log, and a cgroup of its
//! own the instance has none. The number for the whole host tells when nobody was.

use std::collections::BTreeMap;

use andon_core::host::Placement;
use andon_core::name::InstanceName;
use andon_core::vitals::{Counter, InstanceVitals, Life, LogScan};

use super::family::{Family, Table, microseconds};
use super::log_file::LogFile;
use super::{Memory, life_of};
use crate::run::directory::{RunDirectory, Status};

/// How far the logs of the instances were read.
pub(super) type Logs = BTreeMap<InstanceName, (LogFile, LogScan)>;

/// Looks at every instance.
pub(super) fn look(placement: &Placement, memory: &mut Memory) -> BTreeMap<InstanceName, InstanceVitals> {
    let table = Table::read();
    let names = placement.instances.iter().map(|instance| instance.name.clone());
    names.map(|name| (name.clone(), instance(placement, name, &table, memory))).collect()
}

fn instance(placement: &Placement, name: InstanceName, table: &Table, memory: &mut Memory) -> InstanceVitals {
    let directory = RunDirectory::of(placement, &name);
    let mut vitals = InstanceVitals::default();
    if let Some(status) = directory.status() {
        supervised(&status, table, &mut vitals);
    }
    let life = memory.life;
    let (file, scan) = memory.logs.entry(name).or_insert_with(|| (LogFile::default(), LogScan::new(life)));
    vitals.log = file.read_on(&directory.log(), scan).ok().map(|()| scan.count().clone());
    vitals
}

fn supervised(status: &Status, table: &Table, vitals: &mut InstanceVitals) {
    let life = life_of(status.supervisor);
    let counter = |value: u32| Counter { value: u64::from(value), life };
    vitals.restarts = Some(counter(status.restarts));
    vitals.ends = status.ends.map(counter);
    vitals.last_exit = status.last_exit;
    let child = status.child.filter(|child| table.stat(*child).is_some_and(|stat| !stat.zombie));
    vitals.running = child.is_some();
    vitals.main = child.map(life_of);
    let (family, cpu) = family(status, table);
    vitals.cpu_us = cpu;
    family.describe(vitals);
}

/// All that descends from the supervisor; all that runs and has run below it has been waited for by it in the end.
fn family(status: &Status, table: &Table) -> (Family, Option<Counter>) {
    if let Some(supervisor) = table.stat(status.supervisor) {
        let family = table.descendants(status.supervisor.pid);
        let value = family.cpu_us().saturating_add(microseconds(supervisor.children_cpu));
        return (family, Some(Counter { value, life: life_of(status.supervisor) }));
    }
    // A process can outlive its supervisor.
    let Some((child, stat)) = status.child.and_then(|child| Some((child, *table.stat(child)?))) else {
        return (Family::default(), None);
    };
    let mut family = table.descendants(child.pid);
    family.add(child.pid, stat);
    let cpu = Counter { value: family.cpu_us(), life: Life::of(&["orphan", &super::mark(child)]) };
    (family, Some(cpu))
}
