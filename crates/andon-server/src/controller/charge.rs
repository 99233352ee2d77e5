//! Wishes to deployments under way, and taking charge of one that nobody drives.

use andon_core::deployment::{Ask, Deployment, DeploymentId, Fact, State};
use andon_core::host::Fence;
use andon_core::time::Time;
use andon_store::StoreError;

use super::{Controller, Going, RACES, Wish};
use crate::driver::Until;
use crate::lease;
use crate::problem::Problem;
use crate::records::{Versioned, is_conflict};
use crate::secrets::Secrets;

impl Controller {
    /// Goes on with a deployment: resumes a paused one, or drives one whose process is gone. `None` when another
    /// living process drives it and has been told.
    pub async fn resume(&self, id: DeploymentId, take_over: bool) -> Result<Option<Going>, Problem> {
        let deployment = self.records.deployment(id).await?;
        if deployment.value.state.is_terminal() {
            let state = deployment.value.state.name();
            return Err(Problem::NotNow(format!("{id} has ended already: it is {state}")));
        }
        let Some(plan) = &deployment.value.plan else {
            return Err(Problem::NotNow(format!("{id} has not begun: abort it, then deploy again")));
        };
        // A test without its secret would say that the release is bad.
        Secrets::new(&self.data).of_tests(&plan.service)?;
        let paused = matches!(deployment.value.state, State::Paused { .. });
        match self.take_charge(deployment, take_over).await {
            Ok(going) => {
                if paused
                    && let Err(problem) = self.wish(id, Ask::Resume, None).await
                    && !matches!(problem, Problem::NotNow(_))
                {
                    return Err(problem);
                }
                // What is no longer paused goes on by itself.
                Ok(Some(going))
            }
            Err(Problem::Driven { .. }) if paused => {
                self.wish(id, Ask::Resume, None).await?;
                Ok(None)
            }
            Err(problem) => Err(problem),
        }
    }

    /// Goes on with a deployment whose controller is gone, as that one would have: what was paused stays paused. One that
    /// was in the queue waits on, as `wish`, where there is one. `None` when somebody lives who drives it, when it has
    /// ended, or when nothing is known of how it would begin.
    pub async fn adopt(&self, id: DeploymentId, wish: Option<Wish>) -> Result<Option<Going>, Problem> {
        let deployment = self.records.deployment(id).await?;
        if deployment.value.state.is_terminal() {
            return Ok(None);
        }
        let Some(plan) = &deployment.value.plan else {
            return Ok(wish.map(|wish| self.wait(wish, deployment, None)));
        };
        Secrets::new(&self.data).of_tests(&plan.service)?;
        let name = deployment.value.request.scope.stream();
        let (ledger, holder) = (self.records.ledger().as_ref(), self.holder());
        let lease = match lease::take(ledger, &name, &holder, (self.clock)()).await {
            Err(StoreError::Leased { .. }) => return Ok(None),
            other => other.map_err(Problem::store)?,
        };
        let (mut deployment, fence) = (deployment, Fence(lease.fence));
        if let Err(error) =
            self.records.take_charge_unasked(self.clock, &self.me, fence, &mut deployment).await
        {
            // Nobody drives under this lease; it must not keep others waiting.
            let _ = ledger.release(&lease).await;
            return Err(error.into());
        }
        Ok(Some(self.drive(deployment, lease, Until::End)))
    }

    /// Asks for something; when nobody lives who could answer, this process does. `None` when another process does.
    pub async fn ask(
        &self,
        id: DeploymentId,
        ask: Ask,
        why: Option<String>,
    ) -> Result<Option<Going>, Problem> {
        self.wish(id, ask.clone(), why).await?;
        let deployment = self.records.deployment(id).await?;
        if deployment.value.state.is_terminal() || deployment.value.plan.is_none() {
            return self.settle_pending(deployment).await.map(|()| None);
        }
        match self.take_charge(deployment, false).await {
            Ok(going) => Ok(Some(going)),
            Err(Problem::Driven { .. }) => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Records a wish, if it makes sense now. Whoever drives the deployment answers it.
    pub async fn wish(&self, id: DeploymentId, ask: Ask, why: Option<String>) -> Result<(), Problem> {
        for _ in 0..RACES {
            let mut deployment = self.records.deployment(id).await?;
            deployment.value.admits(&ask).map_err(Problem::NotNow)?;
            let facts = [Fact::Asked { ask: ask.clone(), by: self.me.clone(), why: why.clone() }];
            match self.records.commit((self.clock)(), &self.me.name, &mut deployment, &facts, None).await {
                Err(error) if is_conflict(&error) => {}
                other => return Ok(other?),
            }
        }
        Err(Problem::NotNow(format!("{id} moves too fast: others were faster {RACES} times")))
    }

    /// When somebody took charge of a deployment last.
    async fn in_charge_since(&self, id: DeploymentId) -> Result<Option<Time>, Problem> {
        let entries = self.records.entries(id, 0).await?;
        let charges = entries.iter().rev().filter(|entry| matches!(entry.fact, Fact::InCharge { .. }));
        Ok(charges.map(|entry| entry.at).next())
    }

    async fn take_charge(
        &self,
        mut deployment: Versioned<Deployment>,
        by_force: bool,
    ) -> Result<Going, Problem> {
        let id = deployment.value.id;
        let name = deployment.value.request.scope.stream();
        let (ledger, holder) = (self.records.ledger().as_ref(), self.holder());
        let taken = match lease::take(ledger, &name, &holder, (self.clock)()).await {
            Err(StoreError::Leased { by, until, .. }) if !by_force => {
                let since = self.in_charge_since(id).await?;
                return Err(Problem::Driven { id, by: by.description, since, until });
            }
            Err(StoreError::Leased { .. }) => lease::take_over(ledger, &name, &holder, (self.clock)()).await,
            other => other,
        };
        let lease = taken.map_err(Problem::store)?;
        let fence = Fence(lease.fence);
        if let Err(error) = self.records.take_charge(self.clock, &self.me, fence, &mut deployment).await {
            // Nobody drives under this lease; it must not keep others waiting.
            let _ = ledger.release(&lease).await;
            return Err(error.into());
        }
        Ok(self.drive(deployment, lease, Until::End))
    }
}
