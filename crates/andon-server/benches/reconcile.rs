//! How long a new controller takes to know where 1,000 hosts stand, after its predecessor was killed at any append.
//!
//! One deployment goes over 1,000 simulated hosts, in simulated time. At each of its appends time stands still, the
//! ledger (SQLite, in a file) and the hosts are copied, and a successor takes charge of the copy, in real time, until
//! the fate of every open step is recorded. Then the successor is dropped and the deployment goes on.
//!
//! Prints one JSON object as its last line. Run: `cargo bench -p andon-server --bench reconcile`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use andon_core::deployment::{Kind, State};
use andon_core::line::Service;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::person::Person;
use andon_core::scope::ScopeName;
use andon_server::{Controller, Records, Wish};

use fleet::SimulatedFleet;
use study::{Study, Watched};

#[path = "simulated/facts.rs"]
mod facts;
#[path = "reconcile/fleet.rs"]
mod fleet;
#[path = "reconcile/study.rs"]
mod study;

/// Whatever goes wrong ends the bench.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The deployment that is taken over again and again: the first one of its ledger.
const DEPLOYMENT: u64 = 1;

const LINE: &str = r#"
web = group("web", ["web%d.example.com" % n for n in range(HOSTS)])
service("www", hosts = {"production": web}, release = directory("build"),
    run = process(exec = "{release}/www --port {port}", ports = [8080]),
    health = http("/healthz"), tests = [http("/")], rollout = rollout(bake = "30s"))
"#;

fn main() -> Result<(), Failure> {
    if std::env::args().any(|word| word == "--test") {
        return Ok(()); // `cargo test --benches` only wants to know that it builds.
    }
    let dir = tempfile::tempdir()?;
    let (study, watched) = Study::begin(dir.path())?;
    // Simulated time: it moves when everybody waits, and stands still while a successor is at work.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(deploy(dir.path(), hosts(), watched))?;
    let figures = study.end()?;
    #[allow(clippy::print_stdout, reason = "this is the result")]
    {
        println!("{figures}");
    }
    Ok(())
}

/// How many hosts there are.
fn hosts() -> usize {
    std::env::var("ANDON_HOSTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000)
}

/// A whole deployment, watched at every append.
async fn deploy(dir: &Path, hosts: usize, watched: Watched) -> Result<(), Failure> {
    std::fs::create_dir(dir.join("build"))?;
    std::fs::write(dir.join("build/www"), "#!/bin/sh\n")?;
    std::fs::write(dir.join("line.star"), LINE.replace("HOSTS", &hosts.to_string()))?;
    let fleet = SimulatedFleet::default();
    watched.watch(&fleet);
    let records = Records::new(Arc::new(watched));
    let me = Person { name: "ana".into(), at: "anas-laptop".into() };
    let controller = Controller::new(records, Arc::new(fleet), dir.to_owned(), me).with_clock(study::clock);
    let loaded = andon_line::load(&dir.join("line.star")).map_err(|mistakes| format!("{mistakes}"))?;
    let service: Service = loaded.line.services.values().next().ok_or("the line has no service")?.clone();
    let wish = Wish {
        pools: Vec::new(),
        sites: Default::default(),
        directory: dir.to_owned(),
        scope: ScopeName {
            service: ServiceName::new("www")?,
            environment: EnvironmentName::new("production")?,
        },
        kind: Kind::Deploy,
        release: controller.artifacts().keep(&service.release, dir, None)?,
        hosts: loaded.line.hosts.values().cloned().collect(),
        service,
        config: loaded.digest,
        why: None,
        fixes: None,
        allow_bad: None,
        take_over: false,
        guard: andon_core::guard::Guard::default(),
    };
    let ended = controller.deploy(wish).await?.end.await??;
    assert_eq!(ended.state, State::Succeeded, "the bench watches a deployment that succeeds");
    tokio::time::sleep(Duration::from_millis(1)).await;
    Ok(())
}
