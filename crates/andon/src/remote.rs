//! The controller at a server: what commands ask of it, over HTTP. It decides nothing: whatever is refused, is refused there.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use andon_core::analysis::planner::Outlook;
use andon_core::cord::Cord;
use andon_core::deployment::{Ask, Deployment, DeploymentId, Kind};
use andon_core::digest::Digest;
use andon_core::guard::GuardFact;
use andon_core::line::Line;
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use andon_core::plan::{Observations, Plan, Sights};
use andon_core::release::ReleaseId;
use andon_core::scope::ScopeName;
use andon_core::telling::subscriptions::SubscriptionId;
use andon_core::telling::{Outcome, Route};
use andon_core::version::FACTS;
use andon_line::{Loaded, Origins};
use andon_server::answers::Asking;
use andon_server::http::bodies;
use andon_server::lines::LineOnDisk;
use andon_server::outbox::Round;
use andon_server::{Found, Going, Outbox, Problem, Records, Trial, Versioned, Wish, clock};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::context::me;
use crate::door::left_asking;
use crate::failure::Failure;
use following::is_unheard;
use ledger::HttpLedger;
use wire::{Patience, Wire, Wrong};

pub(crate) mod choice;
mod following;
mod ledger;
pub(crate) mod people;
pub(crate) mod release;
pub(crate) mod tokens;
pub(crate) mod wire;

/// How long a deployment that was just begun is looked for at a server that is not heard, and the pause between.
const FIRST_SIGHT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

/// A server that answers, and who one is there.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    wire: Wire,
    records: Records,
    outbox: Outbox,
    /// What keeps the server from being heard at this moment.
    trouble: Arc<watch::Sender<Option<String>>>,
    given_up: Option<watch::Receiver<bool>>,
}

/// Whom this process speaks with, for its errors.
static SPOKEN_TO: OnceLock<String> = OnceLock::new();

/// Whom this process speaks with, and as whom; `None` when it works by itself.
pub(crate) fn spoken_to() -> Option<&'static str> {
    SPOKEN_TO.get().map(String::as_str)
}

#[derive(Debug, Deserialize)]
struct About {
    version: String,
    facts: u32,
    ledger: String,
    you: You,
}

#[derive(Debug, Deserialize)]
struct You {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Described {
    directory: PathBuf,
    digest: Digest,
    line: Line,
}

#[derive(Debug, Deserialize)]
struct Planned {
    plan: Plan,
    outlook: Option<Outlook>,
}

#[derive(Debug, Default, Deserialize)]
struct Inspected {
    hosts: Option<Observations>,
    balancers: Option<Sights>,
    tests: Option<Vec<Trial>>,
}

#[derive(Debug, Deserialize)]
struct Taken {
    subscription: u64,
}

#[derive(Debug, Deserialize)]
struct Begun {
    deployment: u64,
}

#[derive(Debug, Deserialize)]
struct Answered {
    driven: bool,
}

#[derive(Debug, Deserialize)]
struct Approved {
    digest: Digest,
}

#[derive(Debug, Deserialize)]
struct Pulled {
    before: Cord,
}

#[derive(Debug, Deserialize)]
struct SweptRow {
    scope: ScopeName,
    found: Result<Vec<Found>, Problem>,
}

/// What came of a test of the ways on which a service tells.
#[derive(Debug, Deserialize)]
pub(crate) struct Tried {
    /// Each way, and what it answered.
    pub(crate) tried: Vec<(Route, Outcome)>,
    /// Whether the author should have been told, and is not known.
    pub(crate) authorless: bool,
}

/// What each scope's sweep came to.
pub(crate) type Swept = Vec<(ScopeName, Result<Vec<Found>, Problem>)>;

impl Remote {
    /// Knocks: is it a server, does it know who asks, and do both understand the same facts?
    pub(crate) async fn connect(chosen: choice::Chosen) -> Result<Self, Failure> {
        let wire = Wire::new(chosen)?;
        let about: About = wire.get("/v1/about", Patience::Short).await.map_err(|wrong| wire.unfit(wrong))?;
        let _ = SPOKEN_TO.set(format!("{} as {}", wire.url(), about.you.name));
        if about.facts > FACTS {
            return Err(Failure::broken(format!(
                "{} is andon {}, which knows facts that this andon {} does not",
                wire.url(),
                about.version,
                env!("CARGO_PKG_VERSION")
            ))
            .why("an older andon could misread them, so it does nothing there; nothing has been changed")
            .next(format!("use andon {} or newer", about.version)));
        }
        let ledger = HttpLedger::new(wire.clone(), about.ledger);
        let records = Records::new(Arc::new(ledger));
        // Only read here; what is told, the server tells.
        let outbox = Outbox::new(records.clone(), std::path::Path::new("/nonexistent"), me(), clock::now);
        Ok(Self { wire, records, outbox, trouble: Arc::new(watch::Sender::new(None)), given_up: None })
    }

    /// The same; a command that waits for the server to begin something is left when `signal` becomes true.
    pub(crate) fn given_up_at(self, signal: watch::Receiver<bool>) -> Self {
        Self { given_up: Some(signal), ..self }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        self.wire.url()
    }

    /// Its ledger, to be read.
    pub(crate) fn records(&self) -> &Records {
        &self.records
    }

    /// Its messages, to be read.
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What keeps it from being heard at this moment.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// Its line.
    pub(crate) async fn line(&self) -> Result<LineOnDisk, Failure> {
        let Described { directory, digest, line } = self.wire.get("/v1/about/line", Patience::Short).await?;
        let loaded = Loaded { line, origins: Origins::default(), warnings: Vec::new(), digest };
        Ok(LineOnDisk { loaded, dir: directory })
    }

    /// Everything that a deployment would do; with `outlook`, also what its analyses could see.
    pub(crate) async fn plan(&self, wish: &Wish, outlook: bool) -> Result<(Plan, Option<Outlook>), Failure> {
        let body = json!({ "wanted": wanted(wish), "outlook": outlook });
        let planned: Planned = self.wire.post("/v1/plans", &body, Patience::Long).await?;
        Ok((planned.plan, planned.outlook))
    }

    /// Begins a deployment there, and follows it.
    pub(crate) async fn deploy(&self, wish: &Wish) -> Result<Going, Failure> {
        let wanted = wanted(wish);
        let asked = self.wire.post("/v1/deployments", &wanted, Patience::Long);
        let left = async {
            if let Some(mut signal) = self.given_up.clone()
                && signal.wait_for(|raised| *raised).await.is_ok()
            {
                return;
            }
            std::future::pending().await
        };
        let begun: Begun = tokio::select! {
            begun = asked => begun?,
            () = left => return Err(left_asking(self.url())),
        };
        self.follow(DeploymentId(begun.deployment)).await
    }

    /// Records a wish; whoever drives the deployment answers it.
    pub(crate) async fn wish(&self, id: DeploymentId, ask: &Ask, why: Option<String>) -> Result<bool, Wrong> {
        let (verb, rollback) = match ask {
            Ask::Pause => ("pause", false),
            Ask::Resume => ("resume", false),
            Ask::Abort { rollback } => ("abort", *rollback),
            Ask::Supersede { .. } => {
                return Err(Failure::usage("only a deployment supersedes another one").into());
            }
        };
        let body = bodies::Asked { why, rollback, take_over: false };
        let path = format!("/v1/deployments/{}/{verb}", id.0);
        let answered: Answered = self.wire.post(&path, &body, Patience::Long).await?;
        Ok(answered.driven)
    }

    /// Goes on with a deployment; follows it where it was this that made it go on.
    pub(crate) async fn resume(&self, id: DeploymentId, take_over: bool) -> Result<Option<Going>, Failure> {
        let body = bodies::Asked { why: None, rollback: false, take_over };
        let path = format!("/v1/deployments/{}/resume", id.0);
        let answered: Answered = self.wire.post(&path, &body, Patience::Long).await?;
        if answered.driven { self.follow(id).await.map(Some) } else { Ok(None) }
    }

    /// Asks for something, and follows what nobody else drives.
    pub(crate) async fn ask(
        &self,
        id: DeploymentId,
        ask: &Ask,
        why: Option<String>,
    ) -> Result<Option<Going>, Failure> {
        if self.wish(id, ask, why).await? { self.follow(id).await.map(Some) } else { Ok(None) }
    }

    /// A deployment that was just begun. A server that ends at this very moment is asked again when it is back: what it has
    /// begun goes on.
    async fn first_seen(&self, id: DeploymentId) -> Result<Versioned<Deployment>, Failure> {
        let give_up = tokio::time::Instant::now() + FIRST_SIGHT;
        loop {
            match self.records.deployment(id).await {
                Err(error) if is_unheard(&error) && tokio::time::Instant::now() < give_up => {
                    tokio::time::sleep(PAUSE).await;
                }
                seen => return Ok(seen?),
            }
        }
    }

    /// Follows a deployment to its end.
    async fn follow(&self, id: DeploymentId) -> Result<Going, Failure> {
        let deployment = self.first_seen(id).await?;
        Ok(following::follow(self.wire.clone(), self.records.clone(), Arc::clone(&self.trouble), deployment))
    }

    /// Stops the line, or starts it. Gives the line as it was before.
    pub(crate) async fn pull(&self, stop: bool, why: String) -> Result<Cord, Failure> {
        let path = if stop { "/v1/line/stop" } else { "/v1/line/start" };
        let pulled: Pulled = self.wire.post(path, &bodies::Reason { why }, Patience::Short).await?;
        Ok(pulled.before)
    }

    /// Agrees to a release that waits. Gives its whole digest.
    pub(crate) async fn approve(
        &self,
        scope: &ScopeName,
        release: &ReleaseId,
        why: Option<String>,
    ) -> Result<Digest, Failure> {
        let ScopeName { service, environment } = scope;
        let body = json!({ "service": service, "environment": environment, "release": release, "why": why });
        let approved: Approved = self.wire.post("/v1/approvals", &body, Patience::Short).await?;
        Ok(approved.digest)
    }

    /// What the hosts of a scope run.
    pub(crate) async fn observe(&self, scope: &ScopeName) -> Result<Observations, Failure> {
        let found = self.inspect(bodies::Inspection { hosts: true, ..inspection(scope) }).await?;
        Ok(found.hosts.unwrap_or_default())
    }

    /// What the balancers of a scope see.
    pub(crate) async fn look(&self, scope: &ScopeName) -> Result<Sights, Failure> {
        let found = self.inspect(bodies::Inspection { balancers: true, ..inspection(scope) }).await?;
        Ok(found.balancers.unwrap_or_default())
    }

    /// What the tests of a scope say on some of its hosts, in their order.
    pub(crate) async fn test(&self, scope: &ScopeName, hosts: &[&HostName]) -> Result<Vec<Trial>, Failure> {
        let tests = hosts.iter().map(|host| (*host).clone()).collect();
        let found = self.inspect(bodies::Inspection { tests, ..inspection(scope) }).await?;
        Ok(found.tests.unwrap_or_default())
    }

    async fn inspect(&self, body: bodies::Inspection) -> Result<Inspected, Failure> {
        Ok(self.wire.post("/v1/inspections", &body, Patience::Long).await?)
    }

    /// One pass over scopes.
    pub(crate) async fn sweep(
        &self,
        service: Option<ServiceName>,
        environment: Option<EnvironmentName>,
    ) -> Result<Swept, Failure> {
        let body = bodies::Swept { service, environment };
        let rows: Vec<SweptRow> = self.wire.post("/v1/sweeps", &body, Patience::Long).await?;
        Ok(rows.into_iter().map(|row| (row.scope, row.found)).collect())
    }

    /// Tries every message that waits.
    pub(crate) async fn retry_messages(&self) -> Result<Round, Failure> {
        Ok(self.wire.post("/v1/messages/retry", &json!({}), Patience::Long).await?)
    }

    /// Has whoever one is there told more.
    pub(crate) async fn subscribe(&self, asking: &Asking) -> Result<SubscriptionId, Failure> {
        let taken: Taken = self.wire.post("/v1/subscriptions", asking, Patience::Short).await?;
        Ok(SubscriptionId(taken.subscription))
    }

    /// Ends a wish to be told.
    pub(crate) async fn unsubscribe(&self, id: SubscriptionId) -> Result<(), Failure> {
        let path = format!("/v1/subscriptions/{id}/end");
        let _: serde_json::Value = self.wire.post(&path, &json!({}), Patience::Short).await?;
        Ok(())
    }

    /// Sends a test on every way on which a service tells.
    pub(crate) async fn test_messages(&self, service: &ServiceName) -> Result<Tried, Failure> {
        let body = bodies::Tested { service: service.clone() };
        Ok(self.wire.post("/v1/messages/test", &body, Patience::Long).await?)
    }

    /// Records that a command of this machine is about to run on hosts of a guarded environment.
    pub(crate) async fn record_run(
        &self,
        environment: &EnvironmentName,
        fact: GuardFact,
    ) -> Result<(), Failure> {
        let GuardFact::Ran { hosts, passes, .. } = fact;
        let path = format!("/v1/environments/{environment}/runs");
        let _: Value = self.wire.post(&path, &bodies::Run { hosts, passes }, Patience::Short).await?;
        Ok(())
    }

    /// What a host's steps printed; `None` when nothing is kept of it.
    pub(crate) async fn log(&self, id: DeploymentId, host: &HostName) -> Result<Option<Vec<u8>>, Failure> {
        self.wire.bytes(&format!("/v1/deployments/{}/logs/{host}", id.0)).await
    }
}

/// A wish as it travels: how it is done, the server's line says.
fn wanted(wish: &Wish) -> bodies::Wanted {
    bodies::Wanted {
        service: wish.scope.service.clone(),
        environment: Some(wish.scope.environment.clone()),
        from: None,
        kind: Some(wish.kind).filter(|kind| *kind != Kind::Deploy),
        release: Some(wish.release.id.clone()),
        why: wish.why.clone(),
        fixes: wish.fixes.map(|id| id.0),
        allow_bad: wish.allow_bad.clone(),
        allow_wide: wish.guard.passes.allow_wide.clone(),
        take_over: wish.take_over,
        confirmed: wish.guard.passes.confirmed.clone(),
    }
}

fn inspection(scope: &ScopeName) -> bodies::Inspection {
    bodies::Inspection {
        service: scope.service.clone(),
        environment: Some(scope.environment.clone()),
        hosts: false,
        balancers: false,
        tests: std::collections::BTreeSet::new(),
    }
}
