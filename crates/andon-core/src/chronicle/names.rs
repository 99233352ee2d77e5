//! What many rows have in common, held once: scopes, persons, names of states, the last revisions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::release::Revision;
use crate::scope::ScopeName;

/// Revisions that are looked through: a revision goes to staging and to production within some deployments.
const REVISIONS: usize = 64;

/// What many rows have in common.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// Each with its number: the order in which they were heard of.
    scopes: BTreeMap<Arc<ScopeName>, u32>,
    persons: BTreeSet<Arc<str>>,
    states: BTreeSet<Arc<str>>,
    revisions: VecDeque<Arc<Revision>>,
}

impl Names {
    /// A scope, held once, and its number.
    pub(super) fn scope(&mut self, name: &ScopeName) -> (Arc<ScopeName>, u32) {
        if let Some((known, number)) = self.scopes.get_key_value(name) {
            return (Arc::clone(known), *number);
        }
        let (new, number) = (Arc::new(name.clone()), u32::try_from(self.scopes.len()).unwrap_or(u32::MAX));
        self.scopes.insert(Arc::clone(&new), number);
        (new, number)
    }

    pub(super) fn person(&mut self, name: &str) -> Arc<str> {
        held(&mut self.persons, name)
    }

    pub(super) fn state(&mut self, name: &str) -> Arc<str> {
        held(&mut self.states, name)
    }

    pub(super) fn revision(&mut self, revision: Revision) -> Arc<Revision> {
        if let Some(known) = self.revisions.iter().find(|known| ***known == revision) {
            return Arc::clone(known);
        }
        let new = Arc::new(revision);
        self.revisions.push_front(Arc::clone(&new));
        self.revisions.truncate(REVISIONS);
        new
    }

    /// Every scope that something was deployed to, in the order of their names.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &ScopeName> {
        self.scopes.keys().map(AsRef::as_ref)
    }
}

fn held(names: &mut BTreeSet<Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.get(name) {
        return Arc::clone(known);
    }
    let new: Arc<str> = Arc::from(name);
    names.insert(Arc::clone(&new));
    new
}
