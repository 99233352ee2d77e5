//! How a command ended on a host, as data and as words. Pure.

use std::fmt;
use std::time::Duration;

use andon_core::quantity::format_duration;
use serde::Serialize;

use crate::ssh::Failure;

/// How a command ended on a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// It ended by itself.
    Exited {
        /// Its exit code.
        code: u8,
    },
    /// A signal ended it: the host's shell reported 128 and the signal's number.
    Signalled {
        /// The signal's number on Linux, 1 to 31.
        signal: u8,
    },
    /// It was ended because it took too long.
    TimedOut {
        /// The time that it had.
        #[serde(rename = "after_ms", with = "andon_core::time::millis")]
        after: Duration,
        /// Whether the command began at all.
        started: bool,
    },
    /// It never began, because `ssh` did not reach the host.
    Unreachable {
        /// Why.
        #[serde(flatten)]
        failure: Failure,
    },
    /// It never began, because the host ran something other than our shell: a login that is disabled, no `/bin/sh`.
    NotRun {
        /// What was said instead, one line.
        said: String,
    },
    /// It began, and nobody knows how it ended.
    Lost {
        /// What is known.
        why: String,
    },
}

impl Status {
    /// What the exit code that the host's shell reported means.
    pub(super) fn of_code(code: u8) -> Self {
        match code {
            129..=159 => Self::Signalled { signal: code - 128 },
            _ => Self::Exited { code },
        }
    }

    /// Whether the command ran and succeeded.
    pub fn is_success(&self) -> bool {
        *self == Self::Exited { code: 0 }
    }

    /// Whether the command ran to an end that is known.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Exited { .. } | Self::Signalled { .. })
    }

    /// One or two words: `exit 1`, `unreachable`. Empty for success.
    pub fn label(&self) -> String {
        match self {
            Self::Exited { code: 0 } => String::new(),
            Self::Exited { code } => format!("exit {code}"),
            Self::Signalled { signal } => {
                signal_name(*signal).map_or(format!("signal {signal}"), str::to_owned)
            }
            Self::TimedOut { .. } => "timed out".to_owned(),
            Self::Unreachable { .. } => "unreachable".to_owned(),
            Self::NotRun { .. } => "not run".to_owned(),
            Self::Lost { .. } => "lost".to_owned(),
        }
    }
}

impl fmt::Display for Status {
    /// Writes what happened, as the end of a sentence that starts with the host's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "ended with exit code {code}"),
            Self::Signalled { .. } => write!(f, "ended by {}", self.label()),
            Self::TimedOut { after, started: true } => write!(f, "ended after {}", format_duration(*after)),
            Self::TimedOut { after, started: false } => {
                write!(f, "the command had not begun after {}", format_duration(*after))
            }
            Self::Unreachable { failure } => failure.fmt(f),
            Self::NotRun { said } if said.is_empty() => f.write_str("the host did not start /bin/sh"),
            Self::NotRun { said } => write!(f, "the host did not start /bin/sh: {said}"),
            Self::Lost { why } => write!(f, "{why}; whether the command finished is not known"),
        }
    }
}

fn signal_name(signal: u8) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}
