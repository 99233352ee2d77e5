//! What stands between a slip of the hand and an environment: its name, said once more, and a limit to how much of it
//! changes at one go. Pure: who is asked, and how, is the business of the command line.

use serde::{Deserialize, Serialize};

use crate::line::Environment;
use crate::name::EnvironmentName;
use crate::person::Person;
use crate::phrase::hosts;
use crate::quantity::Share;

/// A person has said the name of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The name as it was said.
    pub environment: EnvironmentName,
    /// How.
    pub how: How,
}

/// How a name was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Typed at a terminal, when it was asked for.
    Typed,
    /// Given with the command, for example by a script.
    Given,
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            How::Typed => "typed",
            How::Given => "given with the command",
        })
    }
}

/// What a person said so that a guarded environment may be changed. Kept in the ledger with the request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Passes {
    /// The name of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Confirmation>,
    /// Why more hosts may change at one go than the line allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_wide: Option<String>,
}

impl Passes {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An environment's guard together with what a person said to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guard {
    /// What the line says of the environment; nothing guards one that the line does not speak of.
    pub environment: Option<Environment>,
    /// What the person said.
    pub passes: Passes,
}

/// Something that was done to the hosts of a guarded environment outside of any deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardFact {
    /// A command was begun on hosts. Which one is not kept: its words may hold what nobody should read here.
    Ran {
        /// Who.
        by: Person,
        /// On so many hosts of the environment.
        hosts: u32,
        /// What was said to pass the guard.
        passes: Passes,
    },
}

/// The name of an environment's stream in the ledger.
pub fn stream(environment: &EnvironmentName) -> String {
    format!("environment/{environment}")
}

/// Why an environment is left alone: its name is missing, or another one was said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unconfirmed {
    /// It is protected, and nobody said its name.
    #[error("{0} is protected: it changes only when its name is said")]
    Missing(EnvironmentName),
    /// Somebody had another one in mind.
    #[error("this would change {wanted}, and the name that was said is {said}")]
    Other {
        /// The environment that would change.
        wanted: EnvironmentName,
        /// The one that was said.
        said: EnvironmentName,
    },
}

/// More hosts would change at one go than an environment allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TooWide {
    /// Where.
    pub environment: EnvironmentName,
    /// Hosts that would change before something looks at them.
    pub changed: u32,
    /// All hosts that this is a part of.
    pub total: u32,
    /// So many may.
    pub most: u32,
    /// As the line says it.
    pub limit: Share,
}

impl std::fmt::Display for TooWide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { environment, changed, total, most, limit } = self;
        write!(f, "would change {changed} of {} at one go; {environment} allows {most}", hosts(*total))?;
        match limit {
            Share::Percent(percent) => write!(f, " ({percent} %)"),
            Share::Hosts(_) => Ok(()),
        }
    }
}

impl Guard {
    /// Whether `wanted` may be changed as far as its name goes. A name that was said for nothing still has to be right.
    pub fn admits(&self, wanted: &EnvironmentName) -> Result<(), Unconfirmed> {
        match &self.passes.confirmed {
            Some(said) if said.environment != *wanted => {
                Err(Unconfirmed::Other { wanted: wanted.clone(), said: said.environment.clone() })
            }
            None if self.environment.as_ref().is_some_and(|environment| environment.protected) => {
                Err(Unconfirmed::Missing(wanted.clone()))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether `changed` of `total` hosts may change at one go.
    pub fn allows(&self, changed: u32, total: u32) -> Result<(), TooWide> {
        let Some(environment) = &self.environment else { return Ok(()) };
        let (Some(limit), Some(most)) = (environment.max_changed, environment.most(total)) else {
            return Ok(());
        };
        if changed <= most || self.passes.allow_wide.is_some() {
            return Ok(());
        }
        Err(TooWide { environment: environment.name.clone(), changed, total, most, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> EnvironmentName {
        EnvironmentName::new(text).unwrap()
    }

    fn guard(protected: bool, max_changed: Option<Share>, said: Option<&str>) -> Guard {
        let confirmed = said.map(|said| Confirmation { environment: name(said), how: How::Given });
        Guard {
            environment: Some(Environment {
                protected,
                max_changed,
                ..Environment::open(name("production"))
            }),
            passes: Passes { confirmed, allow_wide: None },
        }
    }

    #[test]
    fn a_protected_environment_wants_its_own_name_and_no_other() {
        let production = name("production");
        let missing = Err(Unconfirmed::Missing(production.clone()));
        assert_eq!(guard(true, None, None).admits(&production), missing);
        assert_eq!(guard(true, None, Some("production")).admits(&production), Ok(()));
        let other = guard(true, None, Some("staging")).admits(&production);
        assert_eq!(
            other.unwrap_err().to_string(),
            "this would change production, and the name that was said is staging"
        );
        assert_eq!(guard(false, None, None).admits(&production), Ok(()));
        // Whoever says a name for nothing and says the wrong one has something else in mind than what would happen.
        assert!(guard(false, None, Some("staging")).admits(&production).is_err());
        assert_eq!(Guard::default().admits(&production), Ok(()));
    }

    #[test]
    fn a_limit_is_a_number_of_hosts_or_a_part_of_them_and_never_less_than_one() {
        let wide = guard(false, Some(Share::Percent(20)), None).allows(40, 50).unwrap_err();
        assert_eq!(wide.to_string(), "would change 40 of 50 hosts at one go; production allows 10 (20 %)");
        let wide = guard(false, Some(Share::Hosts(3)), None).allows(4, 50).unwrap_err();
        assert_eq!(wide.to_string(), "would change 4 of 50 hosts at one go; production allows 3");
        assert_eq!(guard(false, Some(Share::Percent(20)), None).allows(10, 50), Ok(()));
        assert_eq!(guard(false, Some(Share::Percent(1)), None).allows(1, 8), Ok(()));
        assert_eq!(guard(false, None, None).allows(50, 50), Ok(()));
        let mut excepted = guard(false, Some(Share::Hosts(3)), None);
        excepted.passes.allow_wide = Some("the datacenter moves".into());
        assert_eq!(excepted.allows(50, 50), Ok(()));
    }
}
