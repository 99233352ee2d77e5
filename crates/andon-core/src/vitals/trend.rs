//! Whether a number grows, and when it reaches a limit.

use std::collections::VecDeque;
use std::time::Duration;

use super::Trend;

/// How far back points are kept.
const SPAN: Duration = Duration::from_secs(120);

/// The most points that are kept; of a faster stream the newest.
const MOST: usize = 61;

/// The recent values of one number in one life of its process.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    points: VecDeque<(Duration, f64)>,
}

impl Recent {
    /// Takes in a value; `at` only grows. Says how the number moves, with two points or more.
    ///
    /// The slope is Theil's and Sen's: the median of the slopes between all pairs of points. A single odd value does not
    /// move it.
    pub(super) fn add(&mut self, at: Duration, value: u64, limit: Option<u64>) -> Option<Trend> {
        if self.points.back().is_some_and(|(last, _)| *last >= at) {
            return None;
        }
        self.points.push_back((at, value as f64));
        while self.points.len() > MOST
            || self.points.front().is_some_and(|(first, _)| at.saturating_sub(*first) > SPAN)
        {
            self.points.pop_front();
        }
        let per_second = self.slope()?;
        let span = at.saturating_sub(self.points.front()?.0);
        let full_in = limit.and_then(|limit| {
            let left = limit.saturating_sub(value) as f64;
            (per_second > 0.0).then(|| Duration::try_from_secs_f64(left / per_second).ok())?
        });
        Some(Trend { per_second, span, full_in })
    }

    fn slope(&self) -> Option<f64> {
        let mut slopes = Vec::with_capacity(self.points.len() * self.points.len() / 2);
        for (index, (from, low)) in self.points.iter().enumerate() {
            for (to, high) in self.points.iter().skip(index + 1) {
                slopes.push((high - low) / to.saturating_sub(*from).as_secs_f64());
            }
        }
        slopes.sort_by(f64::total_cmp);
        let middle = slopes.len() / 2;
        match slopes.len() {
            0 => None,
            odd if odd % 2 == 1 => slopes.get(middle).copied(),
            _ => Some((slopes.get(middle - 1)? + slopes.get(middle)?) / 2.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn a_leak_is_told_to_reach_its_limit_and_one_odd_value_does_not_matter() {
        let mut recent = Recent::default();
        assert_eq!(recent.add(seconds(0), 100, Some(1000)), None, "one point has no slope");
        let mut last = None;
        for second in 1..=20 {
            let value = if second == 10 { 900 } else { 100 + second * 10 };
            last = recent.add(seconds(second), value, Some(1000));
        }
        let last = last.unwrap();
        assert!((last.per_second - 10.0).abs() < 1e-9, "{last:?}");
        assert_eq!(last.span, seconds(20));
        assert_eq!(last.full_in, Some(seconds(70)), "700 are left");
    }

    #[test]
    fn what_stays_or_shrinks_never_gets_full() {
        let mut recent = Recent::default();
        for (second, value) in [(0, 50), (5, 50), (10, 50)] {
            assert!(recent.add(seconds(second), value, Some(60)).is_none_or(|trend| trend.full_in.is_none()));
        }
        let falling = recent.add(seconds(15), 10, Some(60)).unwrap();
        assert!(falling.per_second <= 0.0 && falling.full_in.is_none());
        assert_eq!(recent.add(seconds(15), 11, None), None, "no time has passed");
    }

    #[test]
    fn what_is_over_its_limit_is_full_now_and_old_points_are_forgotten() {
        let mut recent = Recent::default();
        recent.add(seconds(0), 0, None);
        for second in 0..1000 {
            recent.add(seconds(1000 + second), second, None);
        }
        let trend = recent.add(seconds(2000), 1000, Some(500)).unwrap();
        assert_eq!(trend.full_in, Some(Duration::ZERO));
        assert!(trend.span <= SPAN && recent.points.len() <= MOST);
    }
}
