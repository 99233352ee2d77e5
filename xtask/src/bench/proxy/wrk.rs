//! `wrk` at saturation: as many requests as come back.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Figures;
use super::contestant::others;
use crate::failure::Failure;
use crate::program::text;

/// Prints what is needed in one line, in microseconds where it is a time.
const REPORT: &str = r#"done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("figures %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), failed))
end
"#;

/// Puts the load on `address` for `span`.
pub(super) fn run(
    address: SocketAddr,
    connections: usize,
    span: Duration,
    directory: &Path,
) -> Result<Figures, Failure> {
    let script = directory.join("report.lua");
    std::fs::write(&script, REPORT).map_err(Failure::io("write", &script))?;
    let printed = text(
        Command::new("taskset")
            .args(["-c", &others(), "wrk", "-t1"])
            .arg(format!("-c{connections}"))
            .arg(format!("-d{}s", span.as_secs()))
            // What waits for a busy machine is slow, and not lost.
            .arg("--timeout=30s")
            .arg("-s")
            .arg(&script)
            .arg(format!("http://{address}/")),
    )?;
    parse(&printed).ok_or_else(|| Failure::Found(format!("wrk printed no figures: {printed}")))
}

fn parse(printed: &str) -> Option<Figures> {
    let line = printed.lines().find_map(|line| line.strip_prefix("figures "))?;
    let numbers: Vec<u64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
    let [requests, us, p50, p99, p999, failed] = *numbers.as_slice() else { return None };
    Some(Figures {
        requests,
        rate: requests as f64 / (us as f64 / 1e6),
        quantiles_ms: [p50, p99, p999].map(|us| us as f64 / 1e3),
        failed,
        ..Figures::default()
    })
}

#[test]
fn the_figures_of_wrk_are_found_among_its_words() {
    let found = parse("Running 10s test\nfigures 1000 2000000 500 1500 9000 3\n").unwrap();
    assert_eq!((found.rate, found.quantiles_ms, found.failed), (500.0, [0.5, 1.5, 9.0], 3));
    assert!(parse("Running 10s test\n").is_none());
}
