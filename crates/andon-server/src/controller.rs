//! The door of the server: everything that a person can ask for, as one call each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use andon_core::deployment::{Deployment, DeploymentId, Fact, Kind};
use andon_core::digest::Digest;
use andon_core::guard::Guard;
use andon_core::line::{Host, Service, Site};
use andon_core::name::SiteName;
use andon_core::person::Person;
use andon_core::plan::{self, Observations, Plan, PlannedPool, Proposal, Refusal, Sights};
use andon_core::release::Release;
use andon_core::scope::{Admission, Scope, ScopeName};
use andon_core::time::Time;
use andon_store::{Holder, Lease, StoreError};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::artifacts::Artifacts;
use crate::clock::{self, Clock};
use crate::driver::{Driver, Progress, Until};
use crate::hosts::Hosts;
use crate::outbox::Outbox;
use crate::problem::Problem;
use crate::records::{Records, Versioned, is_conflict};
use crate::secrets::Secrets;
use crate::{lease, preflight, traffic};

mod approvals;
mod charge;
mod line;
mod outlook;
mod queue;
mod sweep;
mod trial;

pub use approvals::WaitingApproval;
pub use sweep::{Found, Sweep};
pub use trial::Trial;

/// What somebody wants done.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Where.
    pub scope: ScopeName,
    /// What for.
    pub kind: Kind,
    /// The release to move to.
    pub release: Release,
    /// The service as the line describes it.
    pub service: Service,
    /// The hosts of the environment, in the line's order.
    pub hosts: Vec<Host>,
    /// The balancers that send traffic to them.
    pub pools: Vec<PlannedPool>,
    /// The sites of the line.
    pub sites: BTreeMap<SiteName, Site>,
    /// The directory of the line, absolute.
    pub directory: PathBuf,
    /// BLAKE3 of the line's files.
    pub config: Digest,
    /// Why, in the person's words.
    pub why: Option<String>,
    /// The deployment whose damage this repairs.
    pub fixes: Option<DeploymentId>,
    /// Why a bad release may pass once more.
    pub allow_bad: Option<String>,
    /// Hosts that belong to another ledger are taken over.
    pub take_over: bool,
    /// What guards the environment, and what was said to that.
    pub guard: Guard,
}

/// A deployment under way in this process.
#[derive(Debug)]
pub struct Going {
    /// Its number.
    pub id: DeploymentId,
    /// How it stands; changes with every step.
    pub progress: watch::Receiver<Progress>,
    /// Its end.
    pub end: JoinHandle<Result<Deployment, Problem>>,
}

/// Everything that this process can do for people.
#[derive(Clone)]
pub struct Controller {
    records: Records,
    ways: Arc<dyn Hosts>,
    artifacts: Artifacts,
    outputs: PathBuf,
    data: PathBuf,
    /// The machine that this process runs on.
    machine: String,
    me: Person,
    clock: Clock,
    outbox: Outbox,
    given_up: Option<watch::Receiver<bool>>,
    stopped: Option<watch::Receiver<bool>>,
}

/// Good releases of a scope whose artifacts are kept here, the newest first.
const MOST_GOOD: usize = 20;

/// A lost race for a number, a lock or a stream is run again so often.
const RACES: usize = 20;

impl Controller {
    /// A controller over `records` that reaches hosts by `ways` and keeps its files below `data`.
    pub fn new(records: Records, ways: Arc<dyn Hosts>, data: PathBuf, me: Person) -> Self {
        let artifacts = Artifacts::new(data.join("releases"));
        let outbox = Outbox::new(records.clone(), &data, me.clone(), clock::now);
        let (outputs, machine) = (data.join("output"), me.at.clone());
        Self {
            records,
            ways,
            artifacts,
            outputs,
            data,
            machine,
            me,
            clock: clock::now,
            outbox,
            given_up: None,
            stopped: None,
        }
    }

    /// The same, in the time of `clock`: for simulations.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, outbox: self.outbox.with_clock(clock), ..self }
    }

    /// The same; a deployment that is being planned is given up when `signal` becomes true. One that has begun is not:
    /// it is asked to stop.
    pub fn given_up_at(self, signal: watch::Receiver<bool>) -> Self {
        Self { given_up: Some(signal), ..self }
    }

    /// The ways to hosts.
    pub(crate) fn ways(&self) -> &Arc<dyn Hosts> {
        &self.ways
    }

    /// The same; when `signal` becomes true, what is driven here is left as it stands, for whoever takes charge of it next.
    /// Steps that hosts have begun end by themselves.
    pub fn stopped_at(self, signal: watch::Receiver<bool>) -> Self {
        Self { stopped: Some(signal), ..self }
    }

    /// Whether nothing is driven here any more.
    fn is_stopped(&self) -> bool {
        self.stopped.as_ref().is_some_and(|signal| *signal.borrow())
    }

    /// Becomes ready when what is being planned is given up.
    async fn giving_up(&self) {
        if let Some(mut signal) = self.given_up.clone()
            && signal.wait_for(|given_up| *given_up).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// The same; what it does, it does for `person`.
    pub fn on_behalf_of(self, person: Person) -> Self {
        Self { me: person, ..self }
    }

    /// A driver in this process, as a holder of leases.
    fn holder(&self) -> Holder {
        lease::holder(&self.machine, &self.me)
    }

    /// Who does all that.
    pub fn me(&self) -> &Person {
        &self.me
    }

    /// The ledger, typed.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Messages to people.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The releases that can be sent.
    pub fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    /// What a host's steps printed in a deployment.
    pub fn output_path(&self, id: DeploymentId, host: &andon_core::name::HostName) -> PathBuf {
        self.outputs.join(id.0.to_string()).join(format!("{host}.log"))
    }

    /// What the analysis of a deployment heard.
    pub(crate) fn recording_path(&self, id: DeploymentId) -> PathBuf {
        crate::watching::recording_path(&self.data, id)
    }

    /// Asks the hosts of a service what they run.
    pub async fn observe(&self, service: &Service, hosts: &[&Host]) -> Observations {
        preflight::observe(&self.ways, service, hosts).await
    }

    /// Asks balancers what they see. Changes nothing.
    pub async fn look(&self, pools: &[PlannedPool]) -> Sights {
        traffic::look(&self.ways, pools, &self.visitor(), &BTreeMap::new()).await
    }

    /// Everything that a deployment would do. Changes nothing.
    pub async fn plan(&self, wish: &Wish) -> Result<Plan, Problem> {
        self.check_fixed(wish).await?;
        let scope = self.records.scope(&wish.scope).await?;
        check_way_back(wish, &scope.value)?;
        self.plan_in(wish, &scope.value).await
    }

    /// A repair names a deployment of the same scope; anything else is a slip of the hand.
    async fn check_fixed(&self, wish: &Wish) -> Result<(), Problem> {
        let Some(id) = wish.fixes else { return Ok(()) };
        let fixed = self.records.deployment(id).await?.value.request.scope;
        if fixed == wish.scope {
            return Ok(());
        }
        Err(Problem::NotNow(format!("{id} was a deployment of {fixed}, not of {}", wish.scope)))
    }

    async fn plan_in(&self, wish: &Wish, scope: &Scope) -> Result<Plan, Problem> {
        // What a test will need in an hour is looked for before anything is touched.
        Secrets::new(&self.data).of_tests(&wish.service)?;
        let hosts: Vec<&Host> = wish.hosts.iter().collect();
        let (observed, sights) = tokio::join!(self.observe(&wish.service, &hosts), self.look(&wish.pools));
        let proposal = Proposal {
            scope: &wish.scope,
            kind: wish.kind,
            release: &wish.release,
            service: &wish.service,
            hosts,
            config: wish.config,
            known: scope,
            allow_bad: wish.allow_bad.is_some() || wish.kind == Kind::Rollback,
            ledger: self.records.ledger().id(),
            take_over: wish.take_over,
            pools: &wish.pools,
            sights: &sights,
            sites: &wish.sites,
            directory: &wish.directory,
            guard: &wish.guard,
        };
        Ok(plan::build(&proposal, &observed)?)
    }

    /// Begins a deployment, or queues it behind the one at work. A refused plan leaves no trace.
    pub async fn deploy(&self, wish: Wish) -> Result<Going, Problem> {
        wish.guard.admits(&wish.scope.environment)?;
        if self.is_stopped() {
            return Err(Problem::GivenUp);
        }
        self.check_fixed(&wish).await?;
        self.check_approvals(&wish).await?;
        for _ in 0..RACES {
            let scope = self.records.scope(&wish.scope).await?;
            check_way_back(&wish, &scope.value)?;
            let begun = match scope.value.admits(wish.kind, wish.fixes) {
                Admission::Held { by, reason, .. } => {
                    return Err(Problem::Held { scope: wish.scope, by, reason });
                }
                Admission::Occupied { by, since } => {
                    self.check_line(&wish).await?;
                    self.queue(&wish, scope, by, since).await
                }
                Admission::Go => {
                    self.check_line(&wish).await?;
                    self.begin(&wish, scope, None).await
                }
            };
            if let Some(going) = begun? {
                // It has begun: what is not noted now stays in the list of what waits, for at most a day.
                let _ = self.approvals_used(&wish, going.id).await;
                return Ok(going);
            }
        }
        Err(Problem::NotNow(format!("{} is too busy: others were faster {RACES} times", wish.scope)))
    }

    /// Plans, takes the lease and the lock, and starts to drive. `queued` is the deployment if it waited. `None` when
    /// somebody was faster: the scope is to be read again.
    async fn begin(
        &self,
        wish: &Wish,
        mut scope: Versioned<Scope>,
        queued: Option<Versioned<Deployment>>,
    ) -> Result<Option<Going>, Problem> {
        let plan = tokio::select! {
            plan = self.plan_in(wish, &scope.value) => plan?,
            () = self.giving_up() => return Err(Problem::GivenUp),
        };
        let Some(lease) = self.lease_on(&wish.scope, &scope).await? else { return Ok(None) };
        let now = (self.clock)();
        // Asking the hosts took its time: the line is looked at once more, and has to stay so until this is recorded.
        let cord = match self.check_line(wish).await {
            Ok(cord) => cord,
            Err(problem) => {
                let _ = self.records.ledger().release(&lease).await;
                return Err(problem);
            }
        };
        let mut facts = Vec::new();
        let mut deployment = match queued {
            Some(deployment) => deployment,
            None => {
                let (deployment, accepted) = self.accept(wish, now).await?;
                facts.push(accepted);
                deployment
            }
        };
        facts.push(Fact::Planned { plan: Box::new(plan) });
        facts.push(Fact::InCharge { fence: andon_core::host::Fence(lease.fence), by: self.me.clone() });
        let taken = [andon_core::scope::ScopeFact::LockTaken { deployment: deployment.value.id }];
        let passed = self.passed(wish, deployment.value.id, &cord.value);
        let (locked, line) = (Some((&mut scope, taken.as_slice())), Some((&cord, passed.as_slice())));
        let stored =
            self.records.commit_on_line(now, &self.me.name, &mut deployment, &facts, locked, line).await;
        if let Err(error) = stored {
            // Whoever was faster must not wait for this lease.
            let _ = self.records.ledger().release(&lease).await;
            return if is_conflict(&error) { Ok(None) } else { Err(error.into()) };
        }
        let going = self.drive(deployment, lease, Until::End);
        // It has begun: what cannot be tidied now is tidied by the next one.
        let _ = self.prune_artifacts().await;
        if let Some(older) = scope.value.waiting.filter(|waiting| *waiting < going.id) {
            let _ = self.give_way(older, going.id).await;
        }
        Ok(Some(going))
    }

    /// Forgets artifacts that no scope goes back to any more.
    async fn prune_artifacts(&self) -> Result<(), Problem> {
        let scopes = self.records.scopes().await?;
        let good = scopes.iter().flat_map(|(_, outline)| outline.good_names().into_iter().take(MOST_GOOD));
        let needed = good.cloned().collect();
        self.artifacts.prune(&needed);
        Ok(())
    }

    async fn accept(&self, wish: &Wish, now: Time) -> Result<(Versioned<Deployment>, Fact), Problem> {
        let id = self.records.next_id().await?;
        let request = andon_core::deployment::Request {
            scope: wish.scope.clone(),
            kind: wish.kind,
            release: wish.release.clone(),
            by: self.me.clone(),
            why: wish.why.clone(),
            fixes: wish.fixes,
            allow_bad: wish.allow_bad.clone(),
            take_over: wish.take_over,
            passes: wish.guard.passes.clone(),
        };
        let deployment = Deployment::new(id, request.clone(), now);
        Ok((Versioned { value: deployment, seq: 0 }, Fact::Accepted { request }))
    }

    /// The lease on a scope that was `known` to be free; `None` when it is not as it was known any more.
    async fn lease_on(&self, name: &ScopeName, known: &Versioned<Scope>) -> Result<Option<Lease>, Problem> {
        let (ledger, holder) = (self.records.ledger().as_ref(), self.holder());
        let mut tries = 1;
        loop {
            match lease::take(ledger, &name.stream(), &holder, (self.clock)()).await {
                Ok(lease) => return Ok(Some(lease)),
                Err(StoreError::Leased { by, .. }) if tries == RACES => {
                    return Err(Problem::NotNow(format!(
                        "{name} is being changed by {} at this moment; try again",
                        by.description
                    )));
                }
                // Its holder is about to begin something here, or has ended and gives it back a moment later.
                Err(StoreError::Leased { .. }) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(Problem::store(error)),
            }
            if self.records.scope(name).await?.seq != known.seq {
                return Ok(None);
            }
            tries += 1;
        }
    }

    fn drive(&self, deployment: Versioned<Deployment>, lease: Lease, until: Until) -> Going {
        let id = deployment.value.id;
        let (progress, watching) = watch::channel(Progress::of(&deployment.value, None));
        let plan = deployment.value.plan.as_ref();
        // Where one is gone, an abort can still put things back: there, tests do not decide.
        let secrets = plan.and_then(|plan| Secrets::new(&self.data).of_tests(&plan.service).ok());
        let driver = Driver {
            records: self.records.clone(),
            ways: Arc::clone(&self.ways),
            artifacts: self.artifacts.clone(),
            outputs: self.outputs.clone(),
            data: self.data.clone(),
            me: self.me.clone(),
            clock: self.clock,
            lease,
            progress,
            until,
            secrets: secrets.unwrap_or_default(),
            outbox: self.outbox.clone(),
            stopped: self.stopped.clone(),
        };
        let outbox = self.outbox.clone();
        let end = tokio::spawn(async move {
            // What is told while the deployment goes on must not wait for its end; nor does its end wait for that.
            let (stop, stopped) = oneshot::channel::<()>();
            let _courier = tokio::spawn(outbox.courier(stopped));
            let ended = driver.drive(deployment).await;
            drop(stop);
            ended
        });
        Going { id, progress: watching, end }
    }
}

/// The pause before a lease that is about to be given back is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// A rollback leads to what was there before, whoever asks for it and by whatever door.
fn check_way_back(wish: &Wish, scope: &Scope) -> Result<(), Problem> {
    if wish.kind == Kind::Deploy || scope.knows_the_way_back_to(&wish.release) {
        return Ok(());
    }
    Err(Problem::Refused(Refusal::NeverThere { scope: wish.scope.clone(), release: wish.release.id.clone() }))
}
