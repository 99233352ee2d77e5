//! The judge's clock: turns the times of ticks, which may be late, doubled or set back, into time that only grows.
//!
//! It never reads a clock: it is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::evidence::{Beat, STARTS};
use crate::time::Time;

/// Events within so many milliseconds are one burst.
const BURST_MS: u64 = 5_000;

/// So many ticks in a row that are older than the newest, but in order among themselves: the clock was set back.
const STRAYS: u32 = 10;

/// The longest that a first tick counts for.
const FIRST_MS: u64 = 60_000;

/// What a clock has been told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Clock {
    /// The time of the newest tick; `None` before the first.
    at: Option<Time>,
    /// Milliseconds of all ticks. A gap between ticks does not count: what was not seen is not evidence.
    elapsed: u64,
    stage_began: u64,
    stray: Option<Time>,
    strays: u32,
    burst: u32,
    burst_ms: u64,
    /// Milliseconds since new and old were first compared.
    compared: Option<u64>,
}

impl Clock {
    /// Takes in a tick: how many milliseconds it moves the clock by, or `None` when it comes too late to count.
    pub(crate) fn tick(&mut self, at: Time, over: Duration, usual: Duration) -> Option<u64> {
        let over = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
        let usual = u64::try_from(usual.as_millis()).unwrap_or(u64::MAX);
        let step = match self.at {
            Some(newest) if at <= newest => {
                self.strays = if self.stray.is_some_and(|stray| at > stray) { self.strays + 1 } else { 1 };
                self.stray = Some(at);
                if self.strays < STRAYS {
                    return None;
                }
                over.clamp(1, FIRST_MS)
            }
            Some(newest) => {
                let passed = u64::try_from(at.since(newest).as_millis()).unwrap_or(u64::MAX);
                passed.min(over.max(usual))
            }
            None => over.clamp(1, FIRST_MS),
        };
        (self.stray, self.strays) = (None, 0);
        self.at = Some(at);
        self.elapsed = self.elapsed.saturating_add(step);
        if self.burst_ms >= BURST_MS {
            (self.burst, self.burst_ms) = (self.burst.wrapping_add(1), 0);
        }
        self.burst_ms = self.burst_ms.saturating_add(step);
        if let Some(compared) = &mut self.compared {
            *compared = compared.saturating_add(step);
        }
        Some(step)
    }

    /// New and old are compared from now on: the beginnings of the bets count from here.
    pub(crate) fn begin_comparing(&mut self) {
        self.compared.get_or_insert(0);
    }

    /// A stage begins.
    pub(crate) fn begin_stage(&mut self) {
        self.stage_began = self.elapsed;
    }

    /// The time of the newest tick.
    pub(crate) fn at(&self) -> Option<Time> {
        self.at
    }

    /// Milliseconds of all ticks.
    pub(crate) fn elapsed(&self) -> u64 {
        self.elapsed
    }

    /// Milliseconds of the ticks of the present stage.
    pub(crate) fn in_stage(&self) -> u64 {
        self.elapsed - self.stage_began
    }

    /// Minutes since new and old were first compared.
    pub(crate) fn compared_minutes(&self) -> u64 {
        self.compared.unwrap_or(0) / 60_000
    }

    /// Where bets stand.
    pub(crate) fn beat(&self) -> Beat {
        let minutes = self.compared_minutes();
        let started = STARTS.iter().filter(|(start, _)| *start <= minutes).count();
        Beat { burst: self.burst, started }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_secs(2);

    #[test]
    fn late_doubled_and_disordered_ticks_do_not_count() {
        let mut clock = Clock::default();
        assert_eq!(clock.tick(Time(10_000), USUAL, USUAL), Some(2_000));
        assert_eq!(clock.tick(Time(10_000), USUAL, USUAL), None);
        assert_eq!(clock.tick(Time(8_000), USUAL, USUAL), None);
        assert_eq!(clock.tick(Time(12_000), USUAL, USUAL), Some(2_000));
        assert_eq!(clock.elapsed(), 4_000);
    }

    #[test]
    fn a_gap_is_not_time_that_was_seen() {
        let mut clock = Clock::default();
        clock.tick(Time(0), USUAL, USUAL);
        assert_eq!(clock.tick(Time(3_600_000), USUAL, USUAL), Some(2_000));
        assert_eq!(clock.tick(Time(3_600_500), Duration::MAX, USUAL), Some(500));
    }

    #[test]
    fn a_clock_that_was_set_back_is_believed_after_a_while() {
        let mut clock = Clock::default();
        clock.tick(Time(1_000_000_000), USUAL, USUAL);
        let heard: Vec<bool> =
            (1..=12).map(|n| clock.tick(Time(n * 2_000), USUAL, USUAL).is_some()).collect();
        assert_eq!(heard.iter().position(|heard| *heard), Some(9));
        assert!(heard[10] && heard[11]);
    }

    #[test]
    fn bursts_are_as_long_as_five_seconds_or_one_tick() {
        let bursts = |tick: u64| {
            let (mut clock, span) = (Clock::default(), Duration::from_millis(tick));
            (1..=8)
                .map(|n| {
                    clock.tick(Time(n * i64::try_from(tick).unwrap()), span, span);
                    clock.beat().burst
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(bursts(1_000), [0, 0, 0, 0, 0, 1, 1, 1]);
        assert_eq!(bursts(5_000), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(bursts(60_000), [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
