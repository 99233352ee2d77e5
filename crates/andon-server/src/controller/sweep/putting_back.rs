//! Hosts that are out of traffic without an owner: each is looked at, tested, put back, and seen to serve.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::balance::{FailureKind, HostSight, Standing, Traffic};
use andon_core::host::{Authority, Fence, HostFacts, Outcome};
use andon_core::line::{Host, Rollout, Service};
use andon_core::name::HostName;
use andon_core::plan::Observation;
use andon_core::quantity::format_duration;
use andon_core::release::ReleaseId;
use andon_core::scope::{Scope, ScopeFact};
use andon_store::Lease;
use tokio::time::Instant;

use super::{Candidate, Controller, Found, Sweep};
use crate::lease;
use crate::problem::Problem;
use crate::records::{Versioned, is_conflict};
use crate::traffic;

/// The pause between two looks at the balancers.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a host stays out: one sentence, and whether a deployment would mend it.
type Unfit = (String, bool);

impl Controller {
    /// Puts candidates back while the lease on their scope is held: no deployment begins meanwhile.
    pub(super) async fn put_back_under(
        &self,
        lease: &Lease,
        sweep: &Sweep,
        scope: Versioned<Scope>,
        candidates: Vec<Candidate>,
    ) -> Result<Vec<Found>, Problem> {
        let work = self.put_back_fit(lease, sweep, scope, candidates);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(lease::RENEWAL) => {
                    let (ledger, now) = (self.records.ledger().as_ref(), (self.clock)());
                    let renewed = lease::take(ledger, &lease.name, &lease.holder, now).await;
                    if renewed.map_err(Problem::store)?.fence != lease.fence {
                        let what = "this process stood still, and others may have acted meanwhile; try again";
                        return Err(Problem::NotNow(what.to_owned()));
                    }
                }
            }
        }
    }

    async fn put_back_fit(
        &self,
        lease: &Lease,
        sweep: &Sweep,
        mut scope: Versioned<Scope>,
        candidates: Vec<Candidate>,
    ) -> Result<Vec<Found>, Problem> {
        let mut found = Vec::new();
        let mut unfit = self.unfit(&sweep.service, &scope.value, &candidates).await;
        let mut waiting = Vec::new();
        for candidate in candidates {
            match unfit.remove(&candidate.host.name) {
                Some((why, deploy)) => found.push(Found::Out { host: candidate.host.name, why, deploy }),
                None => waiting.push(candidate),
            }
        }
        let authority = self.sweeper(lease, &scope.value);
        let enabled = self.enable(waiting, &authority, &sweep.service.rollout).await;
        let mut facts = Vec::new();
        for (host, outcome) in enabled {
            match outcome {
                Ok(()) => {
                    facts.push(ScopeFact::Returned { host: host.clone() });
                    found.push(Found::Returned { host });
                }
                Err(why) => found.push(Found::Out { host, why, deploy: false }),
            }
        }
        self.record(sweep, &mut scope, &facts).await?;
        Ok(found)
    }

    /// The candidates that must not serve, and why.
    async fn unfit(
        &self,
        service: &Service,
        scope: &Scope,
        candidates: &[Candidate],
    ) -> BTreeMap<HostName, Unfit> {
        let hosts: Vec<&Host> = candidates.iter().map(|candidate| &candidate.host).collect();
        let mut observed = self.observe(service, &hosts).await;
        let mut unfit = BTreeMap::new();
        let mut to_test = Vec::new();
        for host in hosts {
            let fitness = match observed.remove(&host.name) {
                Some(Observation::Reached(facts)) => fitness(&facts, scope.current.as_ref()),
                Some(Observation::Unreachable(why)) => Err((format!("it does not answer: {why}"), false)),
                None => Err(("it was not asked".to_owned(), false)),
            };
            match fitness {
                Ok(()) => to_test.push(host),
                Err(why) => drop(unfit.insert(host.name.clone(), why)),
            }
        }
        for trial in self.test(service, &to_test).await {
            let why = match trial.result {
                Ok(Outcome::Succeeded) => continue,
                Ok(Outcome::Failed { reason, .. }) => {
                    format!("it is not healthy, or a production test failed: {reason}")
                }
                Ok(Outcome::TimedOut { after, .. }) => {
                    format!("its production tests took longer than {}", format_duration(after))
                }
                Ok(Outcome::Killed) => "its production tests were ended by somebody".to_owned(),
                Err(why) => format!("it could not be tested: {why}"),
            };
            unfit.insert(trial.host, (why, false));
        }
        unfit
    }

    /// Tells the balancers of all hosts that they may come back, until each is seen to serve. One that does not in
    /// time is taken out again: it belongs to whoever looks into it.
    async fn enable(
        &self,
        mut waiting: Vec<Candidate>,
        authority: &Authority,
        rollout: &Rollout,
    ) -> BTreeMap<HostName, Result<(), String>> {
        let mut ended = BTreeMap::new();
        let began = Instant::now();
        let mut round = 0;
        let mut numbered = || {
            round += 1;
            Authority { round, ..authority.clone() }
        };
        while !waiting.is_empty() {
            let share = Traffic::coming_back(began.elapsed(), rollout.slow_start);
            let late = began.elapsed() >= rollout.healthy_deadline + rollout.slow_start;
            let seen = self.tell(&waiting, &numbered(), share).await;
            let (mut still, mut failed) = (Vec::new(), Vec::new());
            for candidate in waiting {
                let sight = seen.get(&candidate.host.name).cloned().unwrap_or_default();
                let hopeless = sight.pools.values().filter_map(|pool| pool.as_ref().err());
                let hopeless = hopeless.into_iter().any(|failure| failure.kind != FailureKind::Unreachable);
                if share == Traffic::FULL && sight.standing() == Standing::In {
                    ended.insert(candidate.host.name.clone(), Ok(()));
                } else if late || hopeless {
                    let why = sight.kept_out_by().unwrap_or_else(|| "its balancers do not say".to_owned());
                    let why = format!("it is fit to serve, and was taken out again: {why}");
                    ended.insert(candidate.host.name.clone(), Err(why));
                    failed.push(candidate);
                } else {
                    still.push(candidate);
                }
            }
            if !failed.is_empty() {
                self.tell(&failed, &numbered(), Traffic::Out).await;
            }
            waiting = still;
            if !waiting.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        ended
    }

    /// Tells every pool of every candidate, and says what they see.
    async fn tell(
        &self,
        candidates: &[Candidate],
        authority: &Authority,
        traffic: Traffic,
    ) -> BTreeMap<HostName, HostSight> {
        let mut pools: Vec<_> = candidates.iter().flat_map(|candidate| candidate.pools.clone()).collect();
        pools.sort_by_key(|planned| planned.pool.name());
        pools.dedup_by_key(|planned| planned.pool.name());
        // A pool may be somebody else's for one candidate and ours for another: each is told of its own only.
        let wishes = |pool: &str| -> BTreeMap<HostName, Traffic> {
            let its = candidates.iter().filter(|c| c.pools.iter().any(|planned| planned.pool.name() == pool));
            its.map(|candidate| (candidate.host.name.clone(), traffic)).collect()
        };
        let mut told = tokio::task::JoinSet::new();
        for planned in pools {
            let (ways, authority) = (std::sync::Arc::clone(&self.ways), authority.clone());
            let wished = wishes(&planned.pool.name());
            told.spawn(async move { traffic::look(&ways, &[planned], &authority, &wished).await });
        }
        let mut sights = andon_core::plan::Sights::new();
        while let Some(sight) = told.join_next().await {
            // A task that panicked has said nothing.
            sights.extend(sight.unwrap_or_default());
        }
        let sight = |candidate: &Candidate| HostSight::of(&candidate.host.name, &candidate.pools, &sights);
        candidates.iter().map(|candidate| (candidate.host.name.clone(), sight(candidate))).collect()
    }

    async fn record(
        &self,
        sweep: &Sweep,
        scope: &mut Versioned<Scope>,
        facts: &[ScopeFact],
    ) -> Result<(), Problem> {
        while !facts.is_empty() {
            let now = (self.clock)();
            match self.records.commit_scope(now, &self.me.name, &sweep.scope, scope, facts).await {
                // A queue may have formed; nobody else works on hosts while the lease is held.
                Err(error) if is_conflict(&error) => *scope = self.records.scope(&sweep.scope).await?,
                other => return Ok(other?),
            }
        }
        Ok(())
    }

    /// Who gives the orders: the deployment that took the hosts out, under a fence that is newer than its own.
    fn sweeper(&self, lease: &Lease, scope: &Scope) -> Authority {
        let deployment = scope.held.values().map(|held| held.deployment.0).max().unwrap_or(0);
        Authority { fence: Fence(lease.fence), deployment, ..self.visitor() }
    }
}

/// Whether a host runs what it should, and serves.
fn fitness(facts: &HostFacts, current: Option<&ReleaseId>) -> Result<(), Unfit> {
    let Some(current) = current else {
        return Err(("no release is good here yet".to_owned(), true));
    };
    match facts.uniform_release() {
        Some(release) if release == current => {}
        Some(release) => return Err((format!("it runs {release}, and should run {current}"), true)),
        None => return Err((format!("its instances do not all run {current}, as they should"), true)),
    }
    if facts.serves() {
        return Ok(());
    }
    let sick = facts.instances.iter().find(|instance| !instance.serves());
    let why = sick.map_or_else(
        || "it has no instance".to_owned(),
        |instance| match &instance.health {
            Some(Err(why)) => format!("{} is not healthy: {why}", instance.name),
            _ => format!("{} does not run", instance.name),
        },
    );
    Err((why, false))
}
