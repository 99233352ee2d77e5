//! Waiting for a condition, never for a guess.

use std::thread;
use std::time::{Duration, Instant};

/// How long [`wait_until`] rests between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks at `condition` until it holds or `limit` has passed, and says whether it held.
///
/// The condition is looked at once more after the limit, so a machine that stood still for a while does not turn a
/// condition that holds into a failure.
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if condition() {
            return true;
        }
        thread::sleep(PAUSE);
    }
    condition()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_looked_at_even_when_no_time_is_left() {
        assert!(wait_until(Duration::ZERO, || true));
    }

    #[test]
    fn waiting_ends_with_the_first_look_that_holds() {
        let mut looks = 0;
        let held = wait_until(Duration::from_secs(60), || {
            looks += 1;
            looks == 3
        });
        assert!(held);
        assert_eq!(looks, 3);
    }
}
