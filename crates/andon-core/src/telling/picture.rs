//! A metric over time, of new and old hosts, with the moments that matter.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// The most points of one line; more cannot be told apart on paper.
const MOST_POINTS: usize = 1_000;

/// A metric over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// What is measured: `errors`.
    pub title: String,
    /// In which unit: `per second`, `ms`, `%`. Empty for a plain number.
    pub unit: String,
    /// The hosts on the new release.
    pub canary: Vec<(Time, f64)>,
    /// The hosts on the old release, at the same moments.
    pub control: Vec<(Time, f64)>,
    /// When the first host got the new release.
    pub deploy: Time,
    /// When the verdict fell.
    pub verdict: Time,
    /// What is to be seen in it: one sentence.
    pub sentence: String,
}

impl Picture {
    /// The same with its points in order, without those that are no numbers, and not more than can be drawn. `None` when
    /// nothing is left to draw.
    pub fn tidy(mut self) -> Option<Self> {
        for line in [&mut self.canary, &mut self.control] {
            line.retain(|(_, value)| value.is_finite());
            line.sort_by_key(|(at, _)| *at);
            let stride = line.len().div_ceil(MOST_POINTS).max(1);
            // Of several points that fall together the highest stays: a peak must not be lost in the drawing.
            let peak = |points: &[(Time, f64)]| points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
            *line = line.chunks(stride).filter_map(peak).collect();
        }
        (!self.canary.is_empty() || !self.control.is_empty()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_left_out_and_peaks_stay() {
        let mut canary: Vec<(Time, f64)> = (0..5_000_i32).map(|n| (Time(i64::from(n)), 1.0)).collect();
        canary[1234].1 = 99.0;
        canary[7].1 = f64::NAN;
        canary.reverse();
        let picture = Picture {
            title: "errors".into(),
            unit: String::new(),
            canary,
            control: vec![(Time(1), f64::INFINITY)],
            deploy: Time(0),
            verdict: Time(0),
            sentence: String::new(),
        };
        let tidy = picture.clone().tidy().unwrap();
        assert!(tidy.canary.len() <= MOST_POINTS && tidy.canary.is_sorted_by_key(|point| point.0));
        assert!(tidy.canary.iter().any(|point| point.1 == 99.0));
        assert!(tidy.control.is_empty());
        assert_eq!(Picture { canary: Vec::new(), ..picture }.tidy(), None);
    }
}
