//! Registers: services, releases and records as people and programs look them up. Gathers from the ledger, the line and the
//! artifacts; changes nothing and decides nothing.
//!
//! What is costly is bounded here: one comparison of two releases at a time, few exports and few inspections of hosts at
//! once, one verification of the chain in the background and one that somebody waits for.

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
/// Inspections of hosts that go on at the same time.
const INSPECTIONS: usize = 4;

/// What is kept between two questions.
#[derive(Debug, Clone)]
pub struct Registers {
    pub(crate) comparisons: Comparisons,
    pub(crate) verifying: Verifying,
    pub(crate) exports: Arc<Semaphore>,
    pub(crate) inspections: Arc<Semaphore>,
    /// Verifications that somebody waits for: each reads all there is.
    pub(crate) verifications: Arc<Semaphore>,
}

impl Default for Registers {
    fn default() -> Self {
        Self {
            comparisons: Comparisons::default(),
            verifying: Verifying::default(),
            exports: Arc::new(Semaphore::new(EXPORTS)),
            inspections: Arc::new(Semaphore::new(INSPECTIONS)),
            verifications: Arc::new(Semaphore::new(1)),
        }
    }
}
