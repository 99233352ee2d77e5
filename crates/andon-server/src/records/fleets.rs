//! Which hosts deployments were planned for: one row for each set of hosts, however many deployments it had.
//!
//! The rows can be made again from the plans. One that is gone costs that its deployments are not found by a host.

use std::collections::BTreeMap;

use andon_core::deployment::{DeploymentId, Fact, FleetId, Summary};
use andon_core::name::HostName;
use andon_store::{Record, ViewQuery, ViewUpdate};

use super::{DEPLOYMENTS, Records, RecordsError, encode};

const FLEETS: &str = "fleet";

impl Records {
    /// Summaries of deployments with a lower number than `before`, the newest first; at most `limit`, and perhaps fewer:
    /// only an empty answer says that there are no more.
    pub(crate) async fn summaries(
        &self,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, Option<Summary>)>, RecordsError> {
        let query = ViewQuery { before, limit, ..ViewQuery::default() };
        let rows = self.ledger.views(DEPLOYMENTS, query).await?;
        let summary = |body| serde_json::from_value::<Summary>(body).ok();
        Ok(rows.into_iter().map(|row| (row.rank, summary(row.body))).collect())
    }

    /// The summary of one deployment.
    pub(crate) async fn summary(&self, id: DeploymentId) -> Result<Option<Summary>, RecordsError> {
        let body = self.ledger.view(DEPLOYMENTS, &id.0.to_string()).await?;
        Ok(body.and_then(|body| serde_json::from_value(body).ok()))
    }

    /// Every set of hosts that a deployment was planned for.
    pub(crate) async fn fleets(&self) -> Result<BTreeMap<FleetId, Vec<HostName>>, RecordsError> {
        let (mut fleets, mut query) = (BTreeMap::new(), ViewQuery::newest(super::PAGE));
        loop {
            let rows = self.ledger.views(FLEETS, query.clone()).await?;
            let Some(last) = rows.last() else { return Ok(fleets) };
            query = query.behind(last);
            for row in rows {
                if let (Ok(id), Ok(hosts)) = (row.key.parse(), serde_json::from_value(row.body)) {
                    fleets.insert(id, hosts);
                }
            }
        }
    }

    /// One set of hosts.
    pub(crate) async fn fleet(&self, id: FleetId) -> Result<Option<Vec<HostName>>, RecordsError> {
        let body = self.ledger.view(FLEETS, &id.to_string()).await?;
        Ok(body.and_then(|body| serde_json::from_value(body).ok()))
    }

    /// What is recorded behind a position; at most so much as fits into one answer.
    pub(crate) async fn behind(&self, position: u64) -> Result<Vec<Record>, RecordsError> {
        Ok(self.ledger.tail(position, super::PAGE).await?)
    }
}

/// The row of the set of hosts that facts plan for, where they plan.
pub(super) fn planned(facts: &[Fact]) -> Result<Option<ViewUpdate>, RecordsError> {
    let plan = facts.iter().find_map(|fact| match fact {
        Fact::Planned { plan } => Some(plan),
        _ => None,
    });
    let Some(plan) = plan else { return Ok(None) };
    let hosts: Vec<&HostName> = plan.hosts.keys().collect();
    let key = FleetId::of(hosts.iter().copied()).to_string();
    Ok(Some(ViewUpdate { view: FLEETS.to_owned(), key, rank: 0, body: encode(&hosts)? }))
}
