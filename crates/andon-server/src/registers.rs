//! Registers: services, releases and records as people and programs look them up. Gathers from the ledger, the line and the
//! artifacts; changes nothing and decides nothing.
//!
//! What is costly is bounded here: one comparison of two releases at a time and few exports at once, one verification of
//! the chain, which goes on in the background.

use std::sync::Arc;

use tokio::sync::Semaphore;

pub(crate) mod commits;
pub(crate) mod comparison;
pub(crate) mod places;
pub(crate) mod search;
pub(crate) mod verifying;
pub(crate) mod words;

use comparison::Comparisons;
use verifying::Verifying;

/// Exports of the ledger that go on at the same time.
const EXPORTS: usize = 2;

/// What is kept between two questions.
#[derive(Debug, Clone)]
pub struct Registers {
    pub(crate) comparisons: Comparisons,
    pub(crate) verifying: Verifying,
    pub(crate) exports: Arc<Semaphore>,
}

impl Default for Registers {
    fn default() -> Self {
        Self {
            comparisons: Comparisons::default(),
            verifying: Verifying::default(),
            exports: Arc::new(Semaphore::new(EXPORTS)),
        }
    }
}
