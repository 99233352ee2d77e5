//! A fixed threshold, checked now and then: what most deployers do.

/// A threshold and what it has seen.
#[derive(Debug, Clone, Default)]
pub struct Threshold {
    /// The share of errors above which a check fails.
    above: f64,
    /// Failed checks that end the release.
    failures: u32,
    failed: u32,
    /// The minute in which it ended the release.
    pub since: Option<usize>,
}

/// Flagger's documented analysis: a success rate of at least 99 % in each minute, and a rollback after five failed checks
/// (docs.flagger.app, "Metrics Analysis" and "How it works").
pub fn flagger() -> Threshold {
    Threshold { above: 0.01, failures: 5, ..Threshold::default() }
}

/// The example of Argo Rollouts' documentation: a success rate of at least 95 %, and a failure when more than three
/// checks failed (`failureLimit: 3`). It checks every five minutes there; here every minute, in its favour.
pub fn argo() -> Threshold {
    Threshold { above: 0.05, failures: 4, ..Threshold::default() }
}

impl Threshold {
    /// Looks at the share of errors of one minute; a minute without requests is not looked at.
    pub fn check(&mut self, minute: usize, errors: Option<f64>) {
        if errors.is_some_and(|errors| errors > self.above) {
            self.failed += 1;
        }
        if self.since.is_none() && self.failed >= self.failures {
            self.since = Some(minute);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_failed_checks_and_forgives_none() {
        let mut rule = flagger();
        for (minute, errors) in [0.02, 0.0, 0.02, 0.02, 0.01, 0.02].into_iter().enumerate() {
            rule.check(minute, Some(errors));
        }
        rule.check(6, None);
        assert_eq!(rule.since, None);
        rule.check(7, Some(0.011));
        assert_eq!(rule.since, Some(7));
    }
}
