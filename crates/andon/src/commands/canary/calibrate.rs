//! `andon canary calibrate`: fake canaries over what was recorded, and how often they were accused.

use std::path::{Path, PathBuf};

use andon_core::analysis::history::Row;
use andon_core::analysis::{Arm, Calibration, Entry, Recording, Spec};
use andon_core::name::MetricName;
use andon_core::quantity::format_duration;
use andon_server::recording;
use clap::Args;
use serde_json::{Value, json};

use crate::args::Common;
use crate::commands::{Done, say};
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;

/// How sure the interval is.
const CONFIDENCE: f64 = 0.95;
/// A seed like any other; `--seed` says another one.
const SEED: u64 = 1;

/// What `andon canary calibrate` is told.
#[derive(Debug, Args)]
pub(crate) struct CalibrateArgs {
    /// A recording whose old instances are the history; several for more of it
    #[arg(long = "file", value_name = "RECORDING", required = true)]
    files: Vec<PathBuf>,
    /// How many fake canaries
    #[arg(long, value_name = "COUNT", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// How many instances are called new in each
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    canaries: usize,
    /// Judge by this nominal probability of a false accusation [default: the recording's own]
    #[arg(long, value_name = "SHARE", value_parser = super::share)]
    alpha: Option<f64>,
    /// The same seed makes the same fake canaries
    #[arg(long, value_name = "NUMBER", default_value_t = SEED)]
    seed: u64,
}

pub(super) fn calibrate(common: &Common, args: &CalibrateArgs) -> Done {
    let (mut spec, rows) = history(&args.files)?;
    spec.alpha = args.alpha.unwrap_or(spec.alpha);
    let done = Calibration::of(&spec, &rows, args.count, args.canaries, args.seed).map_err(|error| {
        Failure::refused(error.to_string())
            .why("a rate that rests on nothing says nothing; nothing was judged")
            .next("give it longer recordings, or more of them: --file RECORDING --file RECORDING")
    })?;
    if common.json {
        say(&as_json(&spec, args, &done).to_string());
    } else {
        tell(&spec, args, &done);
    }
    Ok(exit::OK)
}

/// The rules of the recordings, and what the old instances were seen to do.
fn history(files: &[PathBuf]) -> Result<(Spec, Vec<Row>), Failure> {
    let mut spec: Option<Spec> = None;
    let mut rows = Vec::new();
    for file in files {
        let Recording { header, entries } = recording::read(file)?.recording;
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
    Ok((spec, rows))
}

fn another(file: &Path) -> Failure {
    Failure::usage(format!("{} has other metrics than the first recording", file.display()))
        .why("what is judged together is compared by the same numbers")
        .next("calibrate it by itself")
}

fn metrics<'a>(
    spec: &'a Spec,
    done: &'a Calibration,
) -> impl Iterator<Item = (&'a MetricName, f64, bool, u64)> {
    spec.metrics.iter().zip(&done.baseline.metrics).map(|(metric, known)| {
        let blamed = done.blamed.get(&metric.name).copied().unwrap_or(0);
        (&metric.name, known.dispersion, known.thin, blamed)
    })
}

fn as_json(spec: &Spec, args: &CalibrateArgs, done: &Calibration) -> Value {
    let (low, high) = done.false_alarms.interval(CONFIDENCE);
    let metrics = metrics(spec, done).map(|(name, dispersion, thin, blamed)| {
        json!({ "name": name, "dispersion": dispersion, "thin": thin, "blamed": blamed })
    });
    json!({
        "alpha": spec.alpha,
        "seed": args.seed,
        "false_alarms": done.false_alarms.hits,
        "trials": done.false_alarms.trials,
        "share": done.false_alarms.share(),
        "low": low,
        "high": high,
        "confidence": CONFIDENCE,
        "apart": done.apart,
        "members": done.members,
        "canaries": args.canaries,
        "window_seconds": done.window.as_secs_f64(),
        "metrics": metrics.collect::<Vec<Value>>(),
    })
}

fn tell(spec: &Spec, args: &CalibrateArgs, done: &Calibration) {
    let paint = Paint::stdout();
    let (low, high) = done.false_alarms.interval(CONFIDENCE);
    say(&format!(
        "{} of {} fake canaries were accused: {} [{} … {}] at alpha {}",
        done.false_alarms.hits,
        done.false_alarms.trials,
        percent(done.false_alarms.share()),
        percent(low),
        percent(high),
        spec.alpha,
    ));
    say(&format!(
        "each is {} of {} instances, for {}; seed {}",
        args.canaries,
        done.members,
        format_duration(done.window),
        args.seed
    ));
    if done.apart < done.false_alarms.trials {
        say(&format!(
            "{} the interval takes them for independent; of this history, at most {} share neither time nor instances",
            paint.question(),
            done.apart
        ));
    }
    if done.window < spec.window {
        say(&format!(
            "{} the rules look for {}; this history has room for {} only",
            paint.question(),
            format_duration(spec.window),
            format_duration(done.window)
        ));
    }
    for (name, dispersion, thin, blamed) in metrics(spec, done) {
        let thin = if thin { "; too few events for factors" } else { "" };
        say(&format!(
            "{name:<20} counts vary {dispersion:.2} × as independent ones would{thin}; blamed {blamed} times"
        ));
    }
}

/// Hundredths with the digits that a small share needs.
fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent == 0.0 || percent >= 100.0 => format!("{percent:.0} %"),
        percent if percent < 1.0 => format!("{percent:.3} %"),
        percent => format!("{percent:.1} %"),
    }
}
