//! History: what the last weeks say of a service's metrics, as rows go in and a [`Baseline`] comes out. Pure.
//!
//! Rows of failed or overridden deployments, of drills and of times in which the environment was unlike itself do not
//! belong in here; [`Row::is_outside`] leaves them out.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Baseline, Measure, Metric, MetricBaseline, Reading};
use crate::balance::Histogram;
use crate::name::MemberName;
use crate::time::Time;

mod counts;
mod fake;
mod levels;

pub use fake::FakeCanaries;

/// The weight, in events, of the guess that a member is like the others (`κ`).
pub(crate) const SHRINKAGE: f64 = 20.0;

/// Fewer expected events than this are too few for factors.
const THIN: f64 = 20.0;

/// No member's rate is known more exactly than this.
pub(crate) const LEAST_SPREAD: f64 = 0.03;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// What one member was seen to do in a stretch of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The end of the stretch.
    pub at: Time,
    /// How long it was: a tick, or a minute where history is kept so.
    #[serde(with = "crate::time::millis")]
    pub over: Duration,
    /// Who.
    pub member: MemberName,
    /// One for each metric, as in [`super::Seen`].
    pub readings: Vec<Reading>,
}

impl Row {
    /// Whether it is outside of all spans that do not count as history.
    pub fn is_outside(&self, spans: &[Range<Time>]) -> bool {
        !spans.iter().any(|span| span.contains(&self.at))
    }
}

/// What history says before an analysis that begins at `now`; rows from then on are not looked at.
///
/// Factors, dispersion and spread come from all rows; the rate from the same hour of up to four weeks before, times
/// today's level.
pub fn estimate(metrics: &[Metric], rows: &[Row], now: Time) -> Baseline {
    let mut rows: Vec<&Row> = rows.iter().filter(|row| row.at < now).collect();
    rows.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.member.cmp(&b.member)));
    let metrics = metrics.iter().enumerate();
    let of = |(index, metric): (usize, &Metric)| match metric.measure {
        Measure::Rate => counts::estimate(index, &rows, now),
        Measure::Level => levels::estimate(index, &rows),
    };
    let traffic = metrics.clone().find(|(_, metric)| metric.measure == Measure::Rate);
    let traffic = traffic.map(|(index, _)| traffic_of(index, &rows)).unwrap_or_default();
    Baseline { metrics: metrics.map(of).collect(), traffic }
}

/// The mean of each member's opportunities in a row, as a multiple of all members'.
fn traffic_of(index: usize, rows: &[&Row]) -> BTreeMap<MemberName, f64> {
    let mut sums: BTreeMap<&MemberName, (f64, f64)> = BTreeMap::new();
    for row in rows {
        if let Some(Reading::Count { of, .. }) = row.readings.get(index) {
            let sum = sums.entry(&row.member).or_default();
            *sum = (sum.0 + *of as f64, sum.1 + row.over.as_secs_f64());
        }
    }
    let all = sums.values().fold((0.0, 0.0), |all, sum| (all.0 + sum.0, all.1 + sum.1));
    let usual = all.0 / all.1;
    if !(usual.is_finite() && usual > 0.0) {
        return BTreeMap::new();
    }
    let share = |(of, seconds): (f64, f64)| of / seconds / usual;
    let shares = sums.into_iter().map(|(member, sum)| (member.clone(), share(sum)));
    shares.filter(|(_, share)| share.is_finite() && *share > 0.0).collect()
}

/// A bound above which a response counts as slow: the quantile of history, frozen for one analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SlowBound {
    /// Responses in buckets above this one are slow.
    pub bucket: u8,
}

impl SlowBound {
    /// The bound that a share (0 to 1) of all responses did not exceed; `None` without responses.
    pub fn of(history: &Histogram, share: f64) -> Option<Self> {
        history.quantile_bucket(share).map(|bucket| Self { bucket })
    }

    /// The time in microseconds that is not slow yet; endless for the last bucket.
    pub fn us(self) -> f64 {
        Histogram::bound_us(self.bucket)
    }

    /// Slow responses out of all responses.
    pub fn reading(self, responses: &Histogram) -> Reading {
        let slow = responses.buckets.range(self.bucket.saturating_add(1)..);
        let events = slow.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        Reading::Count { events, of: responses.count() }
    }
}

/// The median of finite numbers.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[n / 2]),
        n => Some(0.5 * (values[n / 2 - 1] + values[n / 2])),
    }
}

#[cfg(test)]
mod tests;
