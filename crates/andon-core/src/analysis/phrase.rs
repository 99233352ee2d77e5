//! An analysis in a few words: the same on terminal, page, mail and chat.

use super::{HoldReason, MetricStanding, Standing, Status, Verdict};

/// One metric: `errors 0.9 × old [0.4 … 2.1]`.
pub fn metric(standing: &MetricStanding) -> String {
    let name = &standing.name;
    let bound = |bound: Option<f64>, open: &str| bound.map_or_else(|| open.to_owned(), multiple);
    match standing.ratio {
        Some(ratio) => format!(
            "{name} {} × old [{} … {}]",
            multiple(ratio),
            bound(standing.low, "0"),
            bound(standing.high, "?")
        ),
        None => format!("{name}: nothing to compare yet"),
    }
}

/// A ratio with as many digits as anybody needs.
pub fn multiple(ratio: f64) -> String {
    match ratio {
        r if !r.is_finite() => "?".to_owned(),
        r if r >= 100.0 => format!("{r:.0}"),
        r if r >= 9.95 => format!("{r:.0}"),
        r if r >= 1.995 => format!("{r:.1}"),
        r => format!("{r:.2}"),
    }
}

impl Verdict {
    /// The verdict, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Inconclusive => "inconclusive",
            Verdict::None => "none",
        }
    }

    /// The verdict in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Verdict::Pass => "passed",
            Verdict::Fail => "failed",
            Verdict::Inconclusive => "inconclusive",
            Verdict::None => "nothing could be seen",
        }
    }
}

impl Status {
    /// The status, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Warmup { .. } => "warmup",
            Status::Observing => "observing",
            Status::Hold { .. } => "hold",
        }
    }
}

impl HoldReason {
    /// The reason, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            HoldReason::Suspect => "suspect",
            HoldReason::Environment => "environment",
            HoldReason::NoTraffic => "no_traffic",
            HoldReason::NoData => "no_data",
            HoldReason::NoControl => "no_control",
            HoldReason::Level => "level",
        }
    }
}

impl Standing {
    /// What to call the state of affairs in a word or two: the verdict, or where it is on the way to one.
    pub fn title(&self) -> &'static str {
        match (&self.verdict, &self.status) {
            (Some(verdict), _) => verdict.in_words(),
            (None, Status::Pending) => "nothing seen yet",
            (None, Status::Warmup { .. }) => "warming up",
            (None, Status::Observing) => "observing",
            (None, Status::Hold { .. }) => "holding",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::MetricName;

    #[test]
    fn a_metric_is_its_ratio_with_bounds() {
        let mut errors = MetricStanding {
            name: MetricName::new("errors").unwrap(),
            canary: (41, 2210),
            control: (9, 4700),
            ratio: Some(9.63),
            low: Some(4.08),
            high: None,
            ln_worse: 9.0,
            ln_harmless: 0.0,
            blamed: true,
        };
        assert_eq!(metric(&errors), "errors 9.6 × old [4.1 … ?]");
        errors = MetricStanding { ratio: Some(0.9), low: None, high: Some(2.1), ..errors };
        assert_eq!(metric(&errors), "errors 0.90 × old [0 … 2.1]");
        errors.ratio = None;
        assert_eq!(metric(&errors), "errors: nothing to compare yet");
    }
}
