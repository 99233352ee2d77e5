//! Calibration: how often the judge accuses releases that never were. Fake canaries are made of history, and judged.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::history::{FakeCanaries, Row};
use super::{Baseline, Spec, Verdict};
use crate::name::MetricName;
use crate::proportion::Proportion;

/// What came of judging fake canaries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Fake canaries that were accused, of all.
    pub false_alarms: Proportion,
    /// How often each metric was blamed, of those that ever were.
    pub blamed: BTreeMap<MetricName, u64>,
    /// What was made of the earlier half of the history; what is judged is the later half.
    pub baseline: Baseline,
    /// How many members there are.
    pub members: usize,
    /// How long each fake canary was: the window of the rules, or all of the later half where that is shorter.
    #[serde(with = "crate::time::millis")]
    pub window: Duration,
    /// Fake canaries that would share neither time nor members: so many trials are independent at most.
    pub apart: u64,
}

/// Why nothing could be calibrated: a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TooLittle(String);

impl Calibration {
    /// Judges `count` fake canaries of `canaries` members each, by `spec`, over `rows`. The same seed gives the same.
    ///
    /// # Errors
    /// There is too little history: what is missing.
    pub fn of(spec: &Spec, rows: &[Row], count: u32, canaries: usize, seed: u64) -> Result<Self, TooLittle> {
        let mut members: Vec<_> = rows.iter().map(|row| &row.member).collect();
        members.sort_unstable();
        members.dedup();
        let members = members.len();
        if canaries == 0 || members <= canaries {
            let what =
                format!("a fake canary of {canaries} needs more members than the {members} that history has");
            return Err(TooLittle(what));
        }
        let times = || rows.iter().map(|row| row.at);
        let span = match (times().min(), times().max()) {
            (Some(first), Some(last)) => last.since(first),
            _ => Duration::ZERO,
        };
        let window = spec.window.min(span / 2);
        if window < 10 * spec.tick || window < spec.observe {
            let what = format!(
                "history covers {}; half of it is judged, and that is too short to observe anything",
                crate::quantity::format_duration(span)
            );
            return Err(TooLittle(what));
        }
        let mut own = Self {
            false_alarms: Proportion::default(),
            blamed: BTreeMap::new(),
            baseline: Baseline::default(),
            members,
            window,
            apart: apart(span / 2, window, members, canaries),
        };
        for recording in (FakeCanaries { count, canaries, window, seed }).make(spec, rows) {
            let standing = recording.replay().standing();
            own.false_alarms.trials += 1;
            if standing.verdict == Some(Verdict::Fail) {
                own.false_alarms.hits += 1;
                for metric in standing.metrics.into_iter().filter(|metric| metric.blamed) {
                    *own.blamed.entry(metric.name).or_default() += 1;
                }
            }
            own.baseline = recording.header.baseline;
        }
        if own.false_alarms.trials == 0 {
            return Err(TooLittle("history has too few moments for a single fake canary".to_owned()));
        }
        Ok(own)
    }
}

fn apart(judged: Duration, window: Duration, members: usize, canaries: usize) -> u64 {
    let times = (judged.as_millis() / window.as_millis().max(1)).max(1);
    // The control group is the rest, so at least two share a moment only in a fleet of twice their size.
    let sets = (members / (2 * canaries)).max(1);
    u64::try_from(times).unwrap_or(u64::MAX).saturating_mul(sets as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Measure, Metric, Reading, Role, Worse};
    use crate::name::MemberName;
    use crate::time::Time;

    fn spec() -> Spec {
        let errors = Metric {
            name: MetricName::new("errors").unwrap(),
            measure: Measure::Rate,
            worse: Worse::Higher,
            role: Role::Errors,
            weight: 1.0,
            critical: true,
            margin: 1.1,
            harm: 2.0,
            negligible: 0.0,
        };
        let second = Duration::from_secs(1);
        let spans = Spec {
            tick: 5 * second,
            warmup: Duration::ZERO,
            observe: 30 * second,
            ..Spec::new(vec![errors])
        };
        Spec { window: 300 * second, ..spans }
    }

    /// `members` that answer 400 requests each 5 seconds; `errors` says how many of them fail.
    fn rows(members: u64, ticks: u64, errors: impl Fn(u64, u64) -> u64) -> Vec<Row> {
        let row = |(tick, member): (u64, u64)| Row {
            at: Time(1_800_000_000_000 + i64::try_from(tick * 5_000).unwrap()),
            over: Duration::from_secs(5),
            member: MemberName::new(format!("web{member}")).unwrap(),
            readings: vec![Reading::Count { events: errors(tick, member), of: 400 }],
        };
        (0..ticks).flat_map(|tick| (0..members).map(move |member| (tick, member))).map(row).collect()
    }

    #[test]
    fn a_quiet_fleet_gives_no_false_alarm_and_an_honest_interval() {
        let rows = rows(6, 720, |tick, member| u64::from((tick * 7 + member * 3) % 5 == 0));
        let quiet = Calibration::of(&spec(), &rows, 60, 1, 1).unwrap();
        assert_eq!(quiet.false_alarms, Proportion { hits: 0, trials: 60 });
        assert_eq!((quiet.members, quiet.window), (6, Duration::from_secs(300)));
        assert_eq!(quiet.apart, 15, "five windows, three pairs of members");
        assert!(quiet.baseline.metrics[0].dispersion >= 1.0);
        assert_eq!(Calibration::of(&spec(), &rows, 60, 1, 1), Ok(quiet), "the same seed gives the same");
    }

    #[test]
    fn a_fleet_whose_members_turn_bad_by_themselves_gives_alarms_that_are_counted() {
        // In the later half, which history did not know, web0 fails every fourth request.
        let rows = rows(6, 720, |tick, member| if member == 0 && tick >= 360 { 100 } else { 1 });
        let wild = Calibration::of(&spec(), &rows, 60, 1, 1).unwrap();
        let alarms = wild.false_alarms;
        assert!(alarms.hits > 0 && alarms.hits < alarms.trials, "{alarms:?}");
        assert_eq!(wild.blamed.get("errors"), Some(&alarms.hits));
        let (low, high) = alarms.interval(0.95);
        assert!(low < alarms.share() && alarms.share() < high);
    }

    #[test]
    fn too_little_history_is_said() {
        let told =
            |rows: &[Row], canaries| Calibration::of(&spec(), rows, 10, canaries, 1).unwrap_err().to_string();
        assert_eq!(told(&[], 1), "a fake canary of 1 needs more members than the 0 that history has");
        assert_eq!(
            told(&rows(2, 720, |_, _| 1), 2),
            "a fake canary of 2 needs more members than the 2 that history has"
        );
        assert_eq!(
            told(&rows(6, 13, |_, _| 1), 1),
            "history covers 1 min; half of it is judged, and that is too short to observe anything"
        );
    }
}
