//! Deployments per day, by how they came out. Which moments days begin at is for whoever knows the reader's zone.

use super::{Chronicle, OutcomeCounts, Query, Span};
use crate::time::Time;

impl Chronicle {
    /// How the deployments came out that fit `query`, day by day. `bounds` are the beginnings of the days and the end of the
    /// last one, in order: one more than there are days. A deployment belongs to the day on which it was accepted.
    pub fn per_day(&self, query: &Query, bounds: &[Time]) -> Vec<OutcomeCounts> {
        let (Some(from), Some(until)) = (bounds.first(), bounds.last()) else { return Vec::new() };
        let mut days = vec![OutcomeCounts::default(); bounds.len().saturating_sub(1)];
        for row in self.matching(query, Span { from: *from, until: *until }) {
            let day = bounds.partition_point(|begin| *begin <= row.accepted());
            if let Some(counts) = day.checked_sub(1).and_then(|day| days.get_mut(day)) {
                counts.add(row.outcome());
            }
        }
        days
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{scope, summary};
    use super::*;

    #[test]
    fn a_deployment_belongs_to_the_day_on_which_it_was_accepted() {
        let mut chronicle = Chronicle::new();
        // Days may have 23 or 25 hours.
        let bounds = [Time(100), Time(200), Time(310)];
        for (id, state, at) in [
            (1, "succeeded", 99),
            (2, "succeeded", 100),
            (3, "rolled_back", 199),
            (4, "failed", 200),
            (5, "running", 309),
            (6, "succeeded", 310),
        ] {
            chronicle.apply(summary(id, scope("www", "production"), state, at));
        }
        let days = chronicle.per_day(&Query::default(), &bounds);
        let first = OutcomeCounts { succeeded: 1, rolled_back: 1, ..OutcomeCounts::default() };
        let second = OutcomeCounts { failed: 1, under_way: 1, ..OutcomeCounts::default() };
        assert_eq!(days, [first, second]);
        let errors = chronicle.per_day(&Query::parse("ERROR"), &bounds);
        assert_eq!(errors.iter().map(OutcomeCounts::total).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(chronicle.per_day(&Query::default(), &[]), []);
        assert_eq!(chronicle.per_day(&Query::default(), &[Time(0)]), []);
    }
}
