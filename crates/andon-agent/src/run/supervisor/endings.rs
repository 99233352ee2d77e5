//! When to start a process again that ended, and when to say that it ends again and again. Pure: time comes in.

use std::collections::VecDeque;
use std::time::Duration;

/// The time in which [`CRASH_LOOP`] ends make a crash loop, and after which a living process counts as settled.
pub(crate) const SETTLED: Duration = Duration::from_secs(60);

/// So many ends within [`SETTLED`] make a crash loop.
const CRASH_LOOP: usize = 3;

const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The unexpected ends of one instance's process.
#[derive(Debug, Default)]
pub(crate) struct Endings {
    recent: VecDeque<Duration>,
    in_a_row: u32,
    crash_looping: bool,
}

impl Endings {
    /// A process that was started at `started` ended at `now`, both measured from one moment. Answers how long
    /// to wait before it is started again: 1, 2, 4 … 30 s.
    pub(crate) fn ended(&mut self, started: Duration, now: Duration) -> Duration {
        if now.saturating_sub(started) >= SETTLED {
            self.settled();
        }
        self.recent.push_back(now);
        self.recent.retain(|end| now.saturating_sub(*end) < SETTLED);
        self.crash_looping |= self.recent.len() >= CRASH_LOOP;
        let wait = Duration::from_secs(1_u64 << self.in_a_row.min(5));
        self.in_a_row = self.in_a_row.saturating_add(1);
        wait.min(LONGEST_WAIT)
    }

    /// The process has lived for [`SETTLED`].
    pub(crate) fn settled(&mut self) {
        *self = Self::default();
    }

    /// Whether it ends again and again. Stays so until a process settles: the growing waits would otherwise hide
    /// it after a while.
    pub(crate) fn crash_looping(&self) -> bool {
        self.crash_looping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_waits_double_up_to_thirty_seconds() {
        let mut endings = Endings::default();
        let mut now = at(0);
        let waits: Vec<u64> = (0..7)
            .map(|_| {
                let wait = endings.ended(now, now);
                now += wait;
                wait.as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert!(endings.crash_looping(), "long waits hid the crash loop");
    }

    #[test]
    fn three_ends_within_a_minute_are_a_crash_loop_and_three_in_an_hour_are_not() {
        let mut fast = Endings::default();
        fast.ended(at(0), at(1));
        fast.ended(at(2), at(10));
        assert!(!fast.crash_looping());
        fast.ended(at(11), at(59));
        assert!(fast.crash_looping());

        let mut slow = Endings::default();
        for end in [1000, 2000, 3000] {
            assert_eq!(slow.ended(at(end - 900), at(end)), at(1));
        }
        assert!(!slow.crash_looping());
    }

    #[test]
    fn a_process_that_settles_clears_the_record() {
        let mut endings = Endings::default();
        for second in 0..5 {
            endings.ended(at(second), at(second));
        }
        endings.settled();
        assert!(!endings.crash_looping());
        assert_eq!(endings.ended(at(100), at(101)), at(1));
    }
}
