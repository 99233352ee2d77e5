//! Questions asked of an instance: health checks and production tests.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::SecretName;

/// One question to one instance, asked on its own host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// An HTTP GET to `127.0.0.1` at the instance's port (or `port`).
    Http {
        /// Path and query, starting with `/`.
        path: String,
        /// The one status that passes; `None` accepts 200 to 399.
        status: Option<u16>,
        /// A text that the body (its first MiB) must contain.
        contains: Option<String>,
        /// The `Host` header; `None` sends `localhost`.
        host_header: Option<String>,
        /// Instead of the instance's own port.
        port: Option<u16>,
    },
    /// A TCP connection to `127.0.0.1`.
    Tcp {
        /// Instead of the instance's own port.
        port: Option<u16>,
    },
    /// A script from beside the line, carried inside of the plan. Exit code 0 passes.
    /// Its environment holds `ANDON_HOST`, `ANDON_PORT`, `ANDON_RELEASE`, `ANDON_SERVICE` and `ANDON_ROOT`.
    Script {
        /// The path as written in the line, for messages.
        name: String,
        /// The text of the script; its `#!` line chooses the interpreter (default `/bin/sh`).
        content: String,
        /// Further arguments.
        args: Vec<String>,
        /// Secrets that it finds in its environment, by variable. Their values come with the order, never within it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        secrets: BTreeMap<Variable, SecretName>,
    },
    /// A Nagios plugin, unchanged: exit codes 0 to 3 are OK, WARNING, CRITICAL and UNKNOWN. Only OK passes,
    /// and WARNING when `warning_passes`.
    Nagios {
        /// Program and arguments. A bare name is looked for in the usual plugin directories.
        command: Vec<String>,
        /// Whether WARNING passes.
        warning_passes: bool,
    },
}

impl Probe {
    /// The secrets that whoever asks must know.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        let named = match self {
            Probe::Script { secrets, .. } => Some(secrets.values()),
            Probe::Http { .. } | Probe::Tcp { .. } | Probe::Nagios { .. } => None,
        };
        named.into_iter().flatten()
    }

    /// A name for messages, for example `http /healthz` or `nagios check_procs`.
    pub fn title(&self) -> String {
        match self {
            Probe::Http { path, .. } => format!("http {path}"),
            Probe::Tcp { port: Some(port) } => format!("tcp {port}"),
            Probe::Tcp { port: None } => "tcp".to_owned(),
            Probe::Script { name, .. } => format!("script {name}"),
            Probe::Nagios { command, .. } => {
                format!("nagios {}", command.first().map_or("", String::as_str))
            }
        }
    }
}

/// The name of an environment variable: letters, digits and `_`, not beginning with a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Variable(String);

/// A text that cannot name a variable that a line sets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// It does not look like one.
    #[error("a variable has 1 to 64 letters, digits and `_`, and does not begin with a digit")]
    Spelling,
    /// Setting it would change more than what is told to the script.
    #[error("this variable is set by Andon, or decides how programs are found")]
    Taken,
}

impl Variable {
    /// Checks `text`.
    pub fn new(text: impl Into<String>) -> Result<Self, VariableError> {
        let text = text.into();
        let good = (1..=64).contains(&text.len())
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !good {
            return Err(VariableError::Spelling);
        }
        let taken = ["ANDON_", "LD_"].iter().any(|start| text.starts_with(start))
            || ["PATH", "HOME", "USER", "LANG", "IFS", "ENV", "BASH_ENV"].contains(&text.as_str());
        if taken { Err(VariableError::Taken) } else { Ok(Self(text)) }
    }

    /// The variable as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Variable {
    type Error = VariableError;
    fn try_from(text: String) -> Result<Self, VariableError> {
        Self::new(text)
    }
}

impl From<Variable> for String {
    fn from(variable: Variable) -> String {
        variable.0
    }
}

/// "Is it up?": fast, asked again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The question.
    pub probe: Probe,
    /// Time between two questions. Default 1 s.
    #[serde(with = "crate::time::millis")]
    pub interval: Duration,
    /// Time for one answer. Default 5 s.
    #[serde(with = "crate::time::millis")]
    pub timeout: Duration,
    /// Passes in a row until an instance counts as healthy, and failures in a row until it counts as sick. Default 3.
    pub in_a_row: u32,
}

/// "Does it do its job?": asked once per instance, before traffic returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductionTest {
    /// For messages; unique within the service.
    pub name: String,
    /// The question.
    pub probe: Probe,
    /// Time for the answer. Default 30 s.
    #[serde(with = "crate::time::millis")]
    pub timeout: Duration,
}
