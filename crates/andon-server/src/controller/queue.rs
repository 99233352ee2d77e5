//! Waiting for the lock: one place in the queue, and the newest takes it.

use std::time::Duration;

use andon_core::deployment::{Ask, CancelReason, Deployment, DeploymentId, Fact, Kind, PendingReason, State};
use andon_core::line::OnConflict;
use andon_core::scope::{Admission, Lock, Scope, ScopeFact};
use andon_core::time::Time;
use andon_store::StoreError;
use tokio::sync::watch;

use super::{Controller, Going, Wish};
use crate::driver::Progress;
use crate::lease;
use crate::problem::Problem;
use crate::records::{Versioned, is_conflict};

/// How often a queued deployment looks whether its turn has come.
const LOOK: Duration = Duration::from_millis(250);
/// How long a deployment waits for another one before it gives up.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

impl Controller {
    /// Takes the place in the queue, or is refused. `None` when somebody was faster.
    pub(super) async fn queue(
        &self,
        wish: &Wish,
        mut scope: Versioned<Scope>,
        behind: DeploymentId,
        since: Time,
    ) -> Result<Option<Going>, Problem> {
        self.refuse_orphaned(wish, &scope, behind).await?;
        let policy = wish.service.rollout.on_conflict;
        let preempts = wish.kind == Kind::Rollback || policy == OnConflict::Supersede;
        if policy == OnConflict::Reject && !preempts {
            return Err(Problem::Occupied { scope: wish.scope.clone(), by: behind });
        }
        let now = (self.clock)();
        let (mut deployment, accepted) = self.accept(wish, now).await?;
        let id = deployment.value.id;
        let older = scope.value.waiting;
        let pending = Fact::Entered { state: State::Pending { reason: PendingReason::Lock } };
        let queued = [ScopeFact::Queued { deployment: id }];
        let stored = self
            .records
            .commit(now, &self.me.name, &mut deployment, &[accepted, pending], Some((&mut scope, &queued)))
            .await;
        match stored {
            Err(error) if is_conflict(&error) => return Ok(None),
            other => other?,
        }
        if let Some(older) = older {
            self.give_way(older, id).await?;
        }
        if preempts {
            match self.wish(behind, Ask::Supersede { by: id }, wish.why.clone()).await {
                // It may have ended, or be ending, by itself.
                Ok(()) | Err(Problem::NotNow(_)) => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(Some(self.wait(wish.clone(), deployment, Some((behind, since)))))
    }

    /// Waits for the turn of a deployment that is in the queue.
    pub(super) fn wait(
        &self,
        wish: Wish,
        deployment: Versioned<Deployment>,
        behind: Option<(DeploymentId, Time)>,
    ) -> Going {
        let id = deployment.value.id;
        let (progress, watching) = watch::channel(Progress::of(&deployment.value, behind));
        let controller = self.clone();
        let end = tokio::spawn(async move { controller.wait_then_drive(wish, deployment, progress).await });
        Going { id, progress: watching, end }
    }

    /// A dead process's deployment would be waited for in vain.
    async fn refuse_orphaned(
        &self,
        wish: &Wish,
        known: &Versioned<Scope>,
        behind: DeploymentId,
    ) -> Result<(), Problem> {
        let (ledger, holder) = (self.records.ledger().as_ref(), self.holder());
        match lease::take(ledger, &wish.scope.stream(), &holder, (self.clock)()).await {
            Ok(lease) => {
                ledger.release(&lease).await.map_err(Problem::store)?;
                // It may have ended just now. Then the scope has moved on, and joining the queue is a lost race.
                if self.records.scope(&wish.scope).await?.seq != known.seq {
                    return Ok(());
                }
                Err(Problem::Orphaned { scope: wish.scope.clone(), by: behind })
            }
            Err(StoreError::Leased { .. }) => Ok(()),
            Err(error) => Err(Problem::store(error)),
        }
    }

    pub(super) async fn give_way(&self, older: DeploymentId, newer: DeploymentId) -> Result<(), Problem> {
        let reason = CancelReason::Superseded { by: newer };
        let deployment = self.records.deployment(older).await?;
        if deployment.value.plan.is_some() {
            return Ok(());
        }
        self.cancel(deployment, reason).await
    }

    async fn wait_then_drive(
        self,
        wish: Wish,
        mut deployment: Versioned<Deployment>,
        progress: watch::Sender<Progress>,
    ) -> Result<Deployment, Problem> {
        let began = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(LOOK).await;
            self.records.refresh(&mut deployment).await?;
            // Somebody else has begun it, or this process is about to end: it is theirs, or waits for the next one.
            if deployment.value.plan.is_some() || self.is_stopped() {
                return Ok(deployment.value);
            }
            if !deployment.value.decide((self.clock)()).is_empty() {
                self.settle_pending(deployment.clone()).await?;
                self.records.refresh(&mut deployment).await?;
            }
            if deployment.value.state.is_terminal() {
                progress.send_replace(Progress::of(&deployment.value, None));
                return Ok(deployment.value);
            }
            let scope = self.records.scope(&wish.scope).await?;
            if let Admission::Held { by, reason, .. } = scope.value.admits(wish.kind, wish.fixes) {
                let why = format!("{by} ended badly while this one waited: {reason}");
                self.cancel(deployment.clone(), CancelReason::Refused { why }).await?;
                continue;
            }
            if let Err(problem) = self.check_line(&wish).await {
                self.refuse(&deployment, problem).await?;
                continue;
            }
            if let Lock::Owned { deployment: owner, since } = &scope.value.lock {
                let (owner, since) = (*owner, *since);
                if owner > deployment.value.id {
                    self.cancel(deployment.clone(), CancelReason::Superseded { by: owner }).await?;
                    continue;
                }
                if began.elapsed() >= PATIENCE {
                    let why = format!("it waited {} min for {owner}", PATIENCE.as_secs() / 60);
                    self.cancel(deployment.clone(), CancelReason::Refused { why }).await?;
                    continue;
                }
                progress.send_replace(Progress::of(&deployment.value, Some((owner, since))));
                continue;
            }
            match self.begin(&wish, scope, Some(deployment.clone())).await {
                Ok(Some(going)) => return self.follow(going, progress).await,
                Ok(None) => {}
                Err(problem @ (Problem::Refused(_) | Problem::Secret(_))) => {
                    let why = problem.to_string();
                    self.cancel(deployment.clone(), CancelReason::Refused { why }).await?;
                    return Err(problem);
                }
                Err(problem @ Problem::Stopped { .. }) => self.refuse(&deployment, problem).await?,
                // Whoever gave it up asks for its end as well.
                Err(Problem::GivenUp) => {}
                Err(Problem::NotNow(_)) if began.elapsed() < PATIENCE => {}
                Err(Problem::NotNow(why)) => {
                    self.cancel(deployment.clone(), CancelReason::Refused { why }).await?;
                }
                Err(problem) => return Err(problem),
            }
        }
    }

    /// Ends one that waited when the line was stopped. Any other problem is passed on.
    async fn refuse(&self, deployment: &Versioned<Deployment>, problem: Problem) -> Result<(), Problem> {
        let Problem::Stopped { stops, .. } = &problem else { return Err(problem) };
        let by = stops.first().map(|stop| format!(" by {}: {}", stop.by, stop.reason)).unwrap_or_default();
        let why = format!("the line was stopped while this one waited,{by}");
        self.cancel(deployment.clone(), CancelReason::Refused { why }).await
    }

    /// Passes the progress of a deployment that waited on to whoever has watched it wait.
    async fn follow(
        &self,
        mut going: Going,
        progress: watch::Sender<Progress>,
    ) -> Result<Deployment, Problem> {
        while going.progress.changed().await.is_ok() {
            let now = going.progress.borrow_and_update().clone();
            progress.send_replace(now);
        }
        going.end.await.map_err(|error| Problem::NotNow(format!("the driver stumbled: {error}")))?
    }

    /// Carries out what was asked of a deployment that has not begun.
    pub(super) async fn settle_pending(&self, mut deployment: Versioned<Deployment>) -> Result<(), Problem> {
        for _ in 0..super::RACES {
            let now = (self.clock)();
            let facts = deployment.value.decide(now);
            if facts.is_empty() || deployment.value.state.is_terminal() {
                return Ok(());
            }
            match self.end(&mut deployment, now, &facts).await {
                Err(Problem::Records(error)) if is_conflict(&error) => {
                    self.records.refresh(&mut deployment).await?;
                }
                other => return other,
            }
        }
        Ok(())
    }

    async fn cancel(
        &self,
        mut deployment: Versioned<Deployment>,
        reason: CancelReason,
    ) -> Result<(), Problem> {
        for _ in 0..super::RACES {
            if deployment.value.state.is_terminal() {
                return Ok(());
            }
            let facts = [Fact::Entered { state: State::Cancelled { reason: reason.clone() } }];
            match self.end(&mut deployment, (self.clock)(), &facts).await {
                Err(Problem::Records(error)) if is_conflict(&error) => {
                    self.records.refresh(&mut deployment).await?;
                }
                other => return other,
            }
        }
        Ok(())
    }

    /// Records facts that may end a deployment, with what that means for its scope and the line.
    async fn end(
        &self,
        deployment: &mut Versioned<Deployment>,
        now: Time,
        facts: &[Fact],
    ) -> Result<(), Problem> {
        Ok(self.records.commit_end(now, &self.me.name, deployment, facts).await?)
    }
}
