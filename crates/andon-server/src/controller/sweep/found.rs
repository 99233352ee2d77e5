//! What a sweep finds, and what becomes of it.

use andon_core::deployment::DeploymentId;
use andon_core::name::HostName;
use serde::{Deserialize, Serialize};

/// One thing that was found, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Somebody works here: nothing was touched.
    Driven {
        /// The deployment, where it is one.
        deployment: Option<DeploymentId>,
        /// Who.
        by: String,
    },
    /// A deployment that nobody drives. No host of it is in its cycle any more; it waits for a person.
    Orphan {
        /// Which one.
        deployment: DeploymentId,
        /// The name of its state.
        state: String,
        /// Whether it had to be brought to rest now.
        driven: bool,
        /// Whether its hosts are at rest: not in time, where a balancer does not answer.
        at_rest: bool,
        /// Its hosts that are out of their balancers.
        out: Vec<HostName>,
    },
    /// A deployment that nobody drove was on its way to its end, and has reached it.
    Ended {
        /// Which one.
        deployment: DeploymentId,
        /// The name of its last state.
        state: String,
    },
    /// A host is fit to serve, and is in traffic again.
    Returned {
        /// Which one.
        host: HostName,
    },
    /// A host is not fit to serve, or could not be put back: it stays as it is.
    Out {
        /// Which one.
        host: HostName,
        /// One sentence.
        why: String,
        /// Whether a deployment would mend it.
        deploy: bool,
    },
    /// Somebody else took a host out of a balancer. That may be meant: nothing was touched.
    Stranger {
        /// Which host.
        host: HostName,
        /// The pool, as people call it.
        pool: String,
    },
    /// A balancer does not say how its servers are.
    Silent {
        /// The pool, as people call it.
        pool: String,
        /// One sentence.
        why: String,
    },
}

impl Found {
    /// Whether nobody has to do anything about it.
    pub fn is_well(&self) -> bool {
        match self {
            Found::Driven { .. } | Found::Ended { .. } | Found::Returned { .. } | Found::Stranger { .. } => {
                true
            }
            Found::Orphan { .. } | Found::Out { .. } | Found::Silent { .. } => false,
        }
    }
}
