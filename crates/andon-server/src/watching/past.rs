//! What is known from before an analysis: the history of the scope, and what was seen while nothing had changed yet.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use andon_core::analysis::history::{Row, SlowBound};
use andon_core::analysis::{Arm, Metric, Reading, Tick};
use andon_core::balance::Histogram;
use andon_core::scope::ScopeName;
use andon_core::time::Time;

use crate::history::{self, Grain, History};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// How far back single looks are read: enough for how the counts vary.
const FINE: i64 = 3 * HOUR;
/// On either side of the same moment of earlier days and weeks.
const AROUND: i64 = HOUR;

/// What is known from before.
pub(crate) struct Past {
    metrics: Vec<Metric>,
    rows: Vec<history::Row>,
    /// What this process has seen itself, where history knows nothing of the last hours.
    seen: Vec<Row>,
}

impl Past {
    /// Reads the history of a scope before `now`: the last hours look by look, and the same hour of the days and weeks
    /// before by the minute. What cannot be read is not known.
    pub(crate) fn read(data: &Path, scope: &ScopeName, metrics: &[Metric], now: Time) -> Self {
        let history = History::of(data, scope);
        let rows = |grain, range: Range<Time>| history.rows(grain, range).unwrap_or_default().rows;
        let mut all: Vec<history::Row> = Vec::new();
        for days in [28, 21, 14, 7, 3, 2, 1] {
            let then = now.0 - days * DAY;
            all.extend(rows(Grain::Minutes, Time(then - AROUND)..Time(then + AROUND)));
        }
        all.extend(rows(Grain::Seconds, Time(now.0 - FINE)..now));
        Self { metrics: metrics.to_vec(), rows: all, seen: Vec::new() }
    }

    /// Adds what was seen before anything had changed.
    pub(crate) fn add(&mut self, tick: &Tick) {
        let old = tick.members.iter().filter(|(_, seen)| seen.arm == Arm::Control);
        self.seen.extend(old.map(|(member, seen)| Row {
            at: tick.at,
            over: tick.over,
            member: member.clone(),
            readings: seen.readings.clone(),
        }));
    }

    /// What this process has seen itself before anything had changed.
    pub(crate) fn seen(&self) -> &[Row] {
        &self.seen
    }

    /// How long responses took, those of `recent` included.
    pub(crate) fn times(&self, recent: Histogram) -> Histogram {
        let mut times = recent;
        self.rows.iter().filter_map(|row| row.latency.as_ref()).for_each(|latency| times.merge(latency));
        times
    }

    /// Everything that is known, with the metrics in their order; responses above a bound are the slow ones.
    pub(crate) fn rows(&self, bounds: &[Option<SlowBound>]) -> Vec<Row> {
        let of = |row: &history::Row| Row {
            at: row.at,
            over: row.over,
            member: row.member.clone(),
            readings: self
                .metrics
                .iter()
                .zip(bounds)
                .map(|(metric, bound)| match (bound, &row.latency) {
                    (Some(bound), Some(latency)) => bound.reading(latency),
                    (Some(_), None) => Reading::Missing,
                    (None, _) => row.reading(&metric.name),
                })
                .collect(),
        };
        let known: Vec<Row> = self.rows.iter().map(of).collect();
        let newest = known.iter().map(|row| row.at).max();
        let first = self.seen.iter().map(|row| row.at).min();
        // Both would count the same minutes twice.
        let alone = newest.zip(first).is_none_or(|(newest, first)| newest + Duration::from_secs(60) < first);
        known.into_iter().chain(self.seen.iter().filter(|_| alone).cloned()).collect()
    }
}

/// A deployment that hurt, or that was stopped, is no measure for those that come.
pub(super) fn exclude(data: &Path, scope: &ScopeName, range: Range<Time>, why: &str) {
    // Without a history there is nothing to keep clean.
    let _ = History::of(data, scope).exclude(range, why);
}
