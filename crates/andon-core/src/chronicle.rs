//! All deployments in memory: found by words and spans in milliseconds, a hundred thousand of them in some 30 MB.
//!
//! A [`Chronicle`] is made of [`Summary`]s, one for each deployment, and gives [`Row`]s. A copy costs next to nothing: copies
//! share all that has not changed since, so that whoever reads keeps a copy while others go on. Nothing here reads a
//! ledger; whoever does calls [`Chronicle::apply`].
//!
//! - [`Query`]: what somebody looks for, in words.
//! - [`Outcome`]: how a deployment came out, with the sign and the colour of it.
//! - [`Span`]: a span of time; [`Chronicle::per_day`] counts over days.
//! - [`dora`]: the four keys.
//! - [`dna`]: what hosts really run, beside what was deployed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::deployment::{DeploymentId, FleetId, Summary};
use crate::name::HostName;
use crate::scope::ScopeName;
use crate::time::Time;
use names::Names;

pub use outcome::{Outcome, OutcomeCounts};
pub use query::Query;
pub use row::Row;
pub use span::Span;

mod days;
pub mod dna;
pub mod dora;
mod names;
mod outcome;
mod query;
mod row;
mod span;

/// Rows that are copied together when one of them changes.
const CHUNK: usize = 256;

/// All deployments, in the order of their numbers.
#[derive(Debug, Clone, Default)]
pub struct Chronicle {
    chunks: Vec<Arc<Chunk>>,
    len: usize,
    names: Arc<Names>,
    fleets: Arc<BTreeMap<FleetId, Arc<[HostName]>>>,
    /// The newest deployment of each scope, and the newest that changed hosts there.
    newest: Arc<BTreeMap<ScopeName, Newest>>,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    any: DeploymentId,
    changed: Option<DeploymentId>,
}

/// Neighbours. Never empty.
#[derive(Debug, Clone)]
struct Chunk {
    rows: Vec<Row>,
    earliest: Time,
    latest: Time,
}

/// Some of the rows that fit a query.
#[derive(Debug, Clone)]
pub struct Page<'a> {
    /// The newest first.
    pub rows: Vec<&'a Row>,
    /// How all that fit came out, those that are not on this page included.
    pub counts: OutcomeCounts,
    /// Whether there are older ones that fit.
    pub more: bool,
}

impl Chronicle {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many deployments it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was deployed yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a deployment, or what became of one. The newest come fastest; any order gives the same.
    pub fn apply(&mut self, summary: Summary) {
        let row = Row::new(summary, Arc::make_mut(&mut self.names));
        self.remember_newest(&row);
        let id = row.id();
        let place = self.chunks.partition_point(|chunk| chunk.first() <= id);
        let Some(chunk) = place.checked_sub(1).and_then(|before| self.chunks.get_mut(before)) else {
            self.len += 1;
            match self.chunks.first_mut() {
                Some(first) if first.rows.len() < CHUNK => Arc::make_mut(first).put(0, row),
                _ => self.chunks.insert(0, Arc::new(Chunk::new(row))),
            }
            return;
        };
        let full = chunk.rows.len() >= CHUNK;
        match chunk.rows.binary_search_by_key(&id, Row::id) {
            Ok(at) => Arc::make_mut(chunk).replace(at, row),
            Err(at) if full && at == chunk.rows.len() => {
                self.len += 1;
                self.chunks.insert(place, Arc::new(Chunk::new(row)));
            }
            Err(at) => {
                self.len += 1;
                Arc::make_mut(chunk).put(at, row);
            }
        }
    }

    /// Says which hosts a set of hosts has.
    pub fn learn(&mut self, id: FleetId, hosts: impl Into<Arc<[HostName]>>) {
        Arc::make_mut(&mut self.fleets).insert(id, hosts.into());
    }

    /// The hosts of a set, in the order of their names; `None` of one that nobody told of.
    pub fn fleet(&self, id: FleetId) -> Option<&[HostName]> {
        self.fleets.get(&id).map(AsRef::as_ref)
    }

    /// Every deployment, the oldest first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.chunks.iter().flat_map(|chunk| &chunk.rows)
    }

    /// One deployment.
    pub fn get(&self, id: DeploymentId) -> Option<&Row> {
        let place = self.chunks.partition_point(|chunk| chunk.first() <= id);
        let chunk = self.chunks.get(place.checked_sub(1)?)?;
        chunk.rows.binary_search_by_key(&id, Row::id).ok().and_then(|at| chunk.rows.get(at))
    }

    /// The deployments that were accepted within `span`, the newest first.
    pub fn within(&self, span: Span) -> impl Iterator<Item = &Row> {
        // Clocks go back now and then: the numbers are in order, the moments nearly so.
        let chunks = self.chunks.iter().rev();
        let near = chunks.filter(move |chunk| chunk.latest >= span.from && chunk.earliest < span.until);
        near.flat_map(|chunk| chunk.rows.iter().rev()).filter(move |row| span.holds(row.accepted()))
    }

    /// The deployments that fit `query` and were accepted within `span`, the newest first.
    pub fn matching(&self, query: &Query, span: Span) -> impl Iterator<Item = &Row> {
        let query = query.resolve(self);
        self.within(span).filter(move |row| query.fits(row))
    }

    /// At most `limit` of these with a number lower than `before`, and how all of them came out.
    pub fn page(&self, query: &Query, span: Span, before: Option<DeploymentId>, limit: usize) -> Page<'_> {
        let mut page = Page { rows: Vec::new(), counts: OutcomeCounts::default(), more: false };
        for row in self.matching(query, span) {
            page.counts.add(row.outcome());
            if before.is_none_or(|before| row.id() < before) {
                if page.rows.len() < limit {
                    page.rows.push(row);
                } else {
                    page.more = true;
                }
            }
        }
        page
    }

    /// Every scope that something was deployed to, in the order of their names.
    pub fn scopes(&self) -> impl Iterator<Item = &ScopeName> {
        self.names.scopes()
    }

    /// The deployments of a scope, the newest first.
    pub fn newest_of(&self, scope: &ScopeName) -> impl Iterator<Item = &Row> {
        let (scope, known) = (scope.clone(), self.newest.contains_key(scope));
        self.rows().rev().take_while(move |_| known).filter(move |row| *row.scope() == scope)
    }

    /// The newest deployment of each scope, in the order of their names.
    pub fn last_per_scope(&self) -> impl Iterator<Item = &Row> {
        self.newest.values().filter_map(|newest| self.get(newest.any))
    }

    /// The newest deployment of each scope that changed hosts, in the order of their names.
    pub fn last_changed_per_scope(&self) -> impl Iterator<Item = &Row> {
        self.newest.values().filter_map(|newest| self.get(newest.changed?))
    }

    fn remember_newest(&mut self, row: &Row) {
        let changed = (row.hosts().changed > 0).then(|| row.id());
        let known = self.newest.get(row.scope());
        let any = known.map_or(row.id(), |known| known.any.max(row.id()));
        let changed = known.and_then(|known| known.changed).max(changed);
        if known.is_none_or(|known| known.any != any || known.changed != changed) {
            Arc::make_mut(&mut self.newest).insert(row.scope().clone(), Newest { any, changed });
        }
    }

    /// The sets that have a host of this name, with or without its domain. `word` is in lower case.
    fn fleets_with(&self, word: &str) -> BTreeSet<FleetId> {
        let has = |hosts: &Arc<[HostName]>| hosts.iter().any(|host| query::names_host(host, word));
        self.fleets.iter().filter(|(_, hosts)| has(hosts)).map(|(id, _)| *id).collect()
    }
}

impl Chunk {
    fn new(row: Row) -> Self {
        Self { earliest: row.accepted(), latest: row.accepted(), rows: vec![row] }
    }

    fn first(&self) -> DeploymentId {
        self.rows.first().map_or(DeploymentId(0), Row::id)
    }

    fn put(&mut self, at: usize, row: Row) {
        self.widen(&row);
        self.rows.insert(at, row);
    }

    fn replace(&mut self, at: usize, row: Row) {
        self.widen(&row);
        if let Some(place) = self.rows.get_mut(at) {
            *place = row;
        }
    }

    fn widen(&mut self, row: &Row) {
        self.earliest = self.earliest.min(row.accepted());
        self.latest = self.latest.max(row.accepted());
    }
}

#[cfg(test)]
mod tests;
