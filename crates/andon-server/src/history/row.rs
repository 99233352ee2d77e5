//! What was seen of one member in a stretch of time.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::analysis::{self, Reading, SlowBound};
use andon_core::balance::Histogram;
use andon_core::line::{Source, Watched};
use andon_core::name::{MemberName, MetricName};
use andon_core::time::Time;

/// What was seen of one member in a stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The end of the stretch.
    pub at: Time,
    /// How long it was.
    pub over: Duration,
    /// Who.
    pub member: MemberName,
    /// Each number that was heard; levels are kept with seven digits.
    pub readings: BTreeMap<MetricName, Reading>,
    /// How long the responses took, where a balancer knows it. Bounds of slowness are drawn when history is read.
    pub latency: Option<Histogram>,
}

impl Row {
    /// A row that says nothing.
    pub fn new(at: Time, over: Duration, member: MemberName) -> Self {
        Self { at, over, member, readings: BTreeMap::new(), latency: None }
    }

    /// What was heard of a number.
    pub fn reading(&self, metric: &MetricName) -> Reading {
        self.readings.get(metric).copied().unwrap_or(Reading::Missing)
    }

    /// The row as an analysis of `watched` reads it. `bounds` say for each number of slow answers above which time an
    /// answer is slow; without one nothing is known of it.
    pub fn for_analysis(
        &self,
        watched: &[Watched],
        bounds: &BTreeMap<MetricName, SlowBound>,
    ) -> analysis::Row {
        let reading = |watched: &Watched| match watched.source {
            Source::Latency { .. } => match (bounds.get(&watched.metric.name), &self.latency) {
                (Some(bound), Some(latency)) => bound.reading(latency),
                _ => Reading::Missing,
            },
            Source::Errors | Source::Prometheus(_) | Source::Pushed { .. } | Source::Script { .. } => {
                self.reading(&watched.metric.name)
            }
        };
        let readings = watched.iter().map(reading).collect();
        analysis::Row { at: self.at, over: self.over, member: self.member.clone(), readings }
    }

    /// Adds what was seen of the same member in the stretch behind: counts add up, of levels the last one stays.
    pub fn extend(&mut self, next: &Self) {
        self.at = next.at;
        self.over += next.over;
        for (metric, reading) in &next.readings {
            let own = self.readings.entry(metric.clone()).or_insert(Reading::Missing);
            *own = match (*own, *reading) {
                (Reading::Count { events, of }, Reading::Count { events: more, of: more_of }) => {
                    Reading::Count { events: events.saturating_add(more), of: of.saturating_add(more_of) }
                }
                (own, Reading::Missing) => own,
                (_, reading) => reading,
            };
        }
        if let Some(latency) = &next.latency {
            self.latency.get_or_insert_default().merge(latency);
        }
    }
}
