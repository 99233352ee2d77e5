//! Deployments that were really driven, over hosts that do everything at once, and what they left in the ledger.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use andon_api::agent::Order;
use andon_core::balance::{BalancerFailure, Pool, PoolSight, Sockets, Wishes};
use andon_core::deployment::{Kind, State, Summary};
use andon_core::host::{Authority, HostFacts, Outcome, Placement, Step, Token};
use andon_core::line::Host;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::person::Person;
use andon_core::release::Release;
use andon_core::scope::ScopeName;
use andon_server::hosts::{HostError, Hosts, Supplies};
use andon_server::{Controller, Records, Wish};
use andon_store::{Ledger, MAX_BATCH_ITEMS, SqliteLedger};
use async_trait::async_trait;

use crate::facts::facts;
use crate::town;

/// What the hosts of patterns are called, before the four digits of their place.
pub(crate) const HOST: &str = "host-";

/// What one deployment leaves in the ledger.
pub(crate) struct Pattern {
    pub(crate) facts: Vec<String>,
    pub(crate) scope: Vec<String>,
    pub(crate) summary: Summary,
    pub(crate) release: Release,
}

/// One of each kind.
pub(crate) struct Patterns {
    pub(crate) production: Pattern,
    pub(crate) put_back: Pattern,
    pub(crate) staging: Pattern,
    pub(crate) everywhere: Pattern,
}

impl Patterns {
    /// Drives them.
    pub(crate) async fn drive() -> Result<Self, Box<dyn Error>> {
        let [(_, production), (_, staging)] = town::HOSTS;
        Ok(Self {
            production: Pattern::drive(production, false).await?,
            put_back: Pattern::drive(production, true).await?,
            staging: Pattern::drive(staging, false).await?,
            everywhere: Pattern::drive(town::ALL, false).await?,
        })
    }
}

/// Hosts that do everything at once; the next test may fail.
struct SwiftHosts {
    fail: AtomicBool,
}

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

    async fn carry_out(&self, _: &Host, order: Order, _: &Supplies) -> Result<Outcome, HostError> {
        if matches!(order.step, Step::Verify { .. }) && self.fail.swap(false, Ordering::Relaxed) {
            let reason =
                "production test \"http /\" failed on 8080: http / answered 500, expected 200".to_owned();
            return Ok(Outcome::Failed { reason, tail: "GET / 500\n".to_owned() });
        }
        Ok(Outcome::Succeeded)
    }

    async fn kill(&self, _: &Host, _: &Placement, _: &Token) -> Result<(), HostError> {
        Ok(())
    }
}

impl Pattern {
    async fn drive(hosts: usize, fail: bool) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir(dir.path().join("build"))?;
        std::fs::write(dir.path().join("build/www"), "#!/bin/sh\n")?;
        std::fs::write(dir.path().join("line.star"), line(hosts))?;
        let ledger = Arc::new(SqliteLedger::open(dir.path().join("ledger.db")).await?);
        let me = Person { name: "ana".into(), at: "desk".into() };
        let records = Records::new(Arc::<SqliteLedger>::clone(&ledger));
        let hosts = Arc::new(SwiftHosts { fail: AtomicBool::new(false) });
        let controller =
            Controller::new(records, Arc::<SwiftHosts>::clone(&hosts), dir.path().to_owned(), me);
        let loaded = andon_line::load(&dir.path().join("line.star")).map_err(|it| format!("{it}"))?;
        let service = loaded.line.services.values().next().ok_or("the line has no service")?.clone();
        let environment = EnvironmentName::new("production")?;
        let scope = ScopeName { service: ServiceName::new("www")?, environment };
        let wish = |release: &Release| Wish {
            pools: Vec::new(),
            sites: BTreeMap::new(),
            directory: PathBuf::from("/"),
            scope: scope.clone(),
            kind: Kind::Deploy,
            release: release.clone(),
            hosts: loaded.line.hosts.values().cloned().collect(),
            service: service.clone(),
            config: loaded.digest,
            why: Some("ticket 17: the basket forgets what was put in".to_owned()),
            fixes: None,
            allow_bad: None,
            take_over: false,
            guard: andon_core::guard::Guard::default(),
        };
        if fail {
            // What it is put back to.
            let before = controller.artifacts().keep(&service.release, dir.path(), None)?;
            controller.deploy(wish(&before)).await?.end.await??;
            std::fs::write(dir.path().join("build/www"), "#!/bin/sh\n# the basket\n")?;
            hosts.fail.store(true, Ordering::Relaxed);
        }
        let older = ledger.read(&scope.stream(), 0, MAX_BATCH_ITEMS).await?.len();
        let release = controller.artifacts().keep(&service.release, dir.path(), None)?;
        let ended = controller.deploy(wish(&release)).await?.end.await??;
        let wanted =
            if fail { State::name(&ended.state) == "rolled_back" } else { ended.state == State::Succeeded };
        assert!(wanted, "the pattern ended as {:?}", ended.state);
        // Each is the first of its ledger, for whoever writes others after it.
        let own = ended.id.0;
        let first = |fact: String| {
            let fact = fact.replace(&format!("\"d{own}.f"), "\"d1.f");
            fact.replace(&format!("\"deployment\":{own}"), "\"deployment\":1")
        };
        let read = async |stream: &str, from: usize| -> Result<Vec<String>, Box<dyn Error>> {
            let records = ledger.read(stream, from.try_into()?, MAX_BATCH_ITEMS).await?;
            Ok(records.iter().map(|record| first(record.fact.to_string())).collect())
        };
        let facts = read(&format!("deployment/{own}"), 0).await?;
        let scope = read(&scope.stream(), older).await?;
        Ok(Self { facts, scope, summary: ended.summary(), release })
    }
}

fn line(hosts: usize) -> String {
    let names: Vec<String> = (0..hosts).map(|place| format!("\"{HOST}{place:04}.example.com\"")).collect();
    format!(
        "web = group(\"web\", [{}])\nservice(\"www\", hosts = {{\"production\": web}}, release = directory(\"build\"),\n\
         run = process(exec = \"{{release}}/www --port {{port}}\", ports = [8080]), health = http(\"/healthz\"),\n\
         tests = [http(\"/\")], rollout = rollout(min_healthy_time = \"0s\", bake = \"0s\"))\n",
        names.join(", ")
    )
}
