//! Andon measured against other tools, side by side on one machine.
//!
//! A bench is a function that returns rows; all rows end in one table. A figure that was not measured is never
//! written down as if it were.

mod contest;
mod controller;
mod figures;
mod immune;
mod judge;
mod ledger;
mod links;
mod lost;
mod pages;
mod peers;
mod proxy;
mod reconcile;
mod release;
mod run;
mod screens;
mod served;
mod streams;
mod table;

use crate::failure::Failure;
use crate::program::{cargo, run as run_program};
use table::Row;

/// One thing that is measured.
struct Bench {
    /// What to call it in the table, and what the filter looks at.
    name: &'static str,
    /// What is compared with what, in a sentence.
    about: &'static str,
    /// Measures it, so many times where a single time proves little.
    measure: fn(runs: u32) -> Result<Vec<Row>, Failure>,
}

/// All benches, in the order in which they run.
const BENCHES: &[Bench] = &[
    Bench {
        name: "run",
        about: "`true` on 20 hosts with an ssh daemon each, on loopback: the median of 7 alternating runs",
        measure: |_| run::measure(),
    },
    Bench {
        name: "controller",
        about: "a plan and a deployment over 1,000 simulated hosts, ten times as fast as real ones",
        measure: |_| controller::measure(),
    },
    Bench {
        name: "reconcile",
        about: "a controller killed at each append of a deployment over 1,000 simulated hosts, and taken over from",
        measure: |_| reconcile::measure(),
    },
    Bench {
        name: "judge",
        about: "judging a release: one metric on ten instances, and 50 metrics on 500",
        measure: |_| judge::measure(),
    },
    Bench {
        name: "ledger",
        about: "a ledger of two years: 100,000 deployments, 20 million facts",
        measure: |_| ledger::measure(),
    },
    Bench {
        name: "pages",
        about: "every page and every answer of the API with 1,000 hosts, 50 services and 100,000 deployments",
        measure: |_| pages::measure(),
    },
    Bench {
        name: "streams",
        about: "500 clients of the event stream while a service is deployed",
        measure: |_| streams::measure(),
    },
    Bench {
        name: "release",
        about: "a release of 50 MiB to 20 hosts with an ssh daemon each, and again when they have it",
        measure: |_| release::measure(),
    },
    Bench {
        name: "no-request-lost",
        about: "rolling deployments of six instances under 300 requests a second, through each balancer",
        measure: lost::measure,
    },
    Bench {
        name: "immune",
        about: "releases that are judged: gross and tenfold errors on one of six instances, and harmless ones",
        measure: immune::measure,
    },
    Bench {
        name: "proxy",
        about: "the built-in proxy, nginx and HAProxy with one core each, before the same server",
        measure: |_| proxy::measure(),
    },
];

/// Sends so many requests through the built-in proxy and watches its memory. 50 million take half an hour.
pub(crate) fn soak(requests: u64) -> Result<(), Failure> {
    run_program(cargo().args(["build", "--release", "--package", "andon"]))?;
    proxy::soak(requests)
}

/// Looks at every page of a town of 1,000 hosts in a real browser, and keeps pictures.
pub(crate) fn screens() -> Result<(), Failure> {
    run_program(cargo().args(["build", "--release", "--package", "andon"]))?;
    screens::look()
}

/// Runs the benches whose name contains `filter` and prints one table; fails when a target was missed.
pub(crate) fn bench(filter: Option<&str>, runs: u32, install_peers: bool) -> Result<(), Failure> {
    if install_peers {
        peers::install()?;
    }
    run_program(cargo().args(["build", "--release", "--package", "andon"]))?;
    crate::agent::build(crate::agent::Build::Small)?;
    let mut rows = Vec::new();
    for bench in BENCHES.iter().filter(|bench| filter.is_none_or(|filter| bench.name.contains(filter))) {
        println!("\n== {}: {}", bench.name, bench.about);
        rows.extend((bench.measure)(runs)?);
    }
    println!("\n{}", table::render(&rows));
    match rows.iter().filter(|row| row.is_missed()).count() {
        0 => Ok(()),
        missed => Err(Failure::Found(format!("{missed} of {} targets were missed", rows.len()))),
    }
}
