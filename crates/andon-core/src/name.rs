//! Names of things. One newtype each, so that a host can never be passed where a group is meant.
//!
//! All names share one alphabet, which keeps them harmless in paths, unit names, terminals and URLs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name cannot be empty")]
    Empty,
    /// The text is longer than [`MAX_NAME_LEN`] bytes.
    #[error("a name has at most {MAX_NAME_LEN} characters, this one has {0}")]
    TooLong(usize),
    /// The text starts with something other than a letter, a digit or `_`.
    #[error("a name starts with a letter, a digit or `_`, not with {0:?}")]
    BadStart(char),
    /// The text contains a character outside of the alphabet.
    #[error("a name consists of letters, digits, `-`, `_` and `.`; {0:?} is none of them")]
    BadCharacter(char),
}

/// The longest name, in bytes: a DNS name's limit.
pub const MAX_NAME_LEN: usize = 253;

fn validate(text: &str) -> Result<(), NameError> {
    let first = text.chars().next().ok_or(NameError::Empty)?;
    if text.len() > MAX_NAME_LEN {
        return Err(NameError::TooLong(text.len()));
    }
    if !(first.is_ascii_alphanumeric() || first == '_') {
        return Err(NameError::BadStart(first));
    }
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))) {
        Some(bad) => Err(NameError::BadCharacter(bad)),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` against the alphabet of names.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                validate(&text)?;
                Ok(Self(text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name! {
    /// One machine.
    HostName
}
name! {
    /// A named set of hosts.
    GroupName
}
name! {
    /// Something that runs on hosts and is released as one.
    ServiceName
}
name! {
    /// A named set of hosts that a service is deployed to, for example `staging` or `production`.
    EnvironmentName
}
name! {
    /// One running copy of a service on a host: its port as text, or `main` where it has none.
    InstanceName
}
name! {
    /// One instance as a balancer knows it.
    ServerName
}
name! {
    /// A secret: a password, a key, an address that must not be seen. Only its name is ever written down.
    SecretName
}
name! {
    /// Where hosts stand: a datacenter, a room, a zone.
    SiteName
}
name! {
    /// A named number over time that a release is judged by: `errors`, `slow-p90`, `orders`.
    MetricName
}
name! {
    /// What an arm of an analysis consists of: a host, or the whole of a label set of another system.
    MemberName
}

impl From<&HostName> for MemberName {
    fn from(host: &HostName) -> Self {
        Self(host.0.clone())
    }
}

/// A deployment's number, counted from 1 in each ledger. Shown as `#128`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentId(pub u64);

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl DeploymentId {
    /// The name of its stream in the ledger.
    pub fn stream(self) -> String {
        format!("deployment/{}", self.0)
    }
}

/// Names a scope: `www/production`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopeName {
    /// The service.
    pub service: ServiceName,
    /// The environment.
    pub environment: EnvironmentName,
}

impl fmt::Display for ScopeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.service, self.environment)
    }
}

impl ScopeName {
    /// The name of its stream in the ledger.
    pub fn stream(&self) -> String {
        format!("scope/{}/{}", self.service, self.environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_an_alphabet_that_is_safe_in_paths_and_terminals() {
        assert!(HostName::new("web1.example.com").is_ok());
        assert_eq!(HostName::new(""), Err(NameError::Empty));
        assert_eq!(HostName::new("../etc"), Err(NameError::BadStart('.')));
        assert_eq!(HostName::new("-oProxyCommand=x"), Err(NameError::BadStart('-')));
        assert_eq!(HostName::new("web/1"), Err(NameError::BadCharacter('/')));
        assert_eq!(HostName::new("web\u{1b}[2J"), Err(NameError::BadCharacter('\u{1b}')));
        assert_eq!(HostName::new("w".repeat(254)), Err(NameError::TooLong(254)));
    }
}
