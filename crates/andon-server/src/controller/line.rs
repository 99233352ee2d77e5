//! The cord: people stop the line and start it again, and what begins is held against it.

use andon_core::cord::{Cord, CordFact, Passage, Puller};
use andon_core::deployment::{DeploymentId, Kind};
use andon_core::person::Person;

use super::{Controller, RACES, Wish};
use crate::problem::Problem;
use crate::records::{Versioned, is_conflict};

impl Controller {
    /// Pulls the cord: the line stands from now on, or has one more reason to. Gives the line as it was before.
    pub async fn stop_line(&self, by: Person, reason: String) -> Result<Cord, Problem> {
        let fact = CordFact::Stopped { by: Puller::Person { person: by }, reason };
        self.change_line(|_| Some(fact.clone())).await
    }

    /// Starts the line, whatever it stood for. Gives the line as it was before; when that one ran, nothing is recorded.
    pub async fn start_line(&self, by: Person, why: String) -> Result<Cord, Problem> {
        let fact = CordFact::Started { by: Puller::Person { person: by }, why };
        self.change_line(|cord| cord.is_stopped().then(|| fact.clone())).await
    }

    /// Records that something passed as a declared exception. Gives the line as it was; when it ran, nothing is
    /// recorded, because nothing had to be excepted.
    pub async fn let_pass(&self, by: String, what: Passage, why: String) -> Result<Cord, Problem> {
        let fact = CordFact::Passed { by, what, why };
        self.change_line(|cord| cord.is_stopped().then(|| fact.clone())).await
    }

    async fn change_line(&self, change: impl Fn(&Cord) -> Option<CordFact>) -> Result<Cord, Problem> {
        for _ in 0..RACES {
            let mut cord = self.records.cord().await?;
            let before = cord.value.clone();
            let Some(fact) = change(&before) else { return Ok(before) };
            match self.records.commit_cord((self.clock)(), &self.me.name, &mut cord, &[fact]).await {
                Err(error) if is_conflict(&error) => {}
                other => return Ok(other.map(|()| before)?),
            }
        }
        Err(Problem::NotNow(format!("the line changes too fast: others were faster {RACES} times")))
    }

    /// The line, when a wish may begin now.
    pub(super) async fn check_line(&self, wish: &Wish) -> Result<Versioned<Cord>, Problem> {
        let cord = self.records.cord().await?;
        match cord.value.admits(wish.kind, wish.fixes) {
            Ok(()) => Ok(cord),
            Err(stops) => Err(Problem::Stopped { scope: wish.scope.clone(), stops: stops.to_vec() }),
        }
    }

    /// What is recorded of a declared fix that begins although the line stands.
    pub(super) fn passed(&self, wish: &Wish, deployment: DeploymentId, cord: &Cord) -> Vec<CordFact> {
        let fixes = wish.fixes.filter(|_| cord.is_stopped() && wish.kind == Kind::Deploy);
        let fact = fixes.map(|fixes| CordFact::Passed {
            by: self.me.name.clone(),
            what: Passage::Fix { deployment, fixes },
            why: wish.why.clone().unwrap_or_else(|| format!("a fix of {fixes}")),
        });
        fact.into_iter().collect()
    }
}
