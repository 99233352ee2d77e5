//! The deployments that this server drives, while nobody need be watching. Only keeps them; what they do is their driver's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use andon_core::deployment::{Deployment, DeploymentId};
use andon_core::legible::neutral;
use tokio::sync::watch;

use crate::controller::Going;
use crate::driver::Progress;
use crate::problem::Problem;

/// Drivers that stumbled, of which it is remembered why.
const REMEMBERED: usize = 100;

/// What is under way in this process, by number.
#[derive(Debug, Clone)]
pub struct Workshop {
    benches: Arc<Mutex<Benches>>,
    stopping: Arc<watch::Sender<bool>>,
}

#[derive(Debug, Default)]
struct Benches {
    going: BTreeMap<DeploymentId, watch::Receiver<Progress>>,
    /// Why the driver of a deployment gave up.
    stumbled: BTreeMap<DeploymentId, Arc<Problem>>,
}

impl Default for Workshop {
    fn default() -> Self {
        Self { benches: Arc::default(), stopping: Arc::new(watch::Sender::new(false)) }
    }
}

impl Workshop {
    /// Keeps a deployment until it ends. `told` hears why its driver stumbled, where it did.
    pub fn take(
        &self,
        going: Going,
        told: impl FnOnce(DeploymentId, String) + Send + 'static,
    ) -> DeploymentId {
        let Going { id, progress, end } = going;
        log_begun(&progress.borrow().deployment);
        let mut benches = self.lock();
        benches.going.insert(id, progress);
        benches.stumbled.remove(&id);
        drop(benches);
        let workshop = self.clone();
        tokio::spawn(async move {
            let ended = end.await.unwrap_or_else(|error| {
                Err(Problem::NotNow(format!("the driver of {id} stumbled: {error}")))
            });
            if let Ok(deployment) = &ended {
                log_ended(deployment);
            }
            let mut benches = workshop.lock();
            let stumbled = ended.err().map(Arc::new);
            if let Some(problem) = &stumbled {
                benches.stumbled.insert(id, Arc::clone(problem));
                while benches.stumbled.len() > REMEMBERED {
                    benches.stumbled.pop_first();
                }
            }
            benches.going.remove(&id);
            drop(benches);
            if let Some(problem) = stumbled {
                told(id, problem.to_string());
            }
        });
        id
    }

    /// How a deployment stands that is driven here.
    pub fn progress(&self, id: DeploymentId) -> Option<watch::Receiver<Progress>> {
        self.lock().going.get(&id).cloned()
    }

    /// Why the driver of a deployment gave up, where it did.
    pub fn stumbled(&self, id: DeploymentId) -> Option<Arc<Problem>> {
        self.lock().stumbled.get(&id).cloned()
    }

    /// Deployments whose driver here ended because the ledger could not be read or written.
    pub fn cut_off(&self) -> Vec<DeploymentId> {
        let all = self.lock();
        let cut = all.stumbled.iter().filter(|(_, problem)| matches!(problem.as_ref(), Problem::Records(_)));
        cut.map(|(id, _)| *id).collect()
    }

    /// Nothing is left to do about one whose driver ended.
    pub fn settle(&self, id: DeploymentId) {
        self.lock().stumbled.remove(&id);
    }

    /// All that is driven here, the oldest first.
    pub fn under_way(&self) -> Vec<DeploymentId> {
        self.lock().going.keys().copied().collect()
    }

    /// From now on this process is about to end: what follows [`Workshop::stopping`] comes to rest.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Becomes true when this process is about to end.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Waits until nothing is driven here any more, at most for `patience`. Whether that was reached.
    pub async fn is_empty_within(&self, patience: Duration) -> bool {
        /// How often it is looked.
        const LOOK: Duration = Duration::from_millis(20);
        let empty = async {
            while !self.lock().going.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(patience, empty).await.is_ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Benches> {
        self.benches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_begun(deployment: &Deployment) {
    let request = &deployment.request;
    let (scope, by) = (&request.scope, neutral(request.by.name.as_bytes()));
    tracing::info!(deployment = deployment.id.0, %scope, by, release = %request.release.id, "a deployment is driven here");
}

fn log_ended(deployment: &Deployment) {
    let reason = deployment.summary().reason.map(|reason| neutral(reason.as_bytes())).unwrap_or_default();
    let (state, scope) = (deployment.state.name(), &deployment.request.scope);
    tracing::info!(deployment = deployment.id.0, %scope, state, reason, "a deployment is no longer driven here");
}
