//! Typed facts in the ledger, and the views that are kept beside them.
//!
//! A deployment is the stream `deployment/N`, a scope the stream `scope/SERVICE/ENVIRONMENT`, the line the stream
//! `line`. All are folds. Views spare readers the fold: `deployment` has one [`Summary`] a row, `scope` the last folded
//! scope (`records/scopes.rs`), `line` the line. Another one, `fleet`, has the sets of hosts that summaries name.

use std::sync::Arc;

use andon_core::cord::{Cord, CordFact};
use andon_core::deployment::{Deployment, DeploymentId, Fact, Summary};
use andon_core::host::Fence;
use andon_core::person::Person;
use andon_core::scope::{Scope, ScopeFact};
use andon_core::time::Time;
use andon_core::version::{FIRST_FACTS, Writer};
use andon_store::{Batch, Ledger, Record, StoreError, StreamAppend, ViewQuery, ViewUpdate};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Clock;

mod access;
mod cord;
mod fleets;
mod guarded;
mod past;
mod scopes;
mod subscriptions;
mod version;

pub use subscriptions::SubscribingError;

/// Facts that are read from the ledger at once.
const PAGE: usize = 1000;
const DEPLOYMENTS: &str = "deployment";

/// Why records could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The ledger says so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record is there and cannot be understood: it was written by a newer version, or it is damaged.
    #[error("record {position} of {stream} cannot be understood: {why}. Was it written by a newer andon?")]
    Foreign {
        /// The stream.
        stream: String,
        /// The record's place in the ledger.
        position: u64,
        /// What the decoder says.
        why: String,
    },
    /// A newer program has written facts that this one does not know.
    #[error(
        "this ledger has facts of version {}, written by andon {}, and this is andon {}, which knows version {}",
        .theirs.facts, .theirs.version, .ours.version, .ours.facts
    )]
    Newer {
        /// Who wrote them.
        theirs: Writer,
        /// This program.
        ours: Writer,
    },
    /// There is no such deployment.
    #[error("there is no deployment {0}")]
    NoDeployment(DeploymentId),
    /// The ledger of a server could not be read or written; what that one said.
    #[error("{0}")]
    Elsewhere(String),
}

/// A folded value and the number of records that it was folded from.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Records folded so far.
    pub seq: u64,
}

/// One fact of a deployment with its circumstances, for `show`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// Who.
    pub by: String,
    /// What.
    pub fact: Fact,
}

/// The ledger, typed.
#[derive(Debug, Clone)]
pub struct Records {
    ledger: Arc<dyn Ledger>,
    writer: Writer,
}

/// The facts that a view was made of which does not say it.
fn first_facts() -> u32 {
    FIRST_FACTS
}

impl Records {
    /// Records in `ledger`.
    pub fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger, writer: version::this() }
    }

    /// The ledger below.
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// The facts of a deployment after `seq`.
    pub async fn entries(&self, id: DeploymentId, after: u64) -> Result<Vec<Entry>, RecordsError> {
        let mut entries = Vec::new();
        let mut seq = after;
        loop {
            let records = self.ledger.read(&id.stream(), seq, PAGE).await?;
            for record in &records {
                entries.push(Entry { at: record.at, by: record.by.clone(), fact: decode(record)? });
                seq = record.seq;
            }
            if records.is_empty() {
                return Ok(entries);
            }
        }
    }

    /// A deployment.
    pub async fn deployment(&self, id: DeploymentId) -> Result<Versioned<Deployment>, RecordsError> {
        Ok(self.deployment_with_entries(id).await?.0)
    }

    /// A deployment, and all that it was made of: read once, for that is what takes the time where there are many hosts.
    pub async fn deployment_with_entries(
        &self,
        id: DeploymentId,
    ) -> Result<(Versioned<Deployment>, Vec<Entry>), RecordsError> {
        let entries = self.entries(id, 0).await?;
        let seq = entries.len() as u64;
        let value = Deployment::fold(id, entries.iter().map(|entry| (entry.at, &entry.fact)));
        let value = value.ok_or(RecordsError::NoDeployment(id))?;
        Ok((Versioned { value, seq }, entries))
    }

    /// Adds what others recorded since, and returns it.
    pub async fn refresh(&self, deployment: &mut Versioned<Deployment>) -> Result<Vec<Entry>, RecordsError> {
        let entries = self.entries(deployment.value.id, deployment.seq).await?;
        for entry in &entries {
            deployment.value.apply(entry.at, &entry.fact);
        }
        deployment.seq += entries.len() as u64;
        Ok(entries)
    }

    /// Records that a controller took charge under `fence`, whatever others record meanwhile. A deployment that has
    /// ended needs nobody: nothing is recorded then.
    pub(crate) async fn take_charge(
        &self,
        clock: Clock,
        me: &Person,
        fence: Fence,
        deployment: &mut Versioned<Deployment>,
    ) -> Result<(), RecordsError> {
        self.charge(clock, me, fence, deployment, Deployment::take_charge).await
    }

    /// The same when nobody asked for it.
    pub(crate) async fn take_charge_unasked(
        &self,
        clock: Clock,
        me: &Person,
        fence: Fence,
        deployment: &mut Versioned<Deployment>,
    ) -> Result<(), RecordsError> {
        self.charge(clock, me, fence, deployment, Deployment::take_charge_unasked).await
    }

    async fn charge(
        &self,
        clock: Clock,
        me: &Person,
        fence: Fence,
        deployment: &mut Versioned<Deployment>,
        facts_of: fn(&Deployment, Time, Fence, Person) -> Vec<Fact>,
    ) -> Result<(), RecordsError> {
        loop {
            if deployment.value.state.is_terminal() {
                return Ok(());
            }
            let now = clock();
            let facts = facts_of(&deployment.value, now, fence, me.clone());
            match self.commit(now, &me.name, deployment, &facts, None).await {
                Err(error) if is_conflict(&error) => self.refresh(deployment).await?,
                other => return other,
            };
        }
    }

    /// The number that the next deployment gets, unless somebody is faster.
    pub async fn next_id(&self) -> Result<DeploymentId, RecordsError> {
        let newest = self.ledger.views(DEPLOYMENTS, ViewQuery::newest(1)).await?;
        let last = newest.first().and_then(|row| u64::try_from(row.rank).ok()).unwrap_or(0);
        Ok(DeploymentId(last + 1))
    }

    /// Deployments, the newest first.
    pub async fn history(
        &self,
        before: Option<DeploymentId>,
        limit: usize,
    ) -> Result<Vec<Summary>, RecordsError> {
        let before = before.map(|id| i64::try_from(id.0).unwrap_or(i64::MAX));
        let rows =
            self.ledger.views(DEPLOYMENTS, ViewQuery { before, limit, ..ViewQuery::default() }).await?;
        Ok(rows.into_iter().filter_map(|row| serde_json::from_value(row.body).ok()).collect())
    }

    /// One transaction: facts of a deployment, facts of its scope, and both views. On success both values have moved
    /// on; on a conflict nothing has happened and nothing has changed.
    pub async fn commit(
        &self,
        at: Time,
        by: &str,
        deployment: &mut Versioned<Deployment>,
        facts: &[Fact],
        scope: Option<(&mut Versioned<Scope>, &[ScopeFact])>,
    ) -> Result<(), RecordsError> {
        self.commit_on_line(at, by, deployment, facts, scope, None).await
    }

    /// The same, together with facts of the line. None at all ask only that it is still as it was read.
    pub(crate) async fn commit_on_line(
        &self,
        at: Time,
        by: &str,
        deployment: &mut Versioned<Deployment>,
        facts: &[Fact],
        scope: Option<(&mut Versioned<Scope>, &[ScopeFact])>,
        line: Option<(&Versioned<Cord>, &[CordFact])>,
    ) -> Result<(), RecordsError> {
        let mut moved = deployment.value.clone();
        for fact in facts {
            moved.apply(at, fact);
        }
        let mut appends = vec![append(moved.id.stream(), deployment.seq, facts)?];
        let mut views = vec![ViewUpdate {
            view: DEPLOYMENTS.to_owned(),
            key: moved.id.0.to_string(),
            rank: i64::try_from(moved.id.0).unwrap_or(i64::MAX),
            body: encode(&moved.summary())?,
        }];
        views.extend(fleets::planned(facts)?);
        let mut moved_scope = None;
        if let Some((scope, scope_facts)) = &scope {
            let (append, of_scope, moved) =
                self.on_scope(at, &moved.request.scope, scope, scope_facts).await?;
            appends.push(append);
            views.extend(of_scope);
            moved_scope = Some(moved);
        }
        if let Some((cord, cord_facts)) = line {
            let (append, view, _) = cord::append(self.writer.facts, at, cord, cord_facts)?;
            appends.push(append);
            views.extend(view);
        }
        self.write(Batch { at, by: by.to_owned(), appends, views }).await?;
        deployment.value = moved;
        deployment.seq += facts.len() as u64;
        if let (Some((scope, _)), Some(moved)) = (scope, moved_scope) {
            *scope = moved;
        }
        Ok(())
    }

    /// One transaction: facts that may end a deployment, with what that means for its scope and for the line. Most ends
    /// mean nothing for the line, which is then left alone.
    pub(crate) async fn commit_end(
        &self,
        at: Time,
        by: &str,
        deployment: &mut Versioned<Deployment>,
        facts: &[Fact],
    ) -> Result<(), RecordsError> {
        let mut moved = deployment.value.clone();
        for fact in facts {
            moved.apply(at, fact);
        }
        let mut scope = self.scope(&moved.request.scope).await?;
        let cord = self.cord().await?;
        let (consequences, cord_facts) = (moved.consequences(&scope.value), moved.cord_facts(&cord.value));
        let line = (!cord_facts.is_empty()).then_some((&cord, cord_facts.as_slice()));
        let scope = Some((&mut scope, consequences.as_slice()));
        self.commit_on_line(at, by, deployment, facts, scope, line).await
    }
}

/// Whether somebody else was faster: read again, decide anew.
pub(crate) fn is_conflict(error: &RecordsError) -> bool {
    matches!(error, RecordsError::Store(StoreError::Conflict { .. }))
}

pub(crate) fn append<F: Serialize>(
    stream: String,
    expected: u64,
    facts: &[F],
) -> Result<StreamAppend, RecordsError> {
    let facts = facts.iter().map(encode).collect::<Result<_, _>>()?;
    Ok(StreamAppend { stream, expected, facts })
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Value, RecordsError> {
    serde_json::to_value(value).map_err(|error| StoreError::Invalid(error.to_string()).into())
}

pub(crate) fn decode<T: serde::de::DeserializeOwned>(record: &Record) -> Result<T, RecordsError> {
    T::deserialize(&record.fact).map_err(|error| RecordsError::Foreign {
        stream: record.stream.clone(),
        position: record.position,
        why: error.to_string(),
    })
}
