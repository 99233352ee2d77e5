//! How soon harmful releases are put back, and whether harmless ones are left alone, on real processes behind real
//! balancers.
//!
//! The deploying is done by tests of `andon`, which also run in CI; here the harmless ones run many times in a row.

use serde_json::Value;

use super::lost::printed_figures;
use super::table::{Peer, Row};
use crate::failure::Failure;
use crate::program::{cargo, line, output};

/// From the first bad answer of a release that fails every page to the last one, in seconds.
const GROSS: f64 = 5.0;
/// What may be between the plan's estimate and the release being put back.
const TIMES_THE_PLAN: f64 = 2.0;

/// Deploys harmful releases through each balancer, and `runs` harmless ones.
pub(super) fn measure(runs: u32) -> Result<Vec<Row>, Failure> {
    let mut command = cargo();
    command
        .args(["test", "--release", "--package", "andon", "--test", "judged", "--"])
        .args(["harmful", "harmless", "--nocapture", "--test-threads=1"])
        .env("ANDON_RUNS", runs.to_string());
    let output = output(&mut command)?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let figures = printed_figures(&printed);
    if !output.status.success() {
        eprint!("{printed}{}", String::from_utf8_lossy(&output.stderr));
        return Err(Failure::Program { command: line(&command) });
    }
    let of = |name: &str| figures.iter().filter(|figure| !figure[name].is_null()).collect::<Vec<_>>();
    let mut rows: Vec<Row> = of("gross").into_iter().map(gross).collect();
    rows.extend(of("tenfold").into_iter().map(tenfold));
    let harmless = of("harmless");
    let left_alone = harmless.iter().filter(|figure| figure["state"] == "succeeded").count();
    rows.push(Row {
        name: format!("harmless deployments of {runs} in bad weather that were put back"),
        ours: if harmless.len() == runs as usize {
            Peer::Measured((harmless.len() - left_alone) as f64)
        } else {
            Peer::NotMeasured(format!("{} of {runs} ended", harmless.len()))
        },
        peer: "none".to_owned(),
        theirs: Peer::Measured(0.0),
        target: Some(1.0),
    });
    Ok(rows)
}

fn gross(figure: &Value) -> Row {
    let balancer = figure["gross"].as_str().unwrap_or_default();
    Row {
        name: format!("every page fails, {balancer}: first to last bad answer, s"),
        ours: measured(figure["off_traffic_seconds"].as_f64()),
        peer: "bar".to_owned(),
        theirs: Peer::Measured(GROSS),
        target: Some(1.0),
    }
}

fn tenfold(figure: &Value) -> Row {
    let of = |name: &str| figure[name].as_f64();
    let whole = of("detect_seconds").zip(of("restore_seconds")).map(|(detect, restore)| detect + restore);
    Row {
        name: "tenfold errors on 1 of 6, seen and put back, s".to_owned(),
        ours: measured(whole),
        peer: "the plan's estimate".to_owned(),
        theirs: measured(of("planned_seconds")),
        target: Some(TIMES_THE_PLAN),
    }
}

fn measured(figure: Option<f64>) -> Peer {
    figure.map_or_else(|| Peer::NotMeasured("it was not told".to_owned()), Peer::Measured)
}
