//! One verification of the chain at a time, in the background, with how far it has come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use andon_core::time::Time;
use andon_page::ledger::Verification;
use andon_store::Ledger;

use crate::clock;

/// How the last verification went, or goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verifying {
    state: Arc<Mutex<Verification>>,
    at: Arc<AtomicU64>,
}

impl Verifying {
    /// Begins one, unless one goes on.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) async fn begin(&self, ledger: Arc<dyn Ledger>) -> Result<(), andon_store::StoreError> {
        let of = ledger.head().await?;
        let since = clock::now();
        {
            let mut state = self.lock();
            if matches!(*state, Verification::Running { .. }) {
                return Ok(());
            }
            *state = Verification::Running { since, at: 0, of };
            self.at.store(0, Ordering::Relaxed);
        }
        let this = self.clone();
        tokio::spawn(async move {
            // Whatever becomes of it, it does not go on for ever.
            let walk = tokio::spawn({
                let at = Arc::clone(&this.at);
                async move { ledger.verify_telling(&|position| at.store(position, Ordering::Relaxed)).await }
            });
            let ended = match walk.await {
                Ok(Ok(found)) => of_walk(found, clock::now()),
                Ok(Err(error)) => Verification::Broken { at: clock::now(), what: error.to_string() },
                Err(_) => Verification::Broken {
                    at: clock::now(),
                    what: "the verification stumbled and came to no end".to_owned(),
                },
            };
            *this.lock() = ended;
        });
        Ok(())
    }

    /// How it stands.
    pub(crate) fn standing(&self) -> Verification {
        match self.lock().clone() {
            Verification::Running { since, of, .. } => {
                Verification::Running { since, at: self.at.load(Ordering::Relaxed).min(of), of }
            }
            other => other,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Verification> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_walk(found: andon_store::Verification, at: Time) -> Verification {
    match found.fault {
        None => Verification::Sound { at, records: found.records, hash: found.hash.to_string() },
        Some(fault) => Verification::Broken { at, what: fault.to_string() },
    }
}
