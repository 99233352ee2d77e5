//! Approvals: where the line asks for them, a release goes out once others agreed.

use std::sync::Arc;

use andon_core::access::{ApprovalFact, Approvals, Asked, Deed, Directory, Unapproved, Visitor, has_to_wait};
use andon_core::deployment::{DeploymentId, Kind, Summary};
use andon_core::digest::Digest;
use andon_core::release::ReleaseId;
use andon_core::scope::ScopeName;
use andon_core::telling;
use andon_core::time::Time;

use super::{Controller, RACES, Wish};
use crate::problem::Problem;
use crate::records::{Records, RecordsError, Versioned, is_conflict};

/// Deployments of a scope that are looked at for one that went well: what is older is over.
const RECENT: usize = 200;

/// A release that waits for approvals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingApproval {
    /// Where it is to go.
    pub scope: ScopeName,
    /// What was asked for, by whom and when.
    pub asked: Asked,
    /// Who approved, and counts for whoever asked.
    pub given: Vec<String>,
}

impl Controller {
    /// Whether the release of a wish may go out as far as approvals go. Where they are missing the wish is remembered, so
    /// that others see what waits for them.
    pub(super) async fn check_approvals(&self, wish: &Wish) -> Result<(), Problem> {
        let needed = self.approvals_needed(wish).await?;
        if needed == 0 {
            return Ok(());
        }
        let directory = Arc::new(self.records.directory().await?.value);
        for _ in 0..RACES {
            let approvals = self.records.approvals(&wish.scope).await?;
            let (now, release) = ((self.clock)(), wish.release.digest);
            let may = may(&directory, &wish.scope);
            let Err(refused) = approvals.value.admit(&wish.scope, &release, needed, &self.me, now, may)
            else {
                return Ok(());
            };
            let before = approvals.value.waiting(now).find(|ask| ask.release == release);
            let by = || self.me.clone();
            let asked = before.cloned().unwrap_or_else(|| Asked {
                release,
                by: by(),
                needed,
                why: wish.why.clone(),
                at: now,
            });
            let fact = ApprovalFact::Asked { release, by: by(), needed, why: wish.why.clone() };
            if before.is_some() || self.record_approval(&wish.scope, &approvals, now, &fact).await? {
                // The same request has the same key: it is told once, however often the deployment is tried.
                let telling = telling::approval_asked(&wish.scope, &wish.release, &asked);
                self.outbox.tell_subscribers(&telling, &[]).await?;
                return Err(Problem::Unapproved(refused));
            }
        }
        Err(self.too_busy(&wish.scope))
    }

    /// How many approvals a wish needs.
    async fn approvals_needed(&self, wish: &Wish) -> Result<u32, Problem> {
        let asked = wish.guard.environment.as_ref().map_or(0, |environment| environment.approvals);
        if asked == 0 {
            return Ok(0);
        }
        let fixed = match wish.fixes {
            Some(id) => {
                let fixed = self.records.deployment(id).await?.value;
                let since = self.records.history_of(std::slice::from_ref(&wish.scope), RECENT).await?;
                let well =
                    |row: &Summary| row.id > id && row.kind == Kind::Deploy && row.state == "succeeded";
                Some((fixed, since.iter().any(well)))
            }
            None => None,
        };
        let fixed = fixed.as_ref().map(|(fixed, over)| (fixed.request.kind, &fixed.state, *over));
        let stopped = self.records.cord().await?.value.is_stopped();
        Ok(if has_to_wait(wish.kind, fixed, stopped) { asked } else { 0 })
    }

    /// What went out waits for nobody any more.
    pub(super) async fn approvals_used(&self, wish: &Wish, deployment: DeploymentId) -> Result<(), Problem> {
        if self.approvals_needed(wish).await? == 0 {
            return Ok(());
        }
        for _ in 0..RACES {
            let approvals = self.records.approvals(&wish.scope).await?;
            let fact = ApprovalFact::Used { release: wish.release.digest, deployment };
            if self.record_approval(&wish.scope, &approvals, (self.clock)(), &fact).await? {
                return Ok(());
            }
        }
        Err(self.too_busy(&wish.scope))
    }

    /// Approves a release that was asked for, in the name of whoever this controller acts for. Whether they may deploy there
    /// is for the caller to ask. Gives the release's whole digest.
    ///
    /// # Errors
    /// [`Problem::NotNow`] when nobody asked for it, the same person did, or the approval would not count.
    pub async fn approve(
        &self,
        scope: &ScopeName,
        release: &ReleaseId,
        why: Option<String>,
    ) -> Result<Digest, Problem> {
        let directory = Arc::new(self.records.directory().await?.value);
        if !may(&directory, scope)(&self.me.name) {
            return Err(Problem::NotNow(format!(
                "there is no user {} who may deploy to {scope}, so this approval would not count",
                self.me.name
            )));
        }
        for _ in 0..RACES {
            let approvals = self.records.approvals(scope).await?;
            let Some(asked) = approvals.value.asked_for(release, (self.clock)()) else {
                return Err(Problem::NotNow(format!(
                    "nobody has asked within a day to deploy {release} to {scope}; the deployment that is refused asks"
                )));
            };
            if asked.by.name == self.me.name {
                return Err(Problem::NotNow(format!(
                    "{} asked for it: somebody else has to approve {release}",
                    self.me.name
                )));
            }
            let digest = asked.release;
            let fact = ApprovalFact::Approved { release: digest, by: self.me.clone(), why: why.clone() };
            if self.record_approval(scope, &approvals, (self.clock)(), &fact).await? {
                return Ok(digest);
            }
        }
        Err(self.too_busy(scope))
    }

    /// What waits for approvals in these scopes, the oldest first.
    ///
    /// # Errors
    /// [`Problem::Records`].
    pub async fn approvals_waiting(
        &self,
        scopes: impl IntoIterator<Item = ScopeName>,
    ) -> Result<Vec<WaitingApproval>, Problem> {
        Ok(self.records.approvals_waiting(scopes, (self.clock)()).await?)
    }

    /// False when somebody was faster.
    async fn record_approval(
        &self,
        scope: &ScopeName,
        approvals: &Versioned<Approvals>,
        at: Time,
        fact: &ApprovalFact,
    ) -> Result<bool, Problem> {
        let by = &self.me.name;
        match self.records.commit_approval(at, by, scope, approvals.seq, fact).await {
            Ok(()) => Ok(true),
            Err(error) if is_conflict(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn too_busy(&self, scope: &ScopeName) -> Problem {
        Problem::NotNow(format!("approvals of {scope} change too fast: others were faster {RACES} times"))
    }
}

impl Records {
    /// What waits for approvals in these scopes at `now`, the oldest first.
    pub async fn approvals_waiting(
        &self,
        scopes: impl IntoIterator<Item = ScopeName>,
        now: Time,
    ) -> Result<Vec<WaitingApproval>, RecordsError> {
        let directory = Arc::new(self.directory().await?.value);
        let mut waiting = Vec::new();
        for scope in scopes {
            let approvals = self.approvals(&scope).await?.value;
            waiting.extend(approvals.waiting(now).map(|asked| {
                let may = may(&directory, &scope);
                let given = approvals.given(&asked.release, &asked.by.name, now, may);
                let given = given.iter().map(|one| one.by.name.clone()).collect();
                WaitingApproval { scope: scope.clone(), asked: asked.clone(), given }
            }));
        }
        waiting.sort_by_key(|one| one.asked.at);
        Ok(waiting)
    }
}

/// Who may deploy to a scope: where nobody was ever added, whoever can use the ledger may.
fn may<'a>(directory: &'a Arc<Directory>, scope: &'a ScopeName) -> impl Fn(&str) -> bool + use<'a> {
    move |name| {
        let visitor = |grants| Visitor { name: name.to_owned(), at: String::new(), grants };
        let known = directory.user(name).map(|user| visitor(user.grants.clone()));
        directory.is_empty() || known.is_some_and(|visitor| visitor.may(&Deed::Deploy(scope.clone())))
    }
}

/// Why a release did not go out yet, as data.
impl From<Box<Unapproved>> for Problem {
    fn from(unapproved: Box<Unapproved>) -> Self {
        Problem::Unapproved(unapproved)
    }
}
