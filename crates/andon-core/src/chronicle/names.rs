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
    scopes: BTreeMap<ScopeName, Arc<ScopeName>>,
    persons: BTreeSet<Arc<str>>,
    states: BTreeSet<Arc<str>>,
    revisions: VecDeque<Arc<Revision>>,
}

impl Names {
    pub(super) fn scope(&mut self, name: &ScopeName) -> Arc<ScopeName> {
        if let Some(known) = self.scopes.get(name) {
            return Arc::clone(known);
        }
        let new = Arc::new(name.clone());
        self.scopes.insert(name.clone(), Arc::clone(&new));
        new
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
        self.scopes.keys()
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
