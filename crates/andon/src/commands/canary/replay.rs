//! `andon canary replay`: a recording, judged again.

use std::path::Path;

use andon_core::analysis::{Arm, Entry, Judge, Recording, Standing, Verdict};
use andon_core::quantity::format_duration;
use andon_core::time::Time;
use andon_server::evaluations::{MetricView, status_word, verdict_word};
use andon_server::recording::{self, RecordingError};
use serde_json::{Value, json};

use crate::args::Common;
use crate::commands::{Done, say, say_json};
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;
use crate::screen::legible;
use crate::when;

/// A moment at which the judgement changed.
struct Change {
    at: Time,
    status: &'static str,
    verdict: Option<Verdict>,
    sentence: String,
}

pub(super) fn replay(common: &Common, file: &Path, alpha: Option<f64>) -> Done {
    let recording::Kept { mut recording, torn } = recording::read(file)?;
    if let Some(alpha) = alpha {
        recording.header.spec.alpha = alpha;
    }
    let (changes, standing) = judge(&recording);
    if common.json {
        say_json(&as_json(&recording, torn, &changes, &standing));
    } else {
        tell(file, &recording, torn, &changes, &standing);
    }
    Ok(if standing.verdict == Some(Verdict::Fail) { exit::NOT_WELL } else { exit::OK })
}

/// Hears all entries; the moments at which the status or the verdict changed, and the end.
fn judge(recording: &Recording) -> (Vec<Change>, Standing) {
    let mut judge = Judge::new(recording.header.spec.clone(), recording.header.baseline.clone());
    let mut changes: Vec<Change> = Vec::new();
    for entry in &recording.entries {
        judge.apply(entry);
        let standing = judge.standing();
        let status = status_word(&standing.status);
        let same = |last: &Change| (last.status, last.verdict) == (status, standing.verdict);
        if !changes.last().is_some_and(same) {
            let Standing { verdict, sentence, .. } = standing;
            changes.push(Change { at: time_of(entry), status, verdict, sentence });
        }
    }
    (changes, judge.standing())
}

fn time_of(entry: &Entry) -> Time {
    match entry {
        Entry::Stage { at } => *at,
        Entry::Tick(tick) => tick.at,
    }
}

fn as_json(recording: &Recording, torn: u64, changes: &[Change], standing: &Standing) -> Value {
    let change = |change: &Change| {
        json!({
            "at": when::iso(change.at),
            "status": change.status,
            "verdict": change.verdict,
            "sentence": change.sentence,
        })
    };
    let metrics: Vec<MetricView> = standing.metrics.iter().cloned().map(MetricView::from).collect();
    json!({
        "alpha": recording.header.spec.alpha,
        "entries": standing.entries,
        "torn_bytes": torn,
        "status": status_word(&standing.status),
        "verdict": standing.verdict,
        "sentence": standing.sentence,
        "sampled": standing.sampled,
        "metrics": metrics,
        "suspects": standing.suspects,
        "changes": changes.iter().map(change).collect::<Vec<_>>(),
    })
}

fn tell(file: &Path, recording: &Recording, torn: u64, changes: &[Change], standing: &Standing) {
    let paint = Paint::stdout();
    let entries = &recording.entries;
    let span = match (entries.first(), entries.last()) {
        (Some(first), Some(last)) => time_of(last).since(time_of(first)),
        _ => std::time::Duration::ZERO,
    };
    let members = |arm: Arm| {
        let of = |entry: &Entry| match entry {
            Entry::Tick(tick) => tick.members.values().filter(|seen| seen.arm == arm).count(),
            Entry::Stage { .. } => 0,
        };
        entries.iter().map(of).max().unwrap_or(0)
    };
    say(&format!(
        "{}: {} entries over {}; new: {}, old: {}; alpha {}",
        file.display(),
        entries.len(),
        format_duration(span),
        members(Arm::Canary),
        members(Arm::Control),
        recording.header.spec.alpha,
    ));
    if torn > 0 {
        say(&format!("{} the last line was torn off and is left out: {} bytes", paint.question(), torn));
    }
    for change in changes {
        let word = change.verdict.map_or(change.status, verdict_word);
        let sentence = legible(&change.sentence);
        say(&format!("{}  {}  {word:<12}  {sentence}", sign(change.verdict, paint), when::clock(change.at)));
    }
    say("");
    say(&format!("{:<20} {:>24} {:>24}  new as a multiple of old", "metric", "new", "old"));
    for metric in &standing.metrics {
        let of = |(events, of): (u64, u64)| format!("{events} of {of}");
        let blamed = if metric.blamed { "  blamed" } else { "" };
        say(&format!(
            "{:<20} {:>24} {:>24}  {}{blamed}",
            metric.name,
            of(metric.canary),
            of(metric.control),
            ratio(metric.ratio, metric.low, metric.high),
        ));
    }
    for suspect in &standing.suspects {
        say(&format!("suspect {}: {}", suspect.member, legible(&suspect.why)));
    }
}

fn sign(verdict: Option<Verdict>, paint: Paint) -> String {
    match verdict {
        None => paint.dot(),
        Some(Verdict::Pass) => paint.tick(),
        Some(Verdict::Fail) => paint.cross(),
        Some(Verdict::Inconclusive | Verdict::None) => paint.question(),
    }
}

/// `9.60 × [4.10 … 23.0]`; what is not known is a question mark.
fn ratio(ratio: Option<f64>, low: Option<f64>, high: Option<f64>) -> String {
    let number = |number: Option<f64>| match number {
        Some(number) if number >= 100.0 => format!("{number:.0}"),
        Some(number) if number >= 10.0 => format!("{number:.1}"),
        Some(number) => format!("{number:.2}"),
        None => "?".to_owned(),
    };
    format!("{} × [{} … {}]", number(ratio), number(low), number(high))
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Self {
        let what = error.to_string();
        match error {
            RecordingError::Io { .. } => Failure::usage(what).next("check the name of the recording"),
            RecordingError::Damaged { .. } => {
                Failure::usage(what).why("a verdict must not rest on a part of what was heard")
            }
            RecordingError::Full { .. } => Failure::usage(what),
        }
    }
}
