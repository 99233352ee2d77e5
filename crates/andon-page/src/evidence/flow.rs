//! The traffic of each arm, gathered from what an analysis heard: entry by entry, in bounded memory.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::analysis::{Arm, Entry, Header, Measure, Reading, Role, Tick};
use andon_core::time::Time;

/// About so many points on each line.
const POINTS: u32 = 240;

/// What was counted, in stretches of time.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    /// Which reading counts requests; `None` where none does.
    column: Option<usize>,
    from: Time,
    stretch: Duration,
    stretches: BTreeMap<u128, Stretch>,
}

/// A line on paper: moments, and how much there was.
pub type Points = Vec<(Time, f64)>;

#[derive(Debug, Clone, Default)]
struct Stretch {
    at: Time,
    over: Duration,
    /// Requests of the new hosts, and of the old ones; `None` where there were no such hosts.
    new: Option<u64>,
    old: Option<u64>,
}

impl Flow {
    /// Gathers what is heard between two moments.
    pub fn new(header: &Header, from: Time, to: Time) -> Self {
        let counts = |metric: &andon_core::analysis::Metric| {
            metric.role == Role::Errors && metric.measure == Measure::Rate
        };
        let column = header.spec.metrics.iter().position(counts);
        let stretch = (to.since(from) / POINTS).max(Duration::from_secs(1));
        Self { column, from, stretch, stretches: BTreeMap::new() }
    }

    /// Takes in an entry.
    pub fn add(&mut self, entry: &Entry) {
        let (Entry::Tick(tick), Some(column)) = (entry, self.column) else { return };
        if tick.at < self.from || tick.over.is_zero() {
            return;
        }
        let place = tick.at.since(self.from).as_millis() / self.stretch.as_millis().max(1);
        // What is far beyond the span was written under another clock.
        if place > u128::from(POINTS) * 4 {
            return;
        }
        let stretch = self.stretches.entry(place).or_default();
        stretch.at = stretch.at.max(tick.at);
        stretch.over = stretch.over.saturating_add(tick.over);
        for (arm, sum) in [(Arm::Canary, &mut stretch.new), (Arm::Control, &mut stretch.old)] {
            if let Some(more) = requests(tick, arm, column) {
                *sum = Some(sum.unwrap_or(0).saturating_add(more));
            }
        }
    }

    /// The lines of new and old hosts, per second.
    pub fn lines(self) -> (Points, Points) {
        let rate = |count: Option<u64>, stretch: &Stretch| {
            let seconds = stretch.over.as_secs_f64();
            count.map(|count| (stretch.at, count as f64 / seconds))
        };
        let line = |of: fn(&Stretch) -> Option<u64>| {
            self.stretches.values().filter_map(|stretch| rate(of(stretch), stretch)).collect()
        };
        (line(|stretch| stretch.new), line(|stretch| stretch.old))
    }
}

/// The requests of an arm in one tick; `None` where nobody of it was heard.
fn requests(tick: &Tick, arm: Arm, column: usize) -> Option<u64> {
    let members = tick.members.values().filter(|seen| seen.arm == arm);
    let counts = members.filter_map(|seen| match seen.readings.get(column) {
        Some(Reading::Count { of, .. }) => Some(*of),
        _ => None,
    });
    counts.fold(None, |sum, of| Some(sum.unwrap_or(0_u64).saturating_add(of)))
}
