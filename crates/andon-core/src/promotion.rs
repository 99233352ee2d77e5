//! *Stage* and *deploy*: what one environment runs, bit for bit, is what the next one gets. Which environment comes before
//! which, the line says; whether what runs there may go on, is decided here.

use std::fmt;

use crate::line::{Line, Service};
use crate::name::{DeploymentId, EnvironmentName};
use crate::release::{ReleaseId, ReleaseStatus};
use crate::scope::{KnownRelease, Lock, Scope};

/// The environment that is meant where the line does not say which one comes before.
const STAGING: &str = "staging";

/// The environment of `service` that a release passes before `environment`: the one that the line names with `after`, else
/// `staging`. `None` where the service has no such environment.
pub fn before<'a>(
    line: &'a Line,
    service: &'a Service,
    environment: &EnvironmentName,
) -> Option<&'a EnvironmentName> {
    let said = line.environments.get(environment).and_then(|it| it.after.as_ref());
    let (name, _) = match said {
        Some(after) => service.environments.get_key_value(after)?,
        None => service.environments.iter().find(|(name, _)| name.as_str() == STAGING)?,
    };
    (name != environment).then_some(name)
}

/// Why what runs in an environment does not go on to the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotYet {
    /// Nothing was deployed there to the end.
    Nothing {
        /// Where.
        from: EnvironmentName,
    },
    /// A deployment is at work there: what it will run is not settled.
    AtWork {
        /// Where.
        from: EnvironmentName,
        /// Which one.
        by: DeploymentId,
    },
    /// The last deployment there ended badly, and nobody has looked at it.
    Held {
        /// Where.
        from: EnvironmentName,
        /// Which one.
        by: DeploymentId,
        /// One sentence.
        reason: String,
    },
    /// What runs there is not known to be good.
    NotGood {
        /// Where.
        from: EnvironmentName,
        /// What runs there.
        release: ReleaseId,
    },
    /// It was bad where it would go to.
    Bad {
        /// The release.
        release: ReleaseId,
        /// The deployment that found it out.
        by: DeploymentId,
        /// One sentence.
        because: String,
    },
    /// The next environment runs it already.
    Same {
        /// The release.
        release: ReleaseId,
    },
}

impl fmt::Display for NotYet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing { from } => write!(f, "nothing was deployed to {from} yet"),
            Self::AtWork { from, by } => {
                write!(f, "{by} is at work in {from}: what it will run is not settled")
            }
            Self::Held { from, by, reason } => write!(f, "{from} is held since {by}: {reason}"),
            Self::NotGood { from, release } => {
                write!(f, "{release}, which {from} runs, did not get through there")
            }
            Self::Bad { release, by, because } => {
                write!(f, "{release} was found to be bad by {by}: {because}")
            }
            Self::Same { release } => write!(f, "it runs {release} already"),
        }
    }
}

impl NotYet {
    /// What to do next.
    pub fn next(&self) -> String {
        match self {
            Self::Nothing { from } | Self::NotGood { from, .. } => format!("deploy to {from} first"),
            Self::AtWork { by, .. } => format!("wait for it: andon show {}", by.0),
            Self::Held { by, .. } => {
                format!("andon show {}; mend, then deploy there with --fixes {}", by.0, by.0)
            }
            Self::Bad { by, .. } => format!("andon show {}; a newer release is needed", by.0),
            Self::Same { .. } => "nothing is left to do".to_owned(),
        }
    }
}

/// The release that goes on from `from`, whose scope is `source`, into `target`. It was deployed there to the end and is
/// good, and nothing is about to change that.
///
/// # Errors
/// [`NotYet`].
pub fn goes_on<'a>(
    from: &EnvironmentName,
    source: &'a Scope,
    target: &Scope,
) -> Result<&'a KnownRelease, NotYet> {
    let from = from.clone();
    match &source.lock {
        Lock::Free => {}
        Lock::Owned { deployment, .. } => return Err(NotYet::AtWork { from, by: *deployment }),
        Lock::Held { deployment, reason, .. } => {
            return Err(NotYet::Held { from, by: *deployment, reason: reason.clone() });
        }
    }
    let Some(current) = &source.current else { return Err(NotYet::Nothing { from }) };
    let good = source.releases.get(current).filter(|known| known.status == ReleaseStatus::Good);
    let Some(known) = good else { return Err(NotYet::NotGood { from, release: current.clone() }) };
    if target.current.as_ref() == Some(current) {
        return Err(NotYet::Same { release: current.clone() });
    }
    match target.releases.get(current).filter(|there| there.status == ReleaseStatus::Bad) {
        Some(bad) => {
            Err(NotYet::Bad { release: current.clone(), by: bad.deployment, because: bad.because.clone() })
        }
        None => Ok(known),
    }
}

#[cfg(test)]
mod tests;
