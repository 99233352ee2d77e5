//! The numbers of a service, shared between the driver that gathers them and whoever watches.
//!
//! Nothing of them goes into the ledger.

use std::sync::{Arc, PoisonError, RwLock};

use andon_core::balance::numbers::{Numbers, Sample};
use andon_core::plan::{PlannedPool, Sights};
use andon_core::time::Time;

/// A handle on [`Numbers`] that others go on filling. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SharedNumbers(Arc<RwLock<Numbers>>);

impl SharedNumbers {
    /// Takes in what all `pools` said at `at`.
    pub fn read(&self, at: Time, pools: &[PlannedPool], sights: &Sights) -> Vec<Sample> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).read(at, pools, sights)
    }

    /// Asks the numbers something. Whoever fills them waits meanwhile, so it should not take long.
    pub fn ask<T>(&self, question: impl FnOnce(&Numbers) -> T) -> T {
        question(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
