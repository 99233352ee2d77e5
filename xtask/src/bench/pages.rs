//! Whether the screen is quick with 1,000 hosts, 50 services and 100,000 deployments: every page that a link leads to, and
//! everything that the API lets one read.
//!
//! A bench of `andon-server` makes the ledger, below `target/`, and it is kept: making it takes a minute.
//! `ANDON_DEPLOYMENTS` makes it smaller. Times are those of a client on loopback: from the first byte of the request to
//! the last byte of the answer. A page weighs what a browser that comes for the first time gets: the page, its
//! styles and its scripts, packed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::figures::Figures;
use super::links::{self, Shapes};
use super::served::Served;
use super::table::{Peer, Row};
use crate::failure::Failure;
use crate::workspace;

const DEPLOYMENTS: &str = "100000";
/// What one answer may take, of 95 in 100.
const MOST_MS: f64 = 150.0;
/// What one page may weigh on the wire.
const MOST_KB: f64 = 300.0;
/// How often each is asked once it is warm, and how often what somebody saves as a file.
const ROUNDS: usize = 40;
const ROUNDS_OF_FILES: usize = 3;

/// What this ledger has none of: logs, and the bytes of releases. All else that cannot be read is missed.
const NOT_IN_IT: [&str; 2] = ["/logs/", "/bytes"];

/// What one path costs.
struct Cost {
    path: String,
    status: u16,
    cold: Duration,
    warm: Vec<Duration>,
    raw: usize,
    wire: usize,
}

/// Makes the ledger where there is none yet, asks, and gives a row for each figure.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let (directory, mut rows) = town()?;
    let began = Instant::now();
    let served = Served::start(&directory)?;
    rows.push(Row::within(
        "andon server: until it answers, ms",
        Peer::Measured(millis(began.elapsed())),
        None,
    ));
    let shapes = Shapes::new(names(&directory));
    let pages = links::pages(&served, &shapes)?;
    // Nothing that was asked before may help the first time.
    drop(served);
    let served = Served::start(&directory)?;
    let costs = pages.iter().map(|path| cost(&served, path)).collect::<Result<Vec<_>, _>>()?;
    rows.extend(page_rows(&served, &shapes, &costs)?);
    let (reads, unknown) = links::reads(&served)?;
    let costs = reads.iter().map(|path| cost(&served, path)).collect::<Result<Vec<_>, _>>()?;
    rows.extend(read_rows(&costs));
    rows.extend(unknown.into_iter().map(|path| {
        let nothing = Peer::NotMeasured(format!("{path}: nobody has said what to put into its path"));
        Row::within(&format!("GET {path}, 95 of 100, ms"), nothing, budget_of_read(&path))
    }));
    rows.push(Row::within("andon server: peak memory, MiB", Peer::Measured(served.peak_mib()), None));
    Ok(rows)
}

/// The directory with the line and the ledger.
pub(super) fn town() -> Result<(PathBuf, Vec<Row>), Failure> {
    let deployments = std::env::var("ANDON_DEPLOYMENTS").unwrap_or_else(|_| DEPLOYMENTS.to_owned());
    let directory = workspace::target().join(format!("bench-screen-{deployments}"));
    let whole = directory.join("whole");
    if whole.is_file() {
        return Ok((directory, Vec::new()));
    }
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).map_err(Failure::io("make", &directory))?;
    let at = directory.display().to_string();
    let figures = Figures::of("andon-server", "screen", &["--deployments", &deployments, "--at", &at])?;
    fs::write(&whole, "").map_err(Failure::io("write", &whole))?;
    let budgets = [
        ("generate_seconds", "making the ledger, s", None),
        ("records", "records in the ledger", None),
        ("file_mib", "its file, MiB", None),
    ];
    Ok((directory, figures.rows(&budgets)))
}

/// Asks for one path, cold first.
fn cost(served: &Served, path: &str) -> Result<Cost, Failure> {
    let first = served.get(path, true)?;
    let raw = served.get(path, false)?.body.len();
    let mut warm = Vec::new();
    for _ in 0..if is_file(path) { ROUNDS_OF_FILES } else { ROUNDS } {
        warm.push(served.get(path, true)?.took);
    }
    warm.sort();
    let cost = Cost {
        path: path.to_owned(),
        status: first.status,
        cold: first.took,
        warm,
        raw,
        wire: first.body.len(),
    };
    println!(
        "{:>3}  cold {:7.1} ms  p50 {:6.1} ms  p95 {:6.1} ms  raw {:8.1} kB  gzip {:7.1} kB  {}",
        cost.status,
        millis(cost.cold),
        millis(cost.share(50)),
        millis(cost.share(95)),
        kilo(cost.raw),
        kilo(cost.wire),
        cost.path
    );
    Ok(cost)
}

impl Cost {
    /// What so many of a hundred took at most.
    fn share(&self, of_100: usize) -> Duration {
        self.warm.get((self.warm.len() * of_100).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    }

    fn figure(&self, figure: f64) -> Peer {
        match self.status {
            200..=299 => Peer::Measured(figure),
            status => Peer::NotMeasured(format!("{} answered {status}", self.path)),
        }
    }
}

/// Of pages of one shape, the dearest counts.
fn page_rows(served: &Served, shapes: &Shapes, costs: &[Cost]) -> Result<Vec<Row>, Failure> {
    let mut by_shape: BTreeMap<String, Vec<&Cost>> = BTreeMap::new();
    for cost in costs {
        by_shape.entry(shapes.of(&cost.path)).or_default().push(cost);
    }
    let mut weighed: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows = Vec::new();
    for (shape, costs) in by_shape {
        let slowest = costs.iter().max_by_key(|cost| (cost.status >= 300, cost.share(95)));
        let coldest = costs.iter().max_by_key(|cost| cost.cold);
        let (Some(slowest), Some(coldest)) = (slowest, coldest) else { continue };
        let mut heaviest = 0;
        for cost in &costs {
            let html = served.get(&cost.path, false)?;
            let mut wire = cost.wire;
            for part in links::parts(served, &html)? {
                let known = weighed.get(&part).copied();
                let bytes = match known {
                    Some(bytes) => bytes,
                    None => served.get(&part, true)?.body.len(),
                };
                weighed.insert(part, bytes);
                wire += bytes;
            }
            heaviest = heaviest.max(wire);
        }
        let within = |most| (!is_file(&slowest.path)).then_some(most);
        let ms = slowest.figure(millis(slowest.share(95)));
        rows.push(Row::within(&format!("{shape}, 95 of 100, ms"), ms, within(MOST_MS)));
        let cold = coldest.figure(millis(coldest.cold));
        rows.push(Row::within(&format!("{shape}, the first time, ms"), cold, None));
        let weight = slowest.figure(kilo(heaviest));
        rows.push(Row::within(&format!("{shape}, with all it brings, kB"), weight, within(MOST_KB)));
    }
    Ok(rows)
}

/// Whether it is saved rather than looked at: an export of the whole ledger.
fn is_file(path: &str) -> bool {
    path.starts_with("/ledger/export.") && !path.contains("stream=")
}

fn budget_of_read(path: &str) -> Option<f64> {
    (!NOT_IN_IT.iter().any(|absent| path.contains(absent))).then_some(MOST_MS)
}

fn read_rows(costs: &[Cost]) -> Vec<Row> {
    let row = |cost: &Cost| {
        let ms = cost.figure(millis(cost.share(95)));
        Row::within(&format!("GET {}, 95 of 100, ms", cost.path), ms, budget_of_read(&cost.path))
    };
    costs.iter().map(row).collect()
}

/// The names that the town gives to services, environments and hosts.
pub(super) fn names(directory: &Path) -> BTreeSet<String> {
    let line = fs::read_to_string(directory.join("line.star")).unwrap_or_default();
    line.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

fn kilo(bytes: usize) -> f64 {
    bytes as f64 / 1000.0
}
