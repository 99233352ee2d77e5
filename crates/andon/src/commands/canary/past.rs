//! The past that fake canaries are made of: the history of a service, or the old instances of recordings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_core::analysis::{Arm, Entry, Metric, Reading, Recording, Row, SlowBound, Spec};
use andon_core::balance::Histogram;
use andon_core::line::{Source, Watch, Watched};
use andon_core::time::Time;
use andon_server::history::{Grain, History, HistoryError, Row as Kept};
use andon_server::{clock, recording};

use crate::args::{Common, ScopeArgs};
use crate::context::{self, Context};
use crate::failure::Failure;

/// How much of history is looked at: as much as is kept finely.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What was seen while nothing was released, and the rules to judge it by.
pub(super) struct Past {
    pub(super) spec: Spec,
    pub(super) rows: Vec<Row>,
    /// What people have to know of it.
    pub(super) remarks: Vec<String>,
}

/// The old instances of recordings, and the rules of the first one.
pub(super) fn of_recordings(files: &[PathBuf]) -> Result<Past, Failure> {
    let mut spec: Option<Spec> = None;
    let (mut rows, mut remarks) = (Vec::new(), Vec::new());
    for file in files {
        let kept = recording::read(file)?;
        if kept.torn > 0 {
            remarks.push(format!("{}: the last line was torn off and is left out", file.display()));
        }
        let Recording { header, entries } = kept.recording;
        match &spec {
            Some(first) if first.metrics != header.spec.metrics => return Err(another(file)),
            Some(_) => {}
            None => spec = Some(header.spec),
        }
        for entry in entries {
            let Entry::Tick(tick) = entry else { continue };
            for (member, seen) in tick.members {
                if seen.arm == Arm::Control {
                    rows.push(Row { at: tick.at, over: tick.over, member, readings: seen.readings });
                }
            }
        }
    }
    let spec = spec.ok_or_else(|| Failure::usage("there is no recording"))?;
    Ok(Past { spec, rows, remarks })
}

fn another(file: &Path) -> Failure {
    Failure::usage(format!("{} has other metrics than the first recording", file.display()))
        .why("what is judged together is compared by the same numbers")
        .next("calibrate it by itself")
}

/// The last day of a service in an environment, by the rules of the line.
pub(super) async fn of_scope(common: &Common, scope: &ScopeArgs) -> Result<Past, Failure> {
    let context = Context::open_here(common).await?;
    let (name, service, _) = context.scope(scope)?;
    let Some(watch) = &service.watch else {
        return Err(Failure::usage(format!("{name} is watched by nothing in the line"))
            .next("name what it is watched by: andon help service"));
    };
    let now = clock::now();
    let begin = Time(now.0.saturating_sub(i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX)));
    let found = History::of(&context::data_of(common)?, &name).rows(Grain::Seconds, begin..now)?;
    let mut remarks = found.left_out;
    let (watched, metrics) = known(watch, &found.rows, &mut remarks);
    if metrics.is_empty() {
        return Err(Failure::refused(format!("there is no history of what {name} is watched by"))
            .why("history begins when a server or a deployment looks at the balancers; nothing was judged")
            .next("come back when there is some; or give it recordings: --file RECORDING"));
    }
    let bounds: Vec<Option<SlowBound>> = watched.iter().map(|it| bound(it, &found.rows)).collect();
    let row = |kept: &Kept| Row {
        at: kept.at,
        over: kept.over,
        member: kept.member.clone(),
        readings: watched.iter().zip(&bounds).map(|(it, bound)| reading(it, *bound, kept)).collect(),
    };
    let rows = found.rows.iter().map(row).collect();
    Ok(Past { spec: spec(watch, metrics), rows, remarks })
}

/// What of it history knows; the rest is remarked upon.
fn known<'a>(watch: &'a Watch, rows: &[Kept], remarks: &mut Vec<String>) -> (Vec<&'a Watched>, Vec<Metric>) {
    let (known, unknown): (Vec<_>, Vec<_>) = watch.metrics.iter().partition(|it| match it.source {
        Source::Latency { .. } => rows.iter().any(|row| row.latency.is_some()),
        Source::Errors | Source::Prometheus(_) | Source::Pushed { .. } | Source::Script { .. } => {
            rows.iter().any(|row| row.reading(&it.metric.name) != Reading::Missing)
        }
    });
    let says = |it: &&Watched| format!("{}: history does not know it, so it is left out", it.metric.name);
    remarks.extend(unknown.iter().map(says));
    let metrics = known.iter().map(|it| it.metric.clone()).collect();
    (known, metrics)
}

/// The quantile of all that is known, frozen as a deployment would.
fn bound(watched: &Watched, rows: &[Kept]) -> Option<SlowBound> {
    let Source::Latency { quantile } = watched.source else { return None };
    let mut all = Histogram::default();
    rows.iter().filter_map(|row| row.latency.as_ref()).for_each(|latency| all.merge(latency));
    SlowBound::of(&all, f64::from(quantile) / 100.0)
}

fn reading(watched: &Watched, bound: Option<SlowBound>, row: &Kept) -> Reading {
    match (&watched.source, bound, &row.latency) {
        (Source::Latency { .. }, Some(bound), Some(latency)) => bound.reading(latency),
        (Source::Latency { .. }, _, _) => Reading::Missing,
        _ => row.reading(&watched.metric.name),
    }
}

fn spec(watch: &Watch, metrics: Vec<Metric>) -> Spec {
    // Nothing was started, so nothing is young.
    Spec { metrics, warmup: Duration::ZERO, ..watch.spec(1) }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        Failure::broken(error.to_string()).next("look at the directory of the ledger, then try again")
    }
}
