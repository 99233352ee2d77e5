//! A ledger in memory, for simulation and tests. It keeps the same rules as a ledger on disk and
//! loses everything with the last clone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use andon_core::time::Time;
use async_trait::async_trait;
use serde_json::Value;

use crate::batch::{Batch, CheckedBatch};
use crate::chain::{ChainEnd, Record, StoredRecord, genesis};
use crate::error::StoreError;
use crate::lease::{Holder, Lease, Ruling};
use crate::ledger::{Ledger, MAX_ANSWER_ROWS, fitting};
use crate::verification::{StreamWalk, Verification, Walk};
use crate::view::{ViewQuery, ViewRow};

/// A ledger in memory. A clone is another handle to the same ledger.
#[derive(Debug, Clone)]
pub struct MemoryLedger {
    id: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    records: Vec<StoredRecord>,
    /// For each stream, the indices of its records.
    streams: BTreeMap<String, Vec<usize>>,
    end: ChainEnd,
    /// By view and key.
    views: BTreeMap<(String, String), (i64, Value)>,
    leases: BTreeMap<String, Lease>,
    fence: u64,
}

impl MemoryLedger {
    /// An empty ledger with this id, which the caller chooses so that a simulation can be repeated.
    pub fn new(id: &str) -> Self {
        let state = State {
            records: Vec::new(),
            streams: BTreeMap::new(),
            end: ChainEnd { position: 0, hash: genesis(id) },
            views: BTreeMap::new(),
            leases: BTreeMap::new(),
            fence: 0,
        };
        Self { id: id.into(), state: Arc::new(Mutex::new(state)) }
    }

    /// No operation leaves the state half-changed, so a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<'a>(
        &self,
        records: impl Iterator<Item = &'a StoredRecord> + Clone,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let limit = limit.min(MAX_ANSWER_ROWS);
        let count = limit.min(fitting(records.clone().take(limit).map(|record| record.fact.len())));
        records.take(count).map(|record| record.clone().into_record(&self.id)).collect()
    }
}

impl State {
    fn grant(&mut self, name: &str, holder: &Holder, until: Time) -> Lease {
        self.fence = self.fence.saturating_add(1);
        let lease = Lease { name: name.to_owned(), holder: holder.clone(), fence: self.fence, until };
        self.leases.insert(name.to_owned(), lease.clone());
        lease
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn append(&self, batch: Batch) -> Result<Vec<Record>, StoreError> {
        let mut batch = CheckedBatch::new(batch)?;
        let mut state = self.state();
        for append in &batch.appends {
            let found = state.streams.get(&append.stream).map_or(0, Vec::len);
            append.check_head(found as u64)?;
        }
        let (stored, records): (Vec<_>, Vec<_>) = batch.chain(&mut state.end).into_iter().unzip();
        for record in stored {
            let index = state.records.len();
            state.streams.entry(record.stream.clone()).or_default().push(index);
            state.records.push(record);
        }
        for (update, _) in batch.views {
            state.views.insert((update.view, update.key), (update.rank, update.body));
        }
        Ok(records)
    }

    async fn read(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let state = self.state();
        let indices = state.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        let after = usize::try_from(after).unwrap_or(usize::MAX).min(indices.len());
        self.answer(indices[after..].iter().filter_map(|&index| state.records.get(index)), limit)
    }

    async fn tail(&self, after_position: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let state = self.state();
        let after = usize::try_from(after_position).unwrap_or(usize::MAX).min(state.records.len());
        self.answer(state.records[after..].iter(), limit)
    }

    async fn head(&self) -> Result<u64, StoreError> {
        Ok(self.state().end.position)
    }

    async fn view(&self, view: &str, key: &str) -> Result<Option<Value>, StoreError> {
        Ok(self.state().views.get(&(view.to_owned(), key.to_owned())).map(|(_, body)| body.clone()))
    }

    async fn views(&self, view: &str, query: ViewQuery) -> Result<Vec<ViewRow>, StoreError> {
        let state = self.state();
        let first = (view.to_owned(), query.prefix.clone());
        let mut rows: Vec<ViewRow> = state
            .views
            .range(first..)
            .take_while(|((name, key), _)| name == view && key.starts_with(&query.prefix))
            .map(|((_, key), (rank, body))| ViewRow { key: key.clone(), rank: *rank, body: body.clone() })
            .filter(|row| match (query.before, &query.before_key) {
                (Some(rank), Some(key)) => (row.rank, &row.key) < (rank, key),
                (Some(rank), None) => row.rank < rank,
                (None, _) => true,
            })
            .collect();
        rows.sort_by(|a, b| (b.rank, &b.key).cmp(&(a.rank, &a.key)));
        rows.truncate(query.limit.min(MAX_ANSWER_ROWS));
        rows.truncate(fitting(rows.iter().map(|row| row.body.to_string().len())));
        Ok(rows)
    }

    async fn lease(
        &self,
        name: &str,
        holder: &Holder,
        ttl: Duration,
        now: Time,
    ) -> Result<Lease, StoreError> {
        Lease::check(name, holder, ttl)?;
        let mut state = self.state();
        match Lease::rule(state.leases.get(name), holder, ttl, now)? {
            Ruling::Grant => Ok(state.grant(name, holder, now + ttl)),
            Ruling::Renew(lease) => {
                state.leases.insert(name.to_owned(), lease.clone());
                Ok(lease)
            }
        }
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut state = self.state();
        match state.leases.get(&lease.name) {
            Some(current) if current.is_same_grant(lease) => {
                state.leases.remove(&lease.name);
                Ok(())
            }
            Some(_) | None => Err(lease.lost()),
        }
    }

    async fn steal(
        &self,
        name: &str,
        holder: &Holder,
        ttl: Duration,
        now: Time,
    ) -> Result<Lease, StoreError> {
        Lease::check(name, holder, ttl)?;
        Ok(self.state().grant(name, holder, now + ttl))
    }

    async fn verify(&self) -> Result<Verification, StoreError> {
        let state = self.state();
        let mut walk = Walk::new(&self.id);
        let mut check = || {
            for record in &state.records {
                walk.step(record)?;
            }
            walk.arrive(state.end)?;
            let mut streams = StreamWalk::default();
            for record in state.streams.values().flatten().filter_map(|&index| state.records.get(index)) {
                streams.step(&record.stream, record.seq, record.position)?;
            }
            Ok(())
        };
        let fault = check().err();
        Ok(walk.finish(fault))
    }

    fn id(&self) -> &str {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Memory(MemoryLedger);

    impl crate::suite::Stand for Memory {
        type Ledger = MemoryLedger;
        async fn open(&self) -> MemoryLedger {
            self.0.clone()
        }
    }

    crate::ledger_suite!(Memory(MemoryLedger::new("memory")));
}
