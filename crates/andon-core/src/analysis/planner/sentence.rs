//! What a rollout can see, in words.

use std::time::Duration;

use super::{MetricOutlook, OUGHT_TO_SEE, Outlook, StageOutlook};

impl Outlook {
    /// For each stage a line that says where, and indented lines that say what. Plain text, in the order of the stages;
    /// times count from the first request of a stage, warm-up included.
    pub fn lines(&self) -> Vec<String> {
        self.stages.iter().flat_map(|stage| self.stage(stage)).collect()
    }

    fn stage(&self, stage: &StageOutlook) -> Vec<String> {
        let of = u64::from(stage.size.canaries) + u64::from(stage.size.controls);
        let place = format!(
            "with {} of {of} instances at {} requests/s",
            stage.size.canaries,
            number(self.per_instance)
        );
        if stage.size.controls == 0 {
            return vec![format!("{place}: no old instance is left to compare with; the hard guards watch")];
        }
        let known = stage.metrics.iter().any(|metric| !metric.detections.is_empty());
        if known && stage.is_blind() {
            let window = span(self.window);
            return vec![format!("{place}: no harm can be seen within {window}; only the hard guards watch")];
        }
        let mut lines = vec![format!("{place}:")];
        lines
            .extend(stage.metrics.iter().map(|metric| format!("  {}: {}", metric.name, self.metric(metric))));
        let unseen: Vec<&str> = stage.unseen().map(|metric| metric.name.as_str()).collect();
        if !unseen.is_empty() {
            lines.push(format!(
                "  more instances or more time are needed to see {} of {}",
                times(OUGHT_TO_SEE, false),
                unseen.join(", ")
            ));
        }
        lines.extend(self.passing(stage).map(|passing| format!("  {passing}")));
        lines
    }

    /// When tenfold harm is seen, when the least that is seen at all, and what is not.
    fn metric(&self, metric: &MetricOutlook) -> String {
        if metric.detections.is_empty() {
            return "nothing is known of it yet, so nothing can be said".to_owned();
        }
        let window = span(self.window);
        let said = |ratio: f64, after: Duration| {
            format!("{} in about {}", times(ratio, metric.lower), span(after + self.warmup))
        };
        let mut seen =
            metric.detections.iter().filter_map(|seen| seen.after.map(|after| (seen.ratio, after)));
        let Some(least) = seen.next() else {
            return format!("not even {} within {window}", times(50.0, metric.lower));
        };
        let tenfold = seen.find(|(ratio, _)| *ratio == 10.0);
        let parts: Vec<String> =
            tenfold.into_iter().chain([least]).map(|(ratio, after)| said(ratio, after)).collect();
        match metric.detections.iter().rfind(|detection| detection.after.is_none()) {
            Some(unseen) => format!(
                "{}; {} not at all: inconclusive after {window}",
                parts.join(", "),
                times(unseen.ratio, metric.lower)
            ),
            None => parts.join(", "),
        }
    }

    /// How long a harmless release takes to pass, or why it would not.
    fn passing(&self, stage: &StageOutlook) -> Option<String> {
        let critical = || stage.metrics.iter().filter(|metric| metric.critical);
        if critical().next().is_none() || critical().any(|metric| metric.detections.is_empty()) {
            return None;
        }
        if let Some(after) = stage.passes_after() {
            return Some(format!(
                "a harmless release passes in about {}",
                span(after.max(self.observe) + self.warmup)
            ));
        }
        let uncleared = || critical().filter(|metric| metric.cleared.is_none());
        let excluded: Vec<String> = uncleared().filter_map(excluded).collect();
        let open: Vec<&str> = uncleared().filter(|m| m.excludes.is_none()).map(|m| m.name.as_str()).collect();
        let why = match (excluded.is_empty(), open.is_empty()) {
            (false, _) => format!("only {} can be excluded", excluded.join(" and ")),
            (true, false) => format!("no harm to {} can be excluded", open.join(" and ")),
            (true, true) => return None,
        };
        Some(format!("a harmless release ends inconclusive after {}: {why}", span(self.window)))
    }
}

/// The least that can be excluded of a metric: `threefold errors`.
fn excluded(metric: &MetricOutlook) -> Option<String> {
    let ratio = times(metric.excludes?, metric.lower);
    Some(if metric.lower { format!("{} {ratio}", metric.name) } else { format!("{ratio} {}", metric.name) })
}

/// `tenfold`, or `down to a tenth` where less is worse.
fn times(ratio: f64, lower: bool) -> &'static str {
    let words = [
        (1.5, "1.5-fold", "down to two thirds"),
        (2.0, "twofold", "down to a half"),
        (3.0, "threefold", "down to a third"),
        (5.0, "fivefold", "down to a fifth"),
        (10.0, "tenfold", "down to a tenth"),
        (50.0, "fiftyfold", "down to a fiftieth"),
    ];
    let (_, more, less) = words.into_iter().find(|(known, ..)| *known >= ratio).unwrap_or(words[5]);
    if lower { less } else { more }
}

/// Seconds below a minute and a half, in steps of five; whole minutes above.
fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 90.0 {
        format!("{:.0} s", (seconds / 5.0).ceil() * 5.0)
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

/// One digit after a small number, none after a large one.
fn number(number: f64) -> String {
    if number >= 10.0 || number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}
