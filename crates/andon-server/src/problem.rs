//! Why a controller could not do what it was asked.

use andon_core::access::Unapproved;
use andon_core::cord::Stop;
use andon_core::deployment::DeploymentId;
use andon_core::guard::Unconfirmed;
use andon_core::host::Authority;
use andon_core::name::HostName;
use andon_core::plan::Refusal;
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use andon_store::StoreError;
use serde::{Deserialize, Serialize};

use crate::records::RecordsError;
use crate::secrets::SecretError;

mod words;

pub use words::Words;

/// Why something could not be done.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// The core refuses the plan.
    #[error("{}", .0.what())]
    Refused(Refusal),
    /// The environment is protected, and its name was not said.
    #[error(transparent)]
    Unconfirmed(#[from] Unconfirmed),
    /// Somebody gave it up while it was planned: nothing has been changed.
    #[error("it was given up before anything was changed")]
    GivenUp,
    /// The scope waits for a person.
    #[error("{scope} is held since {by}: {reason}")]
    Held {
        /// Where.
        scope: ScopeName,
        /// The deployment after which it is held.
        by: DeploymentId,
        /// One sentence.
        reason: String,
    },
    /// The line stands, and this is neither a rollback nor a declared fix.
    #[error("the line is stopped")]
    Stopped {
        /// What was to be deployed.
        scope: ScopeName,
        /// What the line stands for, the oldest reason first; at least one.
        stops: Vec<Stop>,
    },
    /// The line asks for approvals of others, and they are missing. The wish was remembered: others see that it waits.
    #[error("{0}")]
    Unapproved(Box<Unapproved>),
    /// Another deployment is at work, and the line says not to wait.
    #[error("{by} is at work in {scope}")]
    Occupied {
        /// Where.
        scope: ScopeName,
        /// The deployment at work.
        by: DeploymentId,
    },
    /// Another deployment owns the scope, and nobody drives it.
    #[error("{by} owns {scope}, and the process that drove it is gone")]
    Orphaned {
        /// Where.
        scope: ScopeName,
        /// The deployment.
        by: DeploymentId,
    },
    /// Somebody else drives this deployment.
    #[error("{id} is driven by {by}")]
    Driven {
        /// The deployment.
        id: DeploymentId,
        /// Who.
        by: String,
        /// When they took charge; `None` when they are about to.
        since: Option<Time>,
        /// When their lease ends unless they renew it.
        until: Time,
    },
    /// Somebody else took this deployment over while it was driven here.
    #[error("the deployment was taken over by {by}")]
    TakenOver {
        /// Who.
        by: String,
    },
    /// A host takes its orders from another ledger, which took it over while this deployment went on.
    #[error("{host} was taken over: it obeys {holder}, of another ledger")]
    HostTaken {
        /// The deployment that is driven here.
        id: DeploymentId,
        /// Where.
        host: HostName,
        /// Whom it obeys.
        holder: Box<Authority>,
    },
    /// A production test names a secret that is not to be had here.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The wish makes no sense in the present state.
    #[error("{0}")]
    NotNow(String),
    /// The ledger could not be read or written.
    #[error(transparent)]
    Records(
        #[from]
        #[serde(with = "travelling")]
        RecordsError,
    ),
}

impl Problem {
    pub(crate) fn store(error: StoreError) -> Self {
        Problem::Records(error.into())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Problem::Refused(refusal)
    }
}

/// What went wrong with a ledger, as far as it means something in another process: its words.
mod travelling {
    use andon_core::deployment::DeploymentId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::records::RecordsError;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Travelling {
        NoDeployment(DeploymentId),
        Said(String),
    }

    pub(super) fn serialize<S: Serializer>(error: &RecordsError, serializer: S) -> Result<S::Ok, S::Error> {
        let travelling = match error {
            RecordsError::NoDeployment(id) => Travelling::NoDeployment(*id),
            other => Travelling::Said(other.to_string()),
        };
        travelling.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RecordsError, D::Error> {
        Ok(match Travelling::deserialize(deserializer)? {
            Travelling::NoDeployment(id) => RecordsError::NoDeployment(id),
            Travelling::Said(words) => RecordsError::Elsewhere(words),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_the_same_in_another_process() {
        let problems = [
            Problem::NotNow("#7 has ended already".to_owned()),
            Problem::GivenUp,
            Problem::Records(RecordsError::NoDeployment(DeploymentId(7))),
            Problem::Records(RecordsError::Store(StoreError::Invalid("no".to_owned()))),
            Problem::TakenOver { by: "ana on desk".to_owned() },
        ];
        for problem in problems {
            let text = serde_json::to_string(&problem).unwrap();
            let there: Problem = serde_json::from_str(&text).unwrap();
            assert_eq!(there.to_string(), problem.to_string(), "{text}");
        }
    }
}
