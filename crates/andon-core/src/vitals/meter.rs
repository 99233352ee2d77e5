//! Turns what a host says of itself from time to time into changes. Counters that begin anew, another process, another
//! boot and another conversation with the agent are told apart; nothing is ever counted twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::trend::Recent;
use super::{
    Counter, Errors, Fingerprint, HostVitals, InstanceChange, InstanceVitals, LogCount, Room, Seen,
    VitalsChange,
};
use crate::name::InstanceName;

/// The most kinds of errors that are remembered of one instance. All beyond count as new each time, which errs on the
/// side of telling.
const MAX_KNOWN: usize = 4096;

/// Takes the looks at one host in, in their order.
#[derive(Debug, Clone, Default)]
pub struct VitalsMeter {
    last: Option<(String, Duration)>,
    oom_kills: Option<Counter>,
    instances: BTreeMap<InstanceName, Memory>,
}

/// What is kept of one instance.
#[derive(Debug, Clone, Default)]
struct Memory {
    last: InstanceVitals,
    /// The last log that could be read.
    log: LogCount,
    known: BTreeSet<Fingerprint>,
    rss: Recent,
    files: Recent,
}

impl VitalsMeter {
    /// Takes a look in, and says what has changed since the one before. The first look of a host or of an instance only
    /// sets the mark: what was before is nobody's business here.
    pub fn read(&mut self, look: &HostVitals) -> VitalsChange {
        let (rebooted, over) = match &self.last {
            None => (false, None),
            Some((boot, _)) if *boot != look.boot_id => (true, None),
            Some((_, uptime)) => (false, look.uptime.checked_sub(*uptime)),
        };
        self.last = Some((look.boot_id.clone(), look.uptime));
        let available = look.memory.map(|memory| memory.free.0);
        let mut kept = BTreeMap::new();
        let mut instances = BTreeMap::new();
        for (name, vitals) in &look.instances {
            let known = self.instances.remove(name);
            let first = known.is_none();
            let mut memory = known.unwrap_or_default();
            if first {
                memory.set_mark(vitals);
            }
            let now = Now { uptime: look.uptime, over, available };
            instances.insert(name.clone(), memory.read(vitals, now));
            kept.insert(name.clone(), memory);
        }
        let gone = std::mem::replace(&mut self.instances, kept).into_keys().collect();
        let oom_kills = added(look.oom_kills, &mut self.oom_kills);
        VitalsChange {
            over,
            rebooted,
            instances,
            gone,
            disk_free: look.disk.and_then(Room::free_share),
            memory_free: look.memory.and_then(Room::free_share),
            load_per_processor: look
                .load
                .filter(|_| look.processors > 0)
                .map(|load| load / f64::from(look.processors)),
            oom_kills,
        }
    }
}

/// What a counter has added since the last time that it was known; `None` while it is not.
fn added(now: Option<Counter>, last: &mut Option<Counter>) -> Option<u64> {
    let now = now?;
    let before = last.replace(now);
    Some(before.map_or(0, |before| now.since(before)))
}

#[derive(Clone, Copy)]
struct Now {
    uptime: Duration,
    over: Option<Duration>,
    available: Option<u64>,
}

impl Memory {
    fn set_mark(&mut self, vitals: &InstanceVitals) {
        self.last = vitals.clone();
        if let Some(log) = &vitals.log {
            self.log = log.clone();
            self.learn(log.by_fingerprint.keys().copied());
        }
    }

    fn learn(&mut self, fingerprints: impl Iterator<Item = Fingerprint>) {
        for fingerprint in fingerprints {
            if self.known.len() < MAX_KNOWN {
                self.known.insert(fingerprint);
            }
        }
    }

    fn read(&mut self, vitals: &InstanceVitals, now: Now) -> InstanceChange {
        let started_anew = vitals.main.is_some() && self.last.main.is_some() && vitals.main != self.last.main;
        if started_anew || vitals.main.is_none() {
            // The growth of one process says nothing of the next.
            (self.rss, self.files) = (Recent::default(), Recent::default());
        }
        let (mut memory, mut files_trend) = (None, None);
        if vitals.main.is_some() {
            let most = now.available.map(|free| vitals.rss.0.saturating_add(free));
            let limit = vitals.memory_limit.map(|limit| limit.0).into_iter().chain(most).min();
            memory = self.rss.add(now.uptime, vitals.rss.0, limit);
            files_trend = vitals.files.and_then(|files| {
                self.files.add(now.uptime, u64::from(files.open), files.limit.map(u64::from))
            });
        }
        let ends = added(vitals.ends, &mut self.last.ends).unwrap_or(0);
        let cpu = added(vitals.cpu_us, &mut self.last.cpu_us).map(Duration::from_micros);
        let change = InstanceChange {
            running: vitals.running,
            started_anew,
            restarts: added(vitals.restarts, &mut self.last.restarts).unwrap_or(0),
            ends,
            exit: vitals.last_exit.filter(|_| ends > 0),
            oom_kills: added(vitals.oom_kills, &mut self.last.oom_kills),
            cpu,
            cpu_share: cpu
                .zip(now.over.filter(|over| !over.is_zero()))
                .map(|(cpu, over)| cpu.div_duration_f64(over)),
            rss: vitals.rss,
            memory,
            files: vitals.files,
            files_trend,
            threads: vitals.threads,
            errors: vitals.log.as_ref().map(|log| self.read_log(log)),
        };
        if vitals.main.is_some() {
            self.last.main = vitals.main;
        }
        change
    }

    fn read_log(&mut self, log: &LogCount) -> Errors {
        let nothing = LogCount::new(log.life);
        // As with other counters: another life, or a number that has shrunk, is a new beginning of all.
        let shrunk = log.lines < self.log.lines
            || self.log.by_fingerprint.iter().any(|(kind, before)| {
                log.by_fingerprint.get(kind).is_none_or(|seen| seen.count < before.count)
            });
        let before = if shrunk || log.life != self.log.life { &nothing } else { &self.log };
        let mut errors = Errors {
            lines: log.lines - before.lines,
            errors: log.errors.saturating_sub(before.errors),
            skipped: crate::quantity::ByteSize(log.skipped.0.saturating_sub(before.skipped.0)),
            gaps: log.gaps.saturating_sub(before.gaps),
            unnamed: log.unnamed.saturating_sub(before.unnamed),
            ..Errors::default()
        };
        for (kind, seen) in &log.by_fingerprint {
            let count = seen.count - before.by_fingerprint.get(kind).map_or(0, |before| before.count);
            if count == 0 {
                continue;
            }
            if self.known.contains(kind) {
                errors.known.insert(*kind, count);
            } else {
                errors.new.insert(*kind, Seen { count, sample: seen.sample.clone() });
            }
        }
        self.learn(errors.new.keys().copied());
        self.log = log.clone();
        errors
    }
}

#[cfg(test)]
mod tests;
