//! One deployment's loop: decide in the core, store in one transaction, then act; news come back as input.
//!
//! Woken by news from hosts, by wishes of people in the ledger, and by the core's own deadlines. Orders are read off
//! the stored state, so nothing is done that was not recorded as intended before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use andon_api::secret::Secrets;
use andon_core::analysis::Standing;
use andon_core::deployment::{Deployment, DeploymentId, Fact, HostState, Input, OpenOrder, Phase, State};
use andon_core::host::{Authority, Fence, Stage, Step, Token};
use andon_core::name::HostName;
use andon_core::person::Person;
use andon_core::telling;
use andon_core::time::Time;
use andon_store::{Lease, StoreError};
use tokio::sync::watch;

use crate::artifacts::Artifacts;
use crate::clock::Clock;
use crate::hosts::{Hosts, Supplies};
use crate::lease;
use crate::numbers::SharedNumbers;
use crate::outbox::Outbox;
use crate::problem::Problem;
use crate::records::{Records, Versioned, is_conflict};
use crate::site_commands::SiteCommands;
use crate::traffic::{Round, Rounds};
use crate::watching::Watching;

use at_work::{AtWork, Lost, News, Task, ask, carry_out};

mod at_work;
mod awaited;

/// How long whoever takes a deployment over waits for its balancers before the hosts are asked.
const FIRST_LOOK: Duration = Duration::from_secs(3);
/// How often the ledger is asked for wishes of people.
const LOOK: Duration = Duration::from_millis(250);

/// A deployment as it stands, for whoever watches.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The deployment.
    pub deployment: Arc<Deployment>,
    /// Another deployment that it waits for, and since when that one is at work.
    pub behind: Option<(DeploymentId, Time)>,
    /// What its balancers said last; nothing before the first round.
    pub round: Arc<Round>,
    /// What its balancers have counted since it is driven here.
    pub numbers: SharedNumbers,
    /// How its analysis stands; nothing before the first new host was looked at.
    pub standing: Option<Arc<Standing>>,
}

impl Progress {
    /// A deployment that nobody drives yet.
    pub(crate) fn of(deployment: &Deployment, behind: Option<(DeploymentId, Time)>) -> Self {
        let deployment = Arc::new(deployment.clone());
        Self { deployment, behind, round: Arc::default(), numbers: SharedNumbers::default(), standing: None }
    }
}

/// How far a deployment is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// To its end.
    End,
    /// Until it is paused and no host is in its cycle, or has ended; at most for so long.
    AtRest(Duration),
}

impl Until {
    fn is_reached(self, deployment: &Deployment, driven: Duration) -> bool {
        match self {
            _ if deployment.state.is_terminal() => true,
            Until::End => false,
            Until::AtRest(patience) => is_at_rest(deployment) || driven >= patience,
        }
    }
}

/// Whether a deployment is paused and no host is in its cycle, nor a site on its way. A host that is only watched, at
/// the end, serves.
pub(crate) fn is_at_rest(deployment: &Deployment) -> bool {
    let State::Paused { at, .. } = &deployment.state else { return false };
    let watched = matches!(at, Phase::Bake { .. });
    let moving = !deployment.site_orders().is_empty();
    !moving
        && deployment.hosts.values().all(|run| match &run.state {
            HostState::Doing(doing) => watched && doing.stage == Stage::Observe,
            HostState::Unknown { .. } => false,
            _ => true,
        })
}

/// What a driver needs.
pub(crate) struct Driver {
    pub(crate) records: Records,
    pub(crate) ways: Arc<dyn Hosts>,
    pub(crate) artifacts: Artifacts,
    pub(crate) outputs: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) me: Person,
    pub(crate) clock: Clock,
    pub(crate) lease: Lease,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) until: Until,
    /// What the production tests need; found before the deployment began, or was gone on with, here.
    pub(crate) secrets: Secrets,
    pub(crate) outbox: Outbox,
    /// Becomes true when this process drives nothing any more.
    pub(crate) stopped: Option<watch::Receiver<bool>>,
}

/// What people have been told of already, as far as this process knows.
#[derive(Default)]
struct Told {
    state: Option<State>,
    suspects: BTreeSet<HostName>,
}

impl Driver {
    /// Drives `deployment` as far as is wanted, or until another controller takes charge.
    pub(crate) async fn drive(
        mut self,
        mut deployment: Versioned<Deployment>,
    ) -> Result<Deployment, Problem> {
        let mut work = AtWork::default();
        let ended = self.run(&mut deployment, &mut work).await;
        work.tasks.abort_all();
        // However it ended, others may act from now on; a lease that is gone already is as good.
        let _ = self.records.ledger().release(&self.lease).await;
        ended.map(|()| deployment.value)
    }

    async fn run(
        &mut self,
        deployment: &mut Versioned<Deployment>,
        work: &mut AtWork,
    ) -> Result<(), Problem> {
        let mut head = 0;
        let began = tokio::time::Instant::now();
        let mut renewed = began;
        let mut rounds = Rounds::new(Arc::clone(&self.ways));
        let mut news = self.first_look(&deployment.value, &mut rounds).await;
        let mut commands = SiteCommands::default();
        let mut watching = Watching::new(Arc::clone(&self.ways), &self.data);
        let numbers = self.progress.borrow().numbers.clone();
        let mut told = Told::default();
        loop {
            self.advance(deployment, &news).await?;
            news.clear();
            self.publish(&deployment.value);
            self.tell(&deployment.value, &watching, &mut told).await;
            let stopped = self.stopped.as_ref().is_some_and(|signal| *signal.borrow());
            if stopped || self.until.is_reached(&deployment.value, began.elapsed()) {
                watching.close(&deployment.value);
                return Ok(());
            }
            self.act(&deployment.value, work);
            commands.begin(&deployment.value);
            let now = (self.clock)();
            let patience = deployment.value.next_deadline(now).map_or(LOOK, |at| at.since(now).min(LOOK));
            let authority = self.authority(&deployment.value);
            let patience = rounds.begin(&deployment.value, now, &authority).unwrap_or(patience).min(patience);
            let patience = watching.begin(&deployment.value, now, &numbers).unwrap_or(patience).min(patience);
            // In this order, so that a simulation can be repeated. None of these is ready again at once.
            tokio::select! {
                biased;
                Some(ended) = commands.next() => news.push(ended),
                look = watching.next() => {
                    let heard = watching.hear(&deployment.value, (self.clock)(), &numbers, look);
                    news.extend(heard.inspect(|heard| self.show(heard)));
                }
                Some(round) = rounds.next() => news.extend(self.heard(&deployment.value, round)),
                Some(ended) = work.tasks.join_next_with_id() => self.hear(deployment, work.heard(ended), &mut news).await?,
                () = tokio::time::sleep(patience.max(Duration::from_millis(5))) => {}
            }
            while let Some(ended) = work.tasks.try_join_next_with_id() {
                self.hear(deployment, work.heard(ended), &mut news).await?;
            }
            if renewed.elapsed() >= lease::RENEWAL {
                self.renew(deployment).await?;
                renewed = tokio::time::Instant::now();
            }
            let newest = self.records.ledger().head().await.map_err(Problem::store)?;
            if newest != head {
                head = newest;
                self.take_in(deployment).await?;
            }
        }
    }

    /// What the balancers see of a deployment that somebody else has driven: who fell ill meanwhile is no longer counted
    /// among those that serve when the next host is taken out.
    async fn first_look(&self, deployment: &Deployment, rounds: &mut Rounds) -> Vec<Input> {
        let balanced = deployment.plan.as_ref().is_some_and(|plan| !plan.pools.is_empty());
        if !balanced || matches!(deployment.state, State::Pending { .. }) {
            return Vec::new();
        }
        rounds.begin(deployment, (self.clock)(), &self.authority(deployment));
        // Balancers that are silent are waited for no longer: the hosts wait, too.
        let looked = tokio::time::timeout(FIRST_LOOK, rounds.next()).await;
        looked.ok().flatten().map(|round| self.heard(deployment, round)).unwrap_or_default()
    }

    /// Adds what a task brought to the news. A host that obeys somebody else is no sign against the release: whoever
    /// has taken over gives the orders. While a deployment ends, it must be able to end without that host.
    async fn hear(
        &self,
        deployment: &mut Versioned<Deployment>,
        brought: Option<News>,
        news: &mut Vec<Input>,
    ) -> Result<(), Problem> {
        let Some(News { input, holder }) = brought else { return Ok(()) };
        if let (Some(holder), Input::Ended { host, .. }) = (holder, &input) {
            self.take_in(deployment).await?;
            let goes_on =
                !matches!(deployment.value.state, State::Aborting { .. } | State::RollingBack { .. });
            if goes_on && holder.ledger != self.records.ledger().id() {
                let (id, host) = (deployment.value.id, host.clone());
                return Err(Problem::HostTaken { id, host, holder });
            }
        }
        news.push(input);
        Ok(())
    }

    /// Takes in what others recorded. Whoever has taken charge since gives the orders from now on.
    async fn take_in(&self, deployment: &mut Versioned<Deployment>) -> Result<(), Problem> {
        let new = self.records.refresh(deployment).await?;
        let other = new.iter().rev().find_map(|entry| match &entry.fact {
            Fact::InCharge { fence, by } if fence.0 != self.lease.fence => Some(by),
            _ => None,
        });
        match other {
            Some(by) if !deployment.value.state.is_terminal() => {
                Err(Problem::TakenOver { by: format!("{} on {}", by.name, by.at) })
            }
            _ => Ok(()),
        }
    }

    /// Takes news in, decides until there is nothing left to decide, and records all of it in one transaction.
    async fn advance(&self, deployment: &mut Versioned<Deployment>, news: &[Input]) -> Result<(), Problem> {
        loop {
            let now = (self.clock)();
            let mut moved = deployment.value.clone();
            let mut facts = Vec::new();
            let mut add = |moved: &mut Deployment, new: Vec<Fact>| {
                for fact in &new {
                    moved.apply(now, fact);
                }
                facts.extend(new);
            };
            for input in news {
                let new = moved.handle(now, input.clone());
                add(&mut moved, new);
            }
            loop {
                let new = moved.decide(now);
                if new.is_empty() {
                    break;
                }
                add(&mut moved, new);
            }
            if facts.is_empty() {
                return Ok(());
            }
            let stored = if moved.state.is_terminal() {
                self.records.commit_end(now, &self.me.name, deployment, &facts).await
            } else {
                self.records.commit(now, &self.me.name, deployment, &facts, None).await
            };
            match stored {
                Ok(()) => return Ok(()),
                // A person was faster, or the line has changed: take that in, then decide anew.
                Err(error) if is_conflict(&error) => self.take_in(deployment).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Renews the lease. One that ran out (the machine slept, the ledger stood still) and that nobody has is taken
    /// anew: whoever acted in between has stopped, so every open step is asked about.
    async fn renew(&mut self, deployment: &mut Versioned<Deployment>) -> Result<(), Problem> {
        let ledger = self.records.ledger();
        match lease::take(ledger.as_ref(), &self.lease.name, &self.lease.holder, (self.clock)()).await {
            Ok(lease) => {
                let lapsed = lease.fence != self.lease.fence;
                self.lease = lease;
                if lapsed {
                    self.records.refresh(deployment).await?;
                    let fence = Fence(self.lease.fence);
                    self.records.take_charge_unasked(self.clock, &self.me, fence, deployment).await?;
                }
                Ok(())
            }
            Err(StoreError::Leased { by, .. }) => Err(Problem::TakenOver { by: by.description }),
            Err(error) => Err(Problem::store(error)),
        }
    }

    /// Queues what people must hear about a state that was just entered. A message that cannot be recorded now holds
    /// nothing up: the next command finds that it is missing.
    async fn tell(&self, deployment: &Deployment, watching: &Watching, told: &mut Told) {
        if told.state.as_ref() != Some(&deployment.state) {
            let _ = self.outbox.note(deployment, || watching.picture(deployment)).await;
            told.state = Some(deployment.state.clone());
        }
        let tell = deployment.plan.as_ref().and_then(|plan| plan.service.tell.as_ref());
        let suspects = deployment.hosts.iter().filter(|(_, run)| run.suspect);
        for (host, run) in suspects {
            if told.suspects.insert(host.clone()) {
                let why = run.failure.as_ref().map(|failure| failure.reason.as_str()).unwrap_or_default();
                let telling = telling::suspect_host(deployment, host, why, run.since, None);
                let _ = self.outbox.announce(telling, tell).await;
            }
        }
    }

    fn publish(&self, deployment: &Deployment) {
        self.progress.send_modify(|progress| {
            progress.deployment = Arc::new(deployment.clone());
            progress.behind = None;
        });
    }

    /// Brings the tasks into line with the open orders.
    fn act(&self, deployment: &Deployment, work: &mut AtWork) {
        let Some(plan) = &deployment.plan else { return };
        let orders: BTreeMap<HostName, OpenOrder> = deployment.orders().into_iter().collect();
        work.by_host.retain(|host, task| {
            let wanted = orders.get(host).is_some_and(|order| {
                task.token == *order.token() && task.asking == matches!(order, OpenOrder::Ask { .. })
            });
            if !wanted {
                task.handle.abort();
                let given_up = orders.get(host).is_none_or(|order| task.token != *order.token());
                if given_up && !task.asking {
                    self.end_step(plan, host, &task.token);
                }
            }
            wanted
        });
        for (name, order) in orders {
            if work.by_host.contains_key(&name) {
                continue;
            }
            let (Some(planned), Some(placement)) = (plan.hosts.get(&name), plan.placement(&name)) else {
                continue;
            };
            let (token, asking) = (order.token().clone(), matches!(order, OpenOrder::Ask { .. }));
            let host = planned.host.clone();
            let handle = match order {
                OpenOrder::Step { token, step, timeout } => {
                    let order = andon_api::agent::Order {
                        token,
                        authority: self.authority(deployment),
                        placement,
                        step: *step,
                        timeout,
                    };
                    let supplies = self.supplies(deployment, &name, &order.step);
                    work.tasks.spawn(carry_out(Arc::clone(&self.ways), host, order, supplies))
                }
                OpenOrder::Ask { token } => {
                    let lost = Lost::of(deployment, &name, (self.clock)());
                    work.tasks.spawn(ask(Arc::clone(&self.ways), host, placement, token, lost))
                }
            };
            work.by_task.insert(handle.id(), (name.clone(), token.clone()));
            work.by_host.insert(name, Task { token, asking, handle });
        }
    }

    /// What a round of the balancers brought.
    fn heard(&self, deployment: &Deployment, round: Round) -> Vec<Input> {
        let Some(plan) = deployment.plan.as_deref() else { return Vec::new() };
        let news = round.news(plan);
        self.progress.send_modify(|progress| {
            progress.numbers.read((self.clock)(), &plan.pools, &round.sights);
            progress.round = Arc::new(round);
        });
        news
    }

    /// Whoever watches sees how the analysis stands, also when nothing follows from it.
    fn show(&self, heard: &Input) {
        if let Input::Judged { standing, .. } = heard {
            let standing = Arc::new((**standing).clone());
            self.progress.send_modify(|progress| progress.standing = Some(standing));
        }
    }

    fn authority(&self, deployment: &Deployment) -> Authority {
        Authority {
            ledger: self.records.ledger().id().to_owned(),
            fence: deployment.fence,
            deployment: deployment.id.0,
            by: deployment.request.by.name.clone(),
            at: self.me.at.clone(),
            since: Some(deployment.accepted),
            take_over: deployment.request.take_over,
            round: 0,
        }
    }

    fn supplies(&self, deployment: &Deployment, host: &HostName, step: &Step) -> Supplies {
        let artifact = match step {
            Step::Prepare { release, .. } => Some(self.artifacts.path(release)),
            Step::Activate { .. } | Step::Verify { .. } | Step::Observe { .. } => None,
        };
        let output = self.outputs.join(deployment.id.0.to_string()).join(format!("{host}.log"));
        let secrets = match step {
            Step::Verify { .. } => self.secrets.clone(),
            Step::Prepare { .. } | Step::Activate { .. } | Step::Observe { .. } => Secrets::default(),
        };
        Supplies { artifact, output: Some(output), secrets }
    }

    /// A step that nobody waits for any more is ended on its host, so that the next one finds it free.
    fn end_step(&self, plan: &andon_core::plan::Plan, host: &HostName, token: &Token) {
        let (Some(planned), Some(placement)) = (plan.hosts.get(host), plan.placement(host)) else { return };
        let (ways, host, token) = (Arc::clone(&self.ways), planned.host.clone(), token.clone());
        tokio::spawn(async move {
            // A host that cannot be told is asked about the step before it gets another one.
            let _ = ways.kill(&host, &placement, &token).await;
        });
    }
}
