//! What is recorded of a deployment: requests and facts, in the past tense.

use serde::{Deserialize, Serialize};

use crate::analysis::Standing;

use super::{DeploymentId, DrainProof, HostState, Kind, State};
use crate::guard::Passes;
use crate::host::Fence;
use crate::name::{HostName, SiteName};
use crate::person::Person;
use crate::plan::Plan;
use crate::release::Release;
use crate::scope::ScopeName;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Where.
    pub scope: ScopeName,
    /// What for.
    pub kind: Kind,
    /// The release to move to.
    pub release: Release,
    /// Who asked.
    pub by: Person,
    /// Why, in the person's words.
    pub why: Option<String>,
    /// The deployment whose damage this one repairs: passes a held lock.
    pub fixes: Option<DeploymentId>,
    /// Why a bad release may pass once more.
    pub allow_bad: Option<String>,
    /// Hosts that belong to another ledger are taken over.
    #[serde(default)]
    pub take_over: bool,
    /// What was said to pass the guard of the environment.
    #[serde(default, skip_serializing_if = "Passes::is_empty")]
    pub passes: Passes,
}

/// What a person asks of a deployment under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Start no further host.
    Pause,
    /// Go on. Hosts that could not be reached are tried again.
    Resume,
    /// Bring the hosts in their cycle to a safe point, then stop.
    Abort {
        /// Put back what was changed.
        rollback: bool,
    },
    /// As an abort that leaves everything as it is: a newer deployment goes on from here.
    Supersede {
        /// The newer one.
        by: DeploymentId,
    },
}

impl Ask {
    /// Which of two wishes that nobody has answered yet counts: the one that weighs more.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Ask::Pause | Ask::Resume => 0,
            Ask::Supersede { .. } | Ask::Abort { rollback: false } => 1,
            Ask::Abort { rollback: true } => 2,
        }
    }
}

/// Where a site is that is released as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteState {
    /// Users are being kept away from it.
    Leaving,
    /// No users come to it; its hosts change.
    Out,
    /// Users are being brought back.
    Returning,
    /// As before.
    In,
    /// Its users could not be brought back.
    Stuck {
        /// What happened: one sentence.
        why: String,
    },
}

/// Something that happened to a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// It was asked for, and got its number.
    Accepted {
        /// What was asked for.
        request: Request,
    },
    /// Everything that it will do was pinned.
    Planned {
        /// The plan.
        plan: Box<Plan>,
    },
    /// A controller took charge: at the start, and after every interruption.
    InCharge {
        /// Its fence; hosts refuse lower ones from now on.
        fence: Fence,
        /// Who runs it.
        by: Person,
    },
    /// It entered a state.
    Entered {
        /// Which.
        state: State,
    },
    /// A host entered a state. [`HostState::Doing`] is the intent of a step, recorded before its effect.
    Host {
        /// Which host.
        host: HostName,
        /// Which state.
        state: HostState,
    },
    /// Nothing is under way on a host any more, or what was is cut: recorded before it is disturbed.
    Drained {
        /// Which host.
        host: HostName,
        /// What was seen.
        proof: DrainProof,
    },
    /// All balancers of a host give it this share of traffic, in hundredths, while traffic moves between two sets.
    Shared {
        /// Which host.
        host: HostName,
        /// The share.
        share: u8,
    },
    /// A host that is not at work fell out of service, or came back to it, by itself.
    Serving {
        /// Which host.
        host: HostName,
        /// Whether its balancers find it up now.
        serving: bool,
        /// What they said: one sentence.
        why: String,
    },
    /// An analysis of new against old hosts came to a verdict on the present stage, or on the release.
    Judged {
        /// How it stood.
        standing: Box<Standing>,
    },
    /// A host is unlike the others on its release: it, and not the release, seems to be the trouble. It is put back.
    Suspected {
        /// Which host.
        host: HostName,
        /// What was seen: one sentence.
        why: String,
    },
    /// A site is on its way out of traffic or back into it.
    Site {
        /// Which site.
        site: SiteName,
        /// Where it is. [`SiteState::Leaving`] and [`SiteState::Returning`] are the intent of its command.
        state: SiteState,
    },
    /// A person asked for something.
    Asked {
        /// What.
        ask: Ask,
        /// Who.
        by: Person,
        /// Why, in the person's words.
        why: Option<String>,
    },
}
