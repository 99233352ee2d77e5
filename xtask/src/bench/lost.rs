//! How many requests users lose by deployments, through each balancer.
//!
//! The deploying and the counting is done by tests of `andon`, which also run in CI; here they run many times in a row.

use serde_json::Value;

use super::table::{Peer, Row};
use crate::failure::Failure;
use crate::program::{cargo, line, output};

/// The balancers, as the tests call them.
const BALANCERS: [&str; 3] = ["haproxy", "nginx", "proxy"];

/// Makes `runs` deployments through each balancer, and returns its rows.
pub(super) fn measure(runs: u32) -> Result<Vec<Row>, Failure> {
    let mut command = cargo();
    command
        .args(["test", "--release", "--package", "andon", "--test", "traffic", "--"])
        .args(["rolling::six_instances", "--nocapture", "--test-threads=1"])
        .env("ANDON_RUNS", runs.to_string());
    let output = output(&mut command)?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let figures = printed_figures(&printed);
    // A run that lost nothing may still have failed in another way.
    let lost: u64 = figures.iter().filter_map(|figure| figure["failed"].as_u64()).sum();
    if !output.status.success() && lost == 0 {
        eprint!("{printed}{}", String::from_utf8_lossy(&output.stderr));
        return Err(Failure::Program { command: line(&command) });
    }
    Ok(BALANCERS.iter().flat_map(|balancer| rows(balancer, runs, &figures)).collect())
}

/// The figures that tests printed, each a line of JSON; they are printed once more.
pub(super) fn printed_figures(printed: &str) -> Vec<Value> {
    // The first one stands behind the name of its test.
    let figure = |line: &str| serde_json::from_str(line.get(line.find('{')?..)?).ok();
    let figures: Vec<Value> = printed.lines().filter_map(figure).collect();
    for figure in &figures {
        println!("{figure}");
    }
    figures
}

/// Requests lost in all runs through a balancer, and the worst of their latencies.
fn rows(balancer: &str, runs: u32, figures: &[Value]) -> Vec<Row> {
    let own: Vec<&Value> = figures.iter().filter(|figure| figure["balancer"] == balancer).collect();
    let sum = |field: &str| own.iter().filter_map(|figure| figure[field].as_f64()).sum::<f64>();
    let worst = own.iter().filter_map(|figure| figure["p50_ms"].as_f64()).fold(0.0, f64::max);
    let whole = own.len() == runs as usize;
    let missing = || Peer::NotMeasured(format!("{} of {runs} runs through {balancer} ended", own.len()));
    vec![
        Row {
            name: format!("lost of {} requests, {runs} runs, {balancer}", sum("requests")),
            ours: if whole { Peer::Measured(sum("failed")) } else { missing() },
            peer: "none".to_owned(),
            theirs: Peer::Measured(0.0),
            target: Some(1.0),
        },
        Row {
            name: format!("p50 meanwhile, worst run, {balancer}, ms"),
            ours: if whole { Peer::Measured(worst) } else { missing() },
            peer: "for information".to_owned(),
            theirs: Peer::NotMeasured("it has no budget".to_owned()),
            target: None,
        },
    ]
}
