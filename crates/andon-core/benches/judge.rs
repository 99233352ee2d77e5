//! What judging costs: one metric on a small fleet, and 50 metrics on 500 instances.
//!
//! Prints one JSON object as its last line. Run: `cargo bench -p andon-core --bench judge`

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use andon_core::analysis::{
    Arm, Baseline, Entry, Judge, Measure, Metric, MetricBaseline, Reading, Role, Seen, Spec, Tick, Worse,
};
use andon_core::name::{MemberName, MetricName};
use andon_core::time::Time;

fn metric(number: usize) -> Result<Metric, Box<dyn std::error::Error>> {
    Ok(Metric {
        name: MetricName::new(format!("m{number}"))?,
        measure: Measure::Rate,
        worse: Worse::Higher,
        role: if number == 0 { Role::Errors } else { Role::Other },
        weight: 1.0,
        critical: true,
        margin: 1.1,
        harm: 2.0,
        negligible: 0.0,
    })
}

/// Ticks of 5 s in which little happens.
fn ticks(
    metrics: usize,
    canaries: usize,
    controls: usize,
    count: i64,
) -> Result<Vec<Entry>, Box<dyn std::error::Error>> {
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut entries = Vec::new();
    for number in 1..=count {
        let mut members = BTreeMap::new();
        for member in 0..canaries + controls {
            let arm = if member < canaries { Arm::Canary } else { Arm::Control };
            let readings =
                (0..metrics).map(|_| Reading::Count { events: u64::from(random() % 4 == 0), of: 250 });
            let seen = Seen { arm, age: None, readings: readings.collect(), alarms: Vec::new() };
            members.insert(MemberName::new(format!("web{member:03}"))?, seen);
        }
        let over = Duration::from_secs(5);
        entries.push(Entry::Tick(Tick { at: Time(number * 5_000), over, members, silent: Vec::new() }));
    }
    Ok(entries)
}

/// Processor seconds of one tick and of one standing.
fn measure(
    metrics: usize,
    canaries: usize,
    controls: usize,
    count: i64,
) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let spec = Spec::new((0..metrics).map(metric).collect::<Result<_, _>>()?);
    let known = MetricBaseline { rate: Some(0.001), thin: false, ..MetricBaseline::default() };
    let baseline = Baseline { metrics: vec![known; metrics], ..Baseline::default() };
    let entries = ticks(metrics, canaries, controls, count)?;
    let mut judge = Judge::new(spec, baseline);
    let began = cpu_seconds()?;
    entries.iter().for_each(|entry| judge.apply(entry));
    let tick = (cpu_seconds()? - began) / count as f64;
    let began = cpu_seconds()?;
    for _ in 0..500 {
        black_box(judge.standing());
    }
    Ok((tick, (cpu_seconds()? - began) / 500.0))
}

/// Seconds that this thread was on a processor: what others do on the machine does not count.
fn cpu_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().unwrap_or_default().parse::<f64>()? / 1e9)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().any(|word| word == "--test") {
        return Ok(()); // `cargo test --benches` only wants to know that it builds.
    }
    let (small, small_standing) = measure(10, 1, 9, 2_000)?;
    let (canary, _) = measure(50, 10, 490, 200)?;
    let (half, half_standing) = measure(50, 250, 250, 200)?;
    let figures = serde_json::json!({
        "metric_tick_us": small / 10.0 * 1e6,
        "metric_standing_us": small_standing / 10.0 * 1e6,
        "fleet_canary_tick_ms": canary * 1e3,
        "fleet_half_tick_ms": half * 1e3,
        "fleet_half_standing_ms": half_standing * 1e3,
        "fleet_core_percent": 100.0 * (half + half_standing) / 5.0,
    });
    #[allow(clippy::print_stdout, reason = "this is the result")]
    {
        println!("{figures}");
    }
    Ok(())
}
