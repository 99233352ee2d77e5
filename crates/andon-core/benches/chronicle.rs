//! How long it takes to know 100,000 deployments, to find some of them, and to measure them all.
//!
//! Summaries are made up, written as JSON as the ledger has them, and read back; reading the ledger's file itself is left
//! out. Prints one JSON object of processor times as its last line. Run: `cargo bench -p andon-core --bench chronicle`

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use andon_core::chronicle::dna::Ages;
use andon_core::chronicle::dora::Changes;
use andon_core::chronicle::{Chronicle, Query, Span};
use andon_core::deployment::{Course, DeploymentId, FleetId, HostCounts, Kind, Summary};
use andon_core::digest::Digest;
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use andon_core::release::{ReleaseId, Revision};
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use serde_json::Value;

const DEPLOYMENTS: u64 = 100_000;
const SERVICES: u64 = 50;
const HOSTS: usize = 1_000;
/// Times that each thing is done; the median counts.
const TIMES: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|word| word == "--test") {
        return Ok(()); // `cargo test --benches` only wants to know that it builds.
    }
    let hosts: Vec<HostName> = (0..HOSTS)
        .map(|number| HostName::new(format!("web{number}.example.com")))
        .collect::<Result<_, _>>()?;
    let fleet = FleetId::of(&hosts);
    let rows: Vec<Value> = (1..=DEPLOYMENTS)
        .map(|id| Ok(serde_json::to_value(summary(id, fleet)?)?))
        .collect::<Result<_, Box<dyn Error>>>()?;
    let began = now();
    let mut chronicle = Chronicle::new();
    chronicle.learn(fleet, hosts);
    for row in rows {
        chronicle.apply(serde_json::from_value(row)?);
    }
    let loaded = now().saturating_sub(began);
    let changed = summary(DEPLOYMENTS - 3, fleet)?;
    let apply = || {
        let mut copy = chronicle.clone();
        copy.apply(changed.clone());
        copy.len()
    };
    let query = |words: &str| chronicle.page(&Query::parse(words), Span::ALL, None, 200).rows.len();
    let span = Span { from: Time(0), until: Time(i64::MAX / 2) };
    let changes = Changes::of(&chronicle, None);
    let figures: BTreeMap<&str, f64> = BTreeMap::from([
        ("deployments", f64::from(u32::try_from(chronicle.len())?)),
        ("load_ms", millis(loaded)),
        ("copy_and_apply_ms", median(apply)),
        ("query_all_ms", median(|| query(""))),
        ("query_person_service_error_ms", median(|| query("@ana shop7 ERROR"))),
        ("query_text_ms", median(|| query("basket nowhere"))),
        ("query_host_ms", median(|| query("web77"))),
        ("changes_ms", median(|| Changes::of(&chronicle, None))),
        ("measure_ms", median(|| changes.measure(span))),
        ("ages_ms", median(|| Ages::of(&chronicle))),
    ]);
    let figures = serde_json::to_string(&figures)?;
    #[allow(clippy::print_stdout, reason = "this is the result")]
    {
        println!("{figures}");
    }
    Ok(())
}

/// The time that this thread has had a processor: other work on the machine does not count.
fn now() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default())
}

fn median<T>(mut work: impl FnMut() -> T) -> f64 {
    let mut took: Vec<Duration> = (0..TIMES)
        .map(|_| {
            let began = now();
            black_box(work());
            now().saturating_sub(began)
        })
        .collect();
    took.sort();
    millis(took[TIMES / 2])
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

fn summary(id: u64, fleet: FleetId) -> Result<Summary, Box<dyn Error>> {
    let service = ServiceName::new(format!("shop{}", id / 2 % SERVICES))?;
    let environment = EnvironmentName::new(if id.is_multiple_of(2) { "production" } else { "staging" })?;
    let release = ReleaseId::of(&Digest::of(&(id / 2).to_le_bytes()));
    let accepted = Time(i64::try_from(id)? * 630_000);
    let good = !id.is_multiple_of(20);
    let after = |minutes: u64| Some(accepted + Duration::from_secs(60 * minutes));
    Ok(Summary {
        id: DeploymentId(id),
        scope: ScopeName { service, environment },
        kind: Kind::Deploy,
        from: Some(ReleaseId::of(&Digest::of(&(id / 2 + 7).to_le_bytes()))),
        revision: Some(Revision {
            commit: release.as_str()[2..9].to_owned(),
            subject: format!("ticket {id}: the basket forgets what was put in"),
            author: "Bea Nowak".into(),
            email: Some("bea@example.com".into()),
            at: Time(accepted.0 - 3_600_000),
        }),
        release,
        by: ["ana", "bea", "carl", "dora"][usize::try_from(id % 4)?].into(),
        why: id.is_multiple_of(3).then(|| format!("ticket {id}: the basket forgets what was put in")),
        state: if good { "succeeded" } else { "rolled_back" }.into(),
        reason: (!good)
            .then(|| "errors on web7 were 9.6 × the old release (at least 4.1 ×), 41 of 2,210".into()),
        accepted,
        started: after(1),
        ended: after(9),
        hosts: HostCounts { total: 1_000, changed: 1_000, succeeded: 1_000, ..HostCounts::default() },
        course: Course {
            fleet: Some(fleet),
            canary: Some(1),
            exposed: Some(1_000),
            everywhere: after(5).filter(|_| good),
            trouble: after(3).filter(|_| !good),
            fixes: None,
        },
    })
}
