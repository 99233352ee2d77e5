//! The picture of a judged metric: what was recorded of it, new beside old, with the deployment and the verdict marked.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Picture;
use crate::analysis::history::Row;
use crate::analysis::{Arm, Entry, Measure, Reading, Spec, Standing, Tick};
use crate::time::Time;

/// Points of one line, at most: enough to see when it began.
const POINTS: u32 = 90;

/// The metric that a standing blames first, or else the first that is counted, as it was seen before the first new host
/// (`before`) and since (`entries`). `None` when nothing of it was seen.
pub fn sketch(spec: &Spec, before: &[Row], entries: &[Entry], judged: &Standing) -> Option<Picture> {
    let blamed = judged.metrics.iter().position(|metric| metric.blamed);
    let counted = || spec.metrics.iter().position(|metric| metric.measure == Measure::Rate);
    let index = blamed.or_else(counted)?;
    let metric = spec.metrics.get(index)?;
    let ticks: Vec<&Tick> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Tick(tick) => Some(tick),
            Entry::Stage { .. } => None,
        })
        .collect();
    let deploy = ticks.first()?.at;
    let seen = |arm: Arm| {
        ticks.iter().flat_map(move |tick| {
            let members = tick.members.values().filter(move |seen| seen.arm == arm);
            members.filter_map(move |seen| Some((tick.at, *seen.readings.get(index)?)))
        })
    };
    let old = before.iter().filter_map(|row| Some((row.at, *row.readings.get(index)?)));
    let span = (old.clone().map(|(at, _)| at).min().unwrap_or(deploy), judged.at);
    let (unit, factor) = match metric.measure {
        Measure::Rate => ("%", 100.0),
        Measure::Level => ("", 1.0),
    };
    let picture = Picture {
        title: metric.name.to_string(),
        unit: unit.to_owned(),
        canary: line(seen(Arm::Canary), span, factor),
        control: line(old.chain(seen(Arm::Control)), span, factor),
        deploy,
        verdict: judged.at,
        sentence: judged.sentence.clone(),
    };
    picture.tidy()
}

/// Readings as points, those of the same stretch of time together.
fn line(
    readings: impl Iterator<Item = (Time, Reading)>,
    (from, until): (Time, Time),
    factor: f64,
) -> Vec<(Time, f64)> {
    let stretch = (until.since(from) / POINTS).max(Duration::from_secs(1));
    let mut points: BTreeMap<u128, (Time, f64, f64)> = BTreeMap::new();
    for (at, reading) in readings {
        let (up, down) = match reading {
            Reading::Count { events, of } if of > 0 => (events as f64, of as f64),
            Reading::Level(level) if level.is_finite() => (level, 1.0),
            _ => continue,
        };
        let place = at.since(from).as_millis() / stretch.as_millis().max(1);
        let point = points.entry(place).or_insert((at, 0.0, 0.0));
        *point = (at.max(point.0), point.1 + up, point.2 + down);
    }
    points.into_values().map(|(at, up, down)| (at, factor * up / down)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Judge, Metric, Role, Seen, Worse};
    use crate::name::{MemberName, MetricName};

    fn member(name: &str) -> MemberName {
        MemberName::new(name).unwrap()
    }

    #[test]
    fn a_picture_shows_new_beside_old_from_before_the_deployment_to_the_verdict() {
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
        let spec = Spec::new(vec![errors]);
        let over = Duration::from_secs(1);
        let before: Vec<Row> = (0..60)
            .map(|second| Row {
                at: Time(second * 1000),
                over,
                member: member("web2"),
                readings: vec![Reading::Count { events: 1, of: 100 }],
            })
            .collect();
        let seen = |arm, events| Seen {
            arm,
            age: None,
            readings: vec![Reading::Count { events, of: 100 }],
            alarms: Vec::new(),
        };
        let entries: Vec<Entry> = (60..120)
            .map(|second| {
                let members =
                    [(member("web1"), seen(Arm::Canary, 20)), (member("web2"), seen(Arm::Control, 1))];
                Entry::Tick(Tick {
                    at: Time(second * 1000),
                    over,
                    members: members.into(),
                    silent: Vec::new(),
                })
            })
            .collect();
        let mut judge = Judge::new(spec.clone(), crate::analysis::Baseline::default());
        entries.iter().for_each(|entry| judge.apply(entry));
        let picture = sketch(&spec, &before, &entries, &judge.standing()).unwrap();
        assert_eq!((picture.title.as_str(), picture.unit.as_str()), ("errors", "%"));
        assert_eq!(picture.deploy, Time(60_000));
        assert!(picture.canary.iter().all(|(at, percent)| *at >= picture.deploy && *percent == 20.0));
        assert!(picture.control.iter().all(|(_, percent)| *percent == 1.0));
        assert!(picture.control.len() > 60 && picture.control[0].0 < Time(2_000));
        assert_eq!(sketch(&spec, &before, &[], &judge.standing()), None);
    }
}
