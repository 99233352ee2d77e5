//! The ways to a host, behind one trait.
//!
//! [`AgentHosts`] speaks with agents over ssh or with a local child. Tests and benches put simulated hosts in its
//! place. Nothing here decides what a lost connection means: that is reported, and the core asks again.

use std::path::{Path, PathBuf};

use andon_api::agent::{Order, Refusal};
use andon_api::secret::Secrets;
use andon_core::balance::{BalancerFailure, Pool, PoolSight, Sockets, Wishes};
use andon_core::host::{Authority, HostFacts, Outcome, Placement, Token};
use andon_core::line::Host;
use andon_core::vitals::HostVitals;
use async_trait::async_trait;

pub use agents::Agents;
pub use sessions::{AgentHosts, LocalAgent};

mod agents;
mod bootstrap;
mod conversation;
mod sessions;

/// Why a host did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// It could not be reached: nothing was done.
    #[error("{0}")]
    Unreachable(String),
    /// Contact was lost: what was done is not known.
    #[error("{0}")]
    Lost(String),
    /// It refuses.
    #[error("it refuses: {0}")]
    Refused(#[from] Refusal),
    /// The controller itself lacks something: an artifact, an agent for the host's architecture.
    #[error("{0}")]
    Unable(String),
}

/// What carrying out an order needs besides the order.
#[derive(Debug, Clone, Default)]
pub struct Supplies {
    /// The packed bytes of the release, for a prepare.
    pub artifact: Option<PathBuf>,
    /// Where the step's output goes, appended.
    pub output: Option<PathBuf>,
    /// What the production tests need and nothing may write down.
    pub secrets: Secrets,
}

/// The ways to hosts.
#[async_trait]
pub trait Hosts: Send + Sync {
    /// What a host says about itself, a service and some tokens. Changes nothing.
    async fn probe(
        &self,
        host: &Host,
        placement: &Placement,
        tokens: &[Token],
    ) -> Result<HostFacts, HostError>;

    /// Carries out a step or attaches to it, and waits for its end.
    async fn carry_out(&self, host: &Host, order: Order, supplies: &Supplies) -> Result<Outcome, HostError>;

    /// Tells the balancer on a host what is wished of its servers, and says what it sees. Without wishes it is only
    /// looked at.
    async fn balance(
        &self,
        at: &Host,
        pool: &Pool,
        authority: &Authority,
        wishes: &Wishes,
    ) -> Result<PoolSight, BalancerFailure>;

    /// The connections that the instances of a service have, as their host sees them.
    async fn count_sockets(&self, host: &Host, placement: &Placement) -> Result<Sockets, String>;

    /// What a host sees of the processes and the log of a service, and of itself. What was written to the log is counted
    /// from the first look of a connection on. Changes nothing.
    async fn vitals(&self, host: &Host, placement: &Placement) -> Result<HostVitals, HostError> {
        let _ = placement;
        Err(HostError::Unable(format!(
            "nothing is known of the processes of {}: this way has no vitals",
            host.name
        )))
    }

    /// Ends a step. Returns when the wish is delivered.
    async fn kill(&self, host: &Host, placement: &Placement, token: &Token) -> Result<(), HostError>;
}

/// The directory of a local host below the controller's data.
pub fn local_root(data: &Path, host: &Host) -> PathBuf {
    data.join("hosts").join(host.name.as_str())
}
