//! What only those are told who asked for it. Each gets a message of their own, with a key of its own: it is queued once,
//! whoever comes first, and one who is slow to be reached keeps nobody waiting.

use andon_core::deployment::{Deployment, Summary};
use andon_core::telling::subscriptions::{Occasion, Subscriptions};
use andon_core::telling::{self, GIVE_UP_AFTER, Route, Telling};

use super::{Outbox, RECENT, VIEW};
use crate::records::RecordsError;

impl Outbox {
    /// Records a message for everybody who asked for it and whom the line does not tell by the ways that are `taken`.
    /// Says for how many it was new.
    pub async fn tell_subscribers(&self, telling: &Telling, taken: &[Route]) -> Result<usize, RecordsError> {
        let all = self.records.subscriptions().await?.value;
        let mut new = 0;
        for (telling, routes) in all.letters(telling, taken) {
            new += usize::from(self.put(telling, routes).await?);
        }
        Ok(new)
    }

    /// Records what those want to hear of a deployment who asked for it: that it began or ended, and that it moved the
    /// line.
    pub(super) async fn note_news(&self, deployment: &Deployment) -> Result<bool, RecordsError> {
        let mut new = 0;
        if let Some(telling) = telling::news(deployment) {
            new += self.tell_subscribers(&telling, &[]).await?;
        }
        if deployment.state.is_terminal() && !self.records.subscriptions().await?.value.is_empty() {
            let cord = self.records.cord().await?.value;
            if let Some(telling) = telling::of_the_cord(&cord, deployment.id) {
                new += self.tell_subscribers(&telling, &[]).await?;
            }
        }
        Ok(new > 0)
    }

    /// Records what subscribers should have been told of the newest deployments and were not, because a process died
    /// before it could.
    pub(super) async fn catch_up_subscribers(&self) -> Result<(), RecordsError> {
        let all = self.records.subscriptions().await?.value;
        if all.is_empty() {
            return Ok(());
        }
        let now = (self.clock)();
        for row in self.records.history(None, RECENT).await? {
            let fresh = row.ended.is_none_or(|ended| now.since(ended) < GIVE_UP_AFTER);
            if fresh && self.lacks(&all, &row).await? {
                let deployment = self.records.deployment(row.id).await?;
                self.note(&deployment.value, || None).await?;
            }
        }
        Ok(())
    }

    /// Whether somebody who wants to hear of a deployment's end has no message of it.
    async fn lacks(&self, all: &Subscriptions, row: &Summary) -> Result<bool, RecordsError> {
        let Some(kind) = end(row) else { return Ok(false) };
        let Some(occasion) = Occasion::of(kind) else { return Ok(false) };
        let at = row.ended.unwrap_or(row.accepted);
        for person in all.interested(occasion, Some(&row.scope), at) {
            let key = Telling::key_for(&format!("{}/{}", row.id.0, kind.name()), person);
            if self.records.ledger().view(VIEW, &key).await?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What a deployment that stands so has to tell, as far as one row says it.
fn end(row: &Summary) -> Option<telling::Kind> {
    Some(match row.state.as_str() {
        "running" => telling::Kind::Began,
        "succeeded" => telling::Kind::Succeeded,
        "rolled_back" => telling::Kind::PutBack,
        "rollback_failed" => telling::Kind::NotPutBack,
        "failed" => telling::Kind::Failed,
        "aborted" => telling::Kind::Undone,
        _ => return None,
    })
}
