//! What the controller itself costs at 1,000 hosts: plan with preflight, and a whole deployment.
//!
//! The hosts are simulated in this process: each stage takes the time of a real one, divided by `SPEED`. Everything
//! else is real: the line is read from Starlark, the ledger is SQLite in a file, the driver is the product's own. The
//! ideal wall time is that of a controller that costs nothing; the overhead is what is above it.
//!
//! Prints one JSON object as its last line. Run: `cargo bench -p andon-server --bench thousand_hosts`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use andon_api::agent::Order;
use andon_core::balance::{BalancerFailure, Pool, PoolSight, Sockets, Wishes};
use andon_core::deployment::{Kind, State};
use andon_core::host::{Authority, HostFacts, Outcome, Placement, Step, Token};
use andon_core::line::{Host, Transport};
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::person::Person;
use andon_core::scope::ScopeName;
use andon_server::hosts::{HostError, Hosts, Supplies};
use andon_server::{Controller, Records, Wish};
use andon_store::SqliteLedger;
use async_trait::async_trait;

#[path = "simulated/facts.rs"]
mod facts;

use facts::facts;

const HOSTS: usize = 1000;
/// The simulated hosts are so many times faster than real ones.
const SPEED: u32 = 10;
/// One round trip to a host.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// The times of a real host, as in the published accounts of rolling deploys.
fn takes(step: &Step) -> Duration {
    match step {
        Step::Prepare { .. } => Duration::from_secs(5),
        Step::Activate { .. } => Duration::from_secs(18),
        Step::Verify { .. } => Duration::from_secs(13),
        Step::Observe { period, .. } => *period * SPEED,
    }
}

#[derive(Default)]
struct SimulatedHosts {
    probes: AtomicU64,
    steps: AtomicU64,
}

#[async_trait]
impl Hosts for SimulatedHosts {
    async fn probe(&self, _: &Host, placement: &Placement, _: &[Token]) -> Result<HostFacts, HostError> {
        self.probes.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(ROUND_TRIP).await;
        Ok(facts(placement, None))
    }

    async fn balance(
        &self,
        _: &Host,
        _: &Pool,
        _: &Authority,
        _: &Wishes,
    ) -> Result<PoolSight, BalancerFailure> {
        Ok(PoolSight::default())
    }

    async fn count_sockets(&self, _: &Host, _: &Placement) -> Result<Sockets, String> {
        Ok(Sockets::default())
    }

    async fn carry_out(&self, _: &Host, order: Order, _: &Supplies) -> Result<Outcome, HostError> {
        self.steps.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(takes(&order.step) / SPEED).await;
        Ok(Outcome::Succeeded)
    }

    async fn kill(&self, _: &Host, _: &Placement, _: &Token) -> Result<(), HostError> {
        Ok(())
    }
}

const LINE: &str = r#"
web = group("web", ["web%d.example.com" % n for n in range(1000)])
service("www", hosts = {"production": web}, release = directory("build"),
    run = process(exec = "{release}/www --port {port}", ports = [8080]),
    health = http("/healthz"), tests = [http("/")],
    rollout = rollout(min_healthy_time = "1s", bake = "1s"))
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().any(|word| word == "--test") {
        return Ok(()); // `cargo test --benches` only wants to know that it builds.
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let dir = tempfile::tempdir()?;
    let figures = runtime.block_on(measure(dir.path()))?;
    #[allow(clippy::print_stdout, reason = "this is the result")]
    {
        println!("{figures}");
    }
    Ok(())
}

async fn measure(dir: &Path) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    std::fs::create_dir(dir.join("build"))?;
    std::fs::write(dir.join("build/www"), "#!/bin/sh\n")?;
    std::fs::write(dir.join("line.star"), LINE)?;
    let ways = Arc::new(SimulatedHosts::default());
    let ledger = SqliteLedger::open(dir.join("ledger.db")).await?;
    let me = Person { name: "bench".into(), at: "here".into() };
    let controller = Controller::new(
        Records::new(Arc::new(ledger)),
        Arc::<SimulatedHosts>::clone(&ways),
        dir.to_owned(),
        me,
    );

    let began = Instant::now();
    let loaded = andon_line::load(&dir.join("line.star")).map_err(|mistakes| format!("{mistakes}"))?;
    let service = loaded.line.services.values().next().ok_or("the line has no service")?.clone();
    let release = controller.artifacts().keep(&service.release, dir, None)?;
    let wish = Wish {
        pools: Vec::new(),
        sites: BTreeMap::new(),
        directory: PathBuf::from("/"),
        scope: ScopeName {
            service: ServiceName::new("www")?,
            environment: EnvironmentName::new("production")?,
        },
        kind: Kind::Deploy,
        release,
        hosts: loaded.line.hosts.values().cloned().collect(),
        service,
        config: loaded.digest,
        why: None,
        fixes: None,
        allow_bad: None,
        take_over: false,
        guard: Default::default(),
    };
    assert!(wish.hosts.iter().all(|host| matches!(host.transport, Transport::Ssh { .. })));
    let plan = controller.plan(&wish).await?;
    let planned = began.elapsed();

    let ideal = ideal(&plan);
    let cpu_before = cpu_seconds();
    let began = Instant::now();
    let going = controller.deploy(wish).await?;
    let ended = going.end.await??;
    let wall = began.elapsed();
    assert_eq!(ended.state, State::Succeeded, "the bench measures a deployment that succeeds");
    assert_eq!(ended.host_counts().changed as usize, HOSTS);
    let overhead = wall.saturating_sub(ideal);
    Ok(serde_json::json!({
        "hosts": HOSTS,
        "plan_seconds": planned.as_secs_f64(),
        "ideal_seconds": ideal.as_secs_f64(),
        "wall_seconds": wall.as_secs_f64(),
        "overhead_seconds": overhead.as_secs_f64(),
        "overhead_share_of_simulated_ideal": overhead.as_secs_f64() / ideal.as_secs_f64(),
        "overhead_share_of_real_ideal": overhead.as_secs_f64() / (ideal.as_secs_f64() * f64::from(SPEED)),
        "speed": SPEED,
        "cpu_seconds": cpu_seconds() - cpu_before,
        "peak_memory_mib": peak_memory_mib(),
        "probes": ways.probes.load(Ordering::Relaxed),
        "steps": ways.steps.load(Ordering::Relaxed),
    }))
}

/// The wall time of a controller that costs nothing: preflight, prepare, every wave in full rounds, bake.
fn ideal(plan: &andon_core::plan::Plan) -> Duration {
    let scaled = |seconds: u64| Duration::from_secs(seconds) / SPEED;
    let rounds =
        |hosts: usize, at_once: u32| u32::try_from(hosts.div_ceil(at_once as usize)).unwrap_or(u32::MAX);
    let cycle = scaled(18 + 13) + plan.service.rollout.min_healthy_time;
    let waves: u32 = plan.waves.iter().map(|wave| rounds(wave.len(), plan.max_parallel)).sum();
    ROUND_TRIP + scaled(5) * rounds(plan.changing(), plan.prepare_parallel) + cycle * waves + plan.bake
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn peak_memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok())
        .map_or(0.0, |kib| kib / 1024.0)
}
