//! `andon canary calibrate`: fake canaries over the past, and how often they were accused.

use std::path::PathBuf;

use andon_core::analysis::{Calibration, Spec};
use andon_core::name::{EnvironmentName, MetricName, ServiceName};
use andon_core::quantity::format_duration;
use clap::Args;
use serde_json::{Value, json};

use super::past::{self, Past};
use crate::args::{Common, ScopeArgs};
use crate::commands::{Done, say, say_json};
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
    /// The service whose history is looked at
    #[arg(required_unless_present = "files", conflicts_with = "files")]
    service: Option<ServiceName>,
    /// The environment [default: the only one]
    environment: Option<EnvironmentName>,
    /// A recording whose old instances are the past; several for more of it
    #[arg(long = "file", value_name = "RECORDING")]
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

pub(super) async fn calibrate(common: &Common, args: &CalibrateArgs) -> Done {
    let Past { mut spec, rows, remarks } = match &args.service {
        Some(service) => {
            let scope = ScopeArgs { service: service.clone(), environment: args.environment.clone() };
            past::of_scope(common, &scope).await?
        }
        None => past::of_recordings(&args.files)?,
    };
    spec.alpha = args.alpha.unwrap_or(spec.alpha);
    let done = Calibration::of(&spec, &rows, args.count, args.canaries, args.seed).map_err(|error| {
        Failure::refused(error.to_string())
            .why("a rate that rests on nothing says nothing; nothing was judged")
            .next("come back when there is more of it; or give it longer recordings: --file RECORDING")
    })?;
    if common.json {
        let mut told = as_json(&spec, args, &done);
        told["remarks"] = json!(remarks);
        say_json(&told);
    } else {
        tell(&spec, args, &done);
        remarks.iter().for_each(|remark| say(&format!("{} {remark}", Paint::stdout().question())));
    }
    Ok(exit::OK)
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
