//! The built-in proxy beside nginx and HAProxy: the same machine, server, connections and processor core.
//!
//! One core belongs to the contestant, all others to the load and the server behind it, so that none of the three can
//! take from the others what it does not have. Processor time is that of the contestant's processes alone.

use std::time::Duration;

use super::table::{Peer, Row};
use crate::failure::Failure;
use contestant::{Contestant, Stage};

mod contestant;
mod paced;
mod soak;
mod wrk;

pub(super) use soak::soak;

/// Connections that the load keeps open.
const CONNECTIONS: usize = 64;

/// How long each measurement lasts; the first seconds of each contestant are not counted.
const SPAN: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(2);

/// Rounds in turns; the median counts.
const ROUNDS: usize = 3;

/// Requests per CPU-second at least 0.8 of nginx's, said as CPU per request.
const PROCESSOR_TARGET: f64 = 1.0 / 0.8;

/// The 99th percentile at half load, compared with nginx's.
const LATENCY_TARGET: f64 = 1.5;

/// What one measurement found.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    /// Requests that were answered with 200.
    requests: u64,
    /// Requests per second.
    rate: f64,
    /// Microseconds of processor time for a request.
    processor_us: f64,
    /// Milliseconds that so many of a thousand responses did not exceed: 500, 990, 999.
    quantiles_ms: [f64; 3],
    /// Requests without a response, and those not answered with 200.
    failed: u64,
}

/// Measures all, prints what was found, and returns the rows with a target and those for information.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let stage = Stage::prepare()?;
    let contestants = stage.contestants()?;
    let saturated = in_turns(&contestants, |contestant| {
        let before = contestant.processor();
        let mut figures = wrk::run(contestant.address(), CONNECTIONS, SPAN, stage.directory())?;
        let used = contestant.processor().saturating_sub(before);
        figures.processor_us = used.as_secs_f64() * 1e6 / (figures.requests as f64).max(1.0);
        Ok(figures)
    })?;
    let least = saturated.iter().map(|figures| figures.rate).fold(f64::INFINITY, f64::min);
    let rate = least / 2.0;
    let at_half = in_turns(&contestants, |contestant| {
        let before = contestant.processor();
        let mut figures = paced::run(contestant.address(), CONNECTIONS, rate, SPAN)?;
        let used = contestant.processor().saturating_sub(before);
        figures.processor_us = used.as_secs_f64() * 1e6 / (figures.requests as f64).max(1.0);
        Ok(figures)
    })?;
    print("at saturation", &contestants, &saturated);
    print(&format!("at {rate:.0} requests/s, half of what the slowest can do"), &contestants, &at_half);
    Ok(rows(&contestants, &saturated, &at_half))
}

/// The median of each contestant's figures over all rounds, in the contestants' order.
fn in_turns(
    contestants: &[Contestant],
    measure: impl Fn(&Contestant) -> Result<Figures, Failure>,
) -> Result<Vec<Figures>, Failure> {
    let mut found: Vec<Vec<Figures>> = vec![Vec::new(); contestants.len()];
    for contestant in contestants {
        paced::run(contestant.address(), CONNECTIONS, 2000.0, WARM_UP)?;
    }
    for _ in 0..ROUNDS {
        for (contestant, found) in contestants.iter().zip(&mut found) {
            found.push(measure(contestant)?);
        }
    }
    Ok(found.iter().map(|rounds| median(rounds)).collect())
}

/// The median of each figure by itself; all failures.
fn median(rounds: &[Figures]) -> Figures {
    let middle = |figure: &dyn Fn(&Figures) -> f64| {
        let mut sorted: Vec<f64> = rounds.iter().map(figure).collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    };
    Figures {
        requests: rounds.iter().map(|round| round.requests).sum(),
        rate: middle(&|round| round.rate),
        processor_us: middle(&|round| round.processor_us),
        quantiles_ms: std::array::from_fn(|number| middle(&|round| round.quantiles_ms[number])),
        failed: rounds.iter().map(|round| round.failed).sum(),
    }
}

fn print(when: &str, contestants: &[Contestant], found: &[Figures]) {
    println!(
        "\n{when}, {CONNECTIONS} connections, one core, median of {ROUNDS} rounds of {} s",
        SPAN.as_secs()
    );
    println!(
        "{:<10} {:>12} {:>22} {:>9} {:>9} {:>9} {:>7}",
        "", "requests/s", "requests/CPU-second", "p50 ms", "p99 ms", "p99.9 ms", "failed"
    );
    for (contestant, figures) in contestants.iter().zip(found) {
        let [p50, p99, p999] = figures.quantiles_ms;
        println!(
            "{:<10} {:>12.0} {:>22.0} {p50:>9.2} {p99:>9.2} {p999:>9.2} {:>7}",
            contestant.name(),
            figures.rate,
            1e6 / figures.processor_us.max(f64::MIN_POSITIVE),
            figures.failed
        );
    }
}

fn rows(contestants: &[Contestant], saturated: &[Figures], at_half: &[Figures]) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut peers = contestants.iter().zip(saturated.iter().zip(at_half));
    let Some((_, (own_saturated, own_half))) = peers.next() else { return rows };
    for (peer, (saturated, half)) in peers {
        let targets = peer.name() == contestant::NGINX;
        let mut row = |name: &str, ours: f64, theirs: f64, target: f64| {
            rows.push(Row {
                name: format!("proxy, {name}"),
                ours: Peer::Measured(ours),
                peer: peer.name().to_owned(),
                theirs: Peer::Measured(theirs),
                target: targets.then_some(target),
            });
        };
        row("CPU per request, us", own_saturated.processor_us, saturated.processor_us, PROCESSOR_TARGET);
        row("p99 at half load, ms", own_half.quantiles_ms[1], half.quantiles_ms[1], LATENCY_TARGET);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_figure_by_figure_and_failures_add_up() {
        let round = |rate: f64, p99: f64| Figures {
            rate,
            quantiles_ms: [0.0, p99, 0.0],
            failed: 1,
            ..Figures::default()
        };
        let found = median(&[round(1.0, 9.0), round(5.0, 2.0), round(3.0, 4.0)]);
        assert_eq!((found.rate, found.quantiles_ms[1], found.failed), (3.0, 4.0, 3));
    }
}
