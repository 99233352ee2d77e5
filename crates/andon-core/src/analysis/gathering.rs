//! From what was counted, measured and heard to ticks: who is in which arm, and what each did since the last tick.
//!
//! Only differences leave this place. What was counted while a host was in neither arm is nobody's evidence.

use std::collections::BTreeMap;
use std::time::Duration;

use super::history::SlowBound;
use super::{Alarm, Arm, Baseline, Measure, Metric, Reading, Role, Seen, Tick, Worse};
use crate::balance::numbers::Numbers;
use crate::balance::{Counters, Histogram};
use crate::deployment::Standpoint;
use crate::line::{Source, Watch};
use crate::name::{HostName, MemberName, MetricName};
use crate::time::Time;

/// What was heard of one host beside its balancers, since the last tick.
#[derive(Debug, Clone, Default)]
pub struct HostLook {
    /// Processor cores in use, on average.
    pub cores: Option<f64>,
    /// Resident memory, in bytes.
    pub memory: Option<f64>,
    /// Lines in the service's log that report an error.
    pub log_errors: Option<u64>,
    /// What needs no statistics.
    pub alarms: Vec<Alarm>,
    /// The numbers of other sources, in the order of [`Watch::metrics`]; missing for those of balancers.
    pub readings: Vec<Reading>,
}

/// What was heard of all hosts beside their balancers.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// By host.
    pub hosts: BTreeMap<HostName, HostLook>,
    /// What sources that failed said.
    pub silent: Vec<String>,
}

/// Where the readings of one metric come from.
#[derive(Debug, Clone, PartialEq)]
enum Column {
    Errors,
    Slow { quantile: u8 },
    MeanTime,
    Outside { index: usize },
    Cores,
    Memory,
    LogErrors,
}

/// Gathers ticks.
#[derive(Debug, Clone)]
pub struct Gathering {
    columns: Vec<Column>,
    metrics: Vec<Metric>,
    /// For each metric of slow responses, what counts as slow.
    thresholds: Vec<Option<SlowBound>>,
    marks: BTreeMap<HostName, Counters>,
    /// How far [`Self::requests`] has told. A look begins before its tick, so these are marks of their own: by those of
    /// ticks, what comes in during a look would be in neither.
    told: BTreeMap<HostName, Counters>,
    last: Option<Time>,
}

impl Gathering {
    /// Gathers for `watch`. Balancers that have no single times give a mean time instead of slow responses.
    pub fn new(watch: &Watch, single_times: bool) -> Self {
        let mut columns = Vec::new();
        let mut metrics = Vec::new();
        let mut mean = false;
        for (index, watched) in watch.metrics.iter().enumerate() {
            let mut metric = watched.metric.clone();
            columns.push(match &watched.source {
                Source::Errors => Column::Errors,
                Source::Latency { quantile } if single_times => Column::Slow { quantile: *quantile },
                Source::Latency { .. } if mean => continue,
                Source::Latency { .. } => {
                    mean = true;
                    metric.measure = Measure::Level;
                    metric.role = Role::Other;
                    metric.critical = false;
                    Column::MeanTime
                }
                Source::Prometheus(_) | Source::Pushed { .. } | Source::Script { .. } => {
                    Column::Outside { index }
                }
            });
            metrics.push(metric);
        }
        if watch.vitals {
            for (name, measure, column) in [
                ("cpu", Measure::Level, Column::Cores),
                ("memory", Measure::Level, Column::Memory),
                ("log-errors", Measure::Rate, Column::LogErrors),
            ] {
                let taken = |name: &MetricName| metrics.iter().any(|metric| metric.name == *name);
                if let Some(name) = MetricName::new(name).ok().filter(|name| !taken(name)) {
                    metrics.push(vital(name, measure));
                    columns.push(column);
                }
            }
        }
        let thresholds = vec![None; columns.len()];
        Self { columns, metrics, thresholds, marks: BTreeMap::new(), told: BTreeMap::new(), last: None }
    }

    /// The metrics, in the order of the readings.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// Freezes what counts as slow: above these quantiles of `times`. Without times there are no slow responses.
    pub fn freeze(&mut self, times: &Histogram) -> Vec<Option<SlowBound>> {
        for (column, threshold) in self.columns.iter().zip(&mut self.thresholds) {
            if let Column::Slow { quantile } = column {
                *threshold = SlowBound::of(times, f64::from(*quantile) / 100.0);
            }
        }
        self.thresholds.clone()
    }

    /// Goes on with what an earlier process froze.
    pub fn thaw(&mut self, baseline: &Baseline) {
        for (own, known) in self.thresholds.iter_mut().zip(&baseline.metrics) {
            *own = known.slow_above;
        }
    }

    /// Requests of each host since this was asked last, as balancers count them; `None` where there are no balancers.
    pub fn requests(&mut self, numbers: &Numbers) -> Option<BTreeMap<HostName, u64>> {
        let totals = numbers.totals();
        let added = totals.iter().filter_map(|(host, total)| {
            let mark = self.told.get(host)?;
            Some((host.clone(), total.since(mark)?.tried()))
        });
        let added = (!totals.is_empty()).then(|| added.collect());
        self.told = totals;
        added
    }

    /// The tick at `at`: what the compared hosts did since the one before.
    pub fn tick(
        &mut self,
        at: Time,
        compared: &BTreeMap<HostName, Standpoint>,
        numbers: &Numbers,
        look: &Look,
    ) -> Tick {
        let over = self.last.replace(at).map_or(Duration::ZERO, |last| at.since(last));
        let totals = numbers.totals();
        let members = compared
            .iter()
            .map(|(host, standpoint)| {
                let added = match (totals.get(host), self.marks.get(host)) {
                    (Some(total), Some(mark)) => total.since(mark),
                    _ => None,
                };
                let none = HostLook::default();
                let heard = look.hosts.get(host).unwrap_or(&none);
                let readings = self
                    .columns
                    .iter()
                    .zip(&self.thresholds)
                    .map(|(column, threshold)| column.reading(*threshold, added.as_ref(), heard))
                    .collect();
                let Standpoint { arm, age } = *standpoint;
                let alarms = heard.alarms.clone();
                (MemberName::from(host), Seen { arm, age, readings, alarms })
            })
            .collect();
        self.marks = totals;
        Tick { at, over, members, silent: look.silent.clone() }
    }

    /// Whether a tick has anything to compare.
    pub fn has_canary(tick: &Tick) -> bool {
        tick.members.values().any(|seen| seen.arm == Arm::Canary)
    }
}

impl Column {
    fn reading(&self, threshold: Option<SlowBound>, added: Option<&Counters>, heard: &HostLook) -> Reading {
        let level = |value: Option<f64>| value.map_or(Reading::Missing, Reading::Level);
        match self {
            Column::Errors => added.map_or(Reading::Missing, |added| Reading::Count {
                events: added.failed(),
                of: added.tried(),
            }),
            Column::Slow { .. } => match (added.and_then(|added| added.latency.as_ref()), threshold) {
                (Some(times), Some(bound)) => bound.reading(times),
                // No response came: nothing was slow.
                (None, Some(_)) if added.is_some_and(|added| added.requests == 0) => {
                    Reading::Count { events: 0, of: 0 }
                }
                _ => Reading::Missing,
            },
            Column::MeanTime => {
                let asked = added.filter(|added| added.requests > 0);
                level(asked.and_then(|added| added.mean_latency_us).map(|us| us as f64 / 1000.0))
            }
            Column::Outside { index } => heard.readings.get(*index).copied().unwrap_or(Reading::Missing),
            Column::Cores => level(heard.cores),
            Column::Memory => level(heard.memory),
            Column::LogErrors => match (heard.log_errors, added) {
                (Some(events), Some(added)) => Reading::Count { events, of: added.tried().max(events) },
                _ => Reading::Missing,
            },
        }
    }
}

/// A number of the process or its host: a hint that holds the ramp, and no accusation by itself.
fn vital(name: MetricName, measure: Measure) -> Metric {
    Metric {
        name,
        measure,
        worse: Worse::Higher,
        role: Role::Vital,
        weight: 0.2,
        critical: false,
        margin: 1.25,
        harm: 2.0,
        negligible: 0.0,
    }
}

#[cfg(test)]
mod tests;
