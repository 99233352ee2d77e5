//! The deployments of some scopes, the newest first. They are found through the streams of the scopes, from their ends
//! backwards: what others deployed in two years is not looked at.

use std::collections::BTreeSet;

use andon_core::deployment::{DeploymentId, Summary};
use andon_core::scope::{ScopeFact, ScopeName};

use super::{DEPLOYMENTS, PAGE, Records, RecordsError, decode};

/// More than were asked for: one that waited in the queue stands between later ones.
const SPARE: usize = 8;

impl Records {
    /// The newest `limit` deployments of `scopes`.
    pub async fn history_of(&self, scopes: &[ScopeName], limit: usize) -> Result<Vec<Summary>, RecordsError> {
        let mut ids = BTreeSet::new();
        for name in scopes {
            ids.append(&mut self.newest_of(name, limit.saturating_add(SPARE)).await?);
        }
        let mut rows = Vec::new();
        for id in ids.into_iter().rev().take(limit) {
            let body = self.ledger.view(DEPLOYMENTS, &id.0.to_string()).await?;
            rows.extend(body.and_then(|body| serde_json::from_value::<Summary>(body).ok()));
        }
        Ok(rows)
    }

    /// Every deployment is queued in its scope or takes its lock: at least `limit` of the newest, or all.
    async fn newest_of(
        &self,
        name: &ScopeName,
        limit: usize,
    ) -> Result<BTreeSet<DeploymentId>, RecordsError> {
        let stream = name.stream();
        let mut end = self.scope(name).await?.seq;
        let mut ids = BTreeSet::new();
        while end > 0 && ids.len() < limit {
            let start = end.saturating_sub(PAGE as u64);
            let mut seq = start;
            while seq < end {
                let records = self.ledger.read(&stream, seq, PAGE).await?;
                let Some(last) = records.last() else { break };
                seq = last.seq;
                for record in &records {
                    match decode(record)? {
                        ScopeFact::Queued { deployment } | ScopeFact::LockTaken { deployment } => {
                            ids.insert(deployment);
                        }
                        _ => {}
                    }
                }
            }
            end = start;
        }
        Ok(ids)
    }
}
