//! The deployments that this server drives, while nobody need be watching. Only keeps them; what they do is their driver's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use andon_core::deployment::DeploymentId;
use tokio::sync::watch;

use crate::controller::Going;
use crate::driver::Progress;

/// What is under way in this process, by number.
#[derive(Debug, Clone, Default)]
pub struct Workshop {
    going: Arc<Mutex<BTreeMap<DeploymentId, watch::Receiver<Progress>>>>,
}

impl Workshop {
    /// Keeps a deployment until it ends. `told` hears why its driver stumbled, where it did.
    pub fn take(
        &self,
        going: Going,
        told: impl FnOnce(DeploymentId, String) + Send + 'static,
    ) -> DeploymentId {
        let Going { id, progress, end } = going;
        self.lock().insert(id, progress);
        let going = self.clone();
        tokio::spawn(async move {
            match end.await {
                Ok(Ok(_)) => {}
                Ok(Err(problem)) => told(id, problem.to_string()),
                Err(error) => told(id, error.to_string()),
            }
            going.lock().remove(&id);
        });
        id
    }

    /// How a deployment stands that is driven here.
    pub fn progress(&self, id: DeploymentId) -> Option<watch::Receiver<Progress>> {
        self.lock().get(&id).cloned()
    }

    /// All that is driven here, the oldest first.
    pub fn under_way(&self) -> Vec<DeploymentId> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<DeploymentId, watch::Receiver<Progress>>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
