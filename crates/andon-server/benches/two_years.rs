//! A ledger of two years of heavy use: 100,000 deployments of 30 hosts each, 20 million facts.
//!
//! One deployment is driven by the product's own driver over simulated hosts. Its facts are the pattern for all
//! others, which get their own number, release, scope and time, and go through the ledger's own door in large batches,
//! so that the chain, the views and the indexes are what they would be. Then the ledger is opened and appended to.
//!
//! `-- --deployments N --at FILE`. Prints one JSON object as its last line. `cargo xtask bench ledger` runs it.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_api::agent::Order;
use andon_core::balance::{BalancerFailure, Pool, PoolSight, Sockets, Wishes};
use andon_core::deployment::{Kind, State, Summary};
use andon_core::digest::Digest;
use andon_core::host::{Authority, HostFacts, Outcome, Placement, Token};
use andon_core::line::Host;
use andon_core::name::{DeploymentId, EnvironmentName, ServiceName};
use andon_core::person::Person;
use andon_core::release::ReleaseId;
use andon_core::scope::{Scope, ScopeFact, ScopeName};
use andon_core::time::Time;
use andon_server::hosts::{HostError, Hosts, Supplies};
use andon_server::{Controller, Records, Wish, clock};
use andon_store::{Batch, Ledger, MAX_BATCH_ITEMS, SqliteLedger, StreamAppend, ViewUpdate};
use async_trait::async_trait;
use serde_json::{Value, json};

#[path = "simulated/facts.rs"]
mod facts;

use facts::facts;

const HOSTS: usize = 30;
const SERVICES: u64 = 10;
const YEARS: Duration = Duration::from_secs(2 * 365 * 86_400);
/// Every so many releases is bad.
const BAD: u64 = 20;
/// Appends whose time is taken.
const APPENDS: usize = 200;

/// Hosts that do everything at once.
#[derive(Default)]
struct SwiftHosts;

#[async_trait]
impl Hosts for SwiftHosts {
    async fn probe(&self, _: &Host, placement: &Placement, _: &[Token]) -> Result<HostFacts, HostError> {
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

    async fn carry_out(&self, _: &Host, _: Order, _: &Supplies) -> Result<Outcome, HostError> {
        Ok(Outcome::Succeeded)
    }

    async fn kill(&self, _: &Host, _: &Placement, _: &Token) -> Result<(), HostError> {
        Ok(())
    }
}

const LINE: &str = r#"
web = group("web", ["web%d.example.com" % n for n in range(30)])
service("www", hosts = {"production": web}, release = directory("build"),
    run = process(exec = "{release}/www --port {port}", ports = [8080]),
    health = http("/healthz"), tests = [http("/")],
    rollout = rollout(min_healthy_time = "0s", bake = "0s"))
"#;

/// What one deployment leaves in the ledger.
struct Pattern {
    facts: Vec<String>,
    scope: Vec<String>,
    summary: Summary,
    digest: String,
}

/// The scopes as they stand, and where the ledger ends.
struct Past {
    pattern: Pattern,
    scopes: Vec<(ScopeName, Scope, u64)>,
    began: Time,
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().collect();
    let after = |name: &str| words.iter().skip_while(|word| *word != name).nth(1);
    let (Some(count), Some(at)) = (after("--deployments"), after("--at")) else {
        return Ok(()); // `cargo test --benches` only wants to know that it builds.
    };
    let (count, at) = (count.parse()?, PathBuf::from(at));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(async {
        let pattern = pattern().await?;
        let generated = generate(&at, pattern, count).await?;
        measure(&at, generated).await
    })?;
    #[allow(clippy::print_stdout, reason = "this is the result")]
    {
        println!("{figures}");
    }
    Ok(())
}

/// Drives one deployment and reads what it left.
async fn pattern() -> Result<Pattern, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    std::fs::create_dir(dir.path().join("build"))?;
    std::fs::write(dir.path().join("build/www"), "#!/bin/sh\n")?;
    std::fs::write(dir.path().join("line.star"), LINE)?;
    let ledger = Arc::new(SqliteLedger::open(dir.path().join("ledger.db")).await?);
    let me = Person { name: "ana".into(), at: "desk".into() };
    let records = Records::new(Arc::<SqliteLedger>::clone(&ledger));
    let controller = Controller::new(records, Arc::new(SwiftHosts), dir.path().to_owned(), me);
    let loaded = andon_line::load(&dir.path().join("line.star")).map_err(|it| format!("{it}"))?;
    let service = loaded.line.services.values().next().ok_or("the line has no service")?.clone();
    let release = controller.artifacts().keep(&service.release, dir.path(), None)?;
    let digest = release.digest.to_string();
    let scope =
        ScopeName { service: ServiceName::new("www")?, environment: EnvironmentName::new("production")? };
    let wish = Wish {
        pools: Vec::new(),
        sites: BTreeMap::new(),
        directory: PathBuf::from("/"),
        scope: scope.clone(),
        kind: Kind::Deploy,
        release,
        hosts: loaded.line.hosts.values().cloned().collect(),
        service,
        config: loaded.digest,
        why: Some("ticket 17: the basket forgets what was put in".to_owned()),
        fixes: None,
        allow_bad: None,
        take_over: false,
        guard: andon_core::guard::Guard::default(),
    };
    let ended = controller.deploy(wish).await?.end.await??;
    assert_eq!(ended.state, State::Succeeded, "the pattern is a deployment that succeeds");
    assert_eq!(ended.host_counts().changed as usize, HOSTS);
    let read = async |stream: &str| -> Result<Vec<String>, Box<dyn Error>> {
        let records = ledger.read(stream, 0, MAX_BATCH_ITEMS).await?;
        Ok(records.iter().map(|record| record.fact.to_string()).collect())
    };
    let facts = read("deployment/1").await?;
    Ok(Pattern { facts, scope: read(&scope.stream()).await?, summary: ended.summary(), digest })
}

impl Past {
    fn new(pattern: Pattern) -> Result<Self, Box<dyn Error>> {
        let mut scopes = Vec::new();
        for number in 0..SERVICES {
            for environment in ["staging", "production"] {
                let service = ServiceName::new(format!("shop{number}"))?;
                let name = ScopeName { service, environment: EnvironmentName::new(environment)? };
                scopes.push((name, Scope::default(), 0));
            }
        }
        let span = i64::try_from(YEARS.as_millis())?;
        Ok(Self { pattern, scopes, began: Time(clock::now().0 - span) })
    }

    /// A batch with the deployments of `ids`.
    fn batch(&mut self, ids: std::ops::Range<u64>, count: u64) -> Result<Batch, Box<dyn Error>> {
        let share = YEARS.mul_f64(ids.start as f64 / count as f64);
        let at = self.began + share;
        let mut appends: Vec<StreamAppend> = Vec::new();
        let mut views = Vec::new();
        let mut of_scopes: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
        for id in ids {
            let place = usize::try_from(id)? % self.scopes.len();
            let (name, scope, _) = &mut self.scopes[place];
            let digest = Digest::of(&id.to_le_bytes()).to_string();
            let own = |text: &str| -> String {
                text.replace(&self.pattern.digest, &digest)
                    .replace(&self.pattern.digest[..12], &digest[..12])
                    .replace("\"d1.f", &format!("\"d{id}.f"))
                    .replace("\"deployment\":1", &format!("\"deployment\":{id}"))
                    .replace("\"service\":\"www\"", &format!("\"service\":\"{}\"", name.service))
                    .replace(
                        "\"environment\":\"production\"",
                        &format!("\"environment\":\"{}\"", name.environment),
                    )
            };
            let facts = self.pattern.facts.iter().map(|fact| serde_json::from_str(&own(fact)));
            let facts = facts.collect::<Result<_, _>>()?;
            appends.push(StreamAppend { stream: DeploymentId(id).stream(), expected: 0, facts });
            let is_bad = id % BAD == 0;
            for fact in &self.pattern.scope {
                let mut text = own(fact);
                if is_bad {
                    text = text.replace("\"status\":\"good\"", "\"status\":\"bad\"");
                }
                let value: Value = serde_json::from_str(&text)?;
                scope.apply(at, &serde_json::from_value::<ScopeFact>(value.clone())?);
                of_scopes.entry(place).or_default().push(value);
            }
            let summary = Summary {
                id: DeploymentId(id),
                scope: name.clone(),
                release: ReleaseId::of(&Digest::of(&id.to_le_bytes())),
                state: if is_bad { "rolled_back" } else { "succeeded" }.to_owned(),
                accepted: at,
                started: Some(at + Duration::from_secs(2)),
                ended: Some(at + Duration::from_secs(290)),
                ..self.pattern.summary.clone()
            };
            let body = serde_json::to_value(&summary)?;
            views.push(ViewUpdate {
                view: "deployment".into(),
                key: id.to_string(),
                rank: i64::try_from(id)?,
                body,
            });
        }
        for (place, facts) in of_scopes {
            let (name, scope, seq) = &mut self.scopes[place];
            let expected = *seq;
            *seq += facts.len() as u64;
            let body = json!({ "seq": *seq, "name": name, "scope": scope });
            views.push(ViewUpdate { view: "scope".into(), key: name.stream(), rank: at.0, body });
            appends.push(StreamAppend { stream: name.stream(), expected, facts });
        }
        Ok(Batch { at, by: "ana".to_owned(), appends, views })
    }
}

/// What was made, and how fast.
struct Generated {
    deployments: u64,
    seconds: f64,
}

async fn generate(at: &Path, pattern: Pattern, count: u64) -> Result<Generated, Box<dyn Error>> {
    let each = (pattern.facts.len() + pattern.scope.len() + 1) as u64;
    let at_once = (MAX_BATCH_ITEMS as u64 - 100) / each;
    let ledger = SqliteLedger::open(at).await?;
    let mut past = Past::new(pattern)?;
    let began = Instant::now();
    let mut next = 1;
    while next <= count {
        let until = (next + at_once).min(count + 1);
        ledger.append(past.batch(next..until, count)?).await?;
        next = until;
    }
    // As the product writes them.
    let ledger = Arc::new(ledger);
    let records = Records::new(Arc::<SqliteLedger>::clone(&ledger));
    for (name, ..) in &past.scopes {
        records.renew_views(clock::now(), name).await?;
    }
    ledger.close().await?;
    Ok(Generated { deployments: count, seconds: began.elapsed().as_secs_f64() })
}

/// Opens the ledger, and appends to it as a driver does: a few facts, each time on the disk.
async fn measure(at: &Path, generated: Generated) -> Result<Value, Box<dyn Error>> {
    let began = Instant::now();
    let ledger = SqliteLedger::open(at).await?;
    let opened = began.elapsed();
    let mut took = Vec::new();
    for number in 0..APPENDS {
        let facts = vec![json!({ "note": "measured", "number": number }); 3];
        let append = StreamAppend { stream: "bench".into(), expected: 3 * number as u64, facts };
        let batch = Batch { at: clock::now(), by: "bench".into(), appends: vec![append], views: Vec::new() };
        let began = Instant::now();
        ledger.append(batch).await?;
        took.push(began.elapsed());
    }
    took.sort();
    let head = ledger.head().await?;
    ledger.close().await?;
    let millis = |span: Duration| span.as_secs_f64() * 1000.0;
    Ok(json!({
        "deployments": generated.deployments,
        "records_millions": head as f64 / 1e6,
        "generate_seconds": generated.seconds,
        "file_mib": std::fs::metadata(at)?.len() / (1 << 20),
        "open_ms": millis(opened),
        "append_ms": millis(took[APPENDS / 2]),
        "append_99_ms": millis(took[APPENDS * 99 / 100]),
    }))
}
