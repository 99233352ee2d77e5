//! Why a task did not do what it was asked for, as a sentence for the person at the terminal.

use std::io;
use std::path::Path;

use andon_testbed::MachineError;

/// The one error of all tasks: nobody does anything with it but read it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file or a program could not be used.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ran and failed; it has said why itself.
    #[error("`{command}` failed")]
    Program {
        /// The command line.
        command: String,
    },
    /// A check found something; the text says what.
    #[error("{0}")]
    Found(String),
    /// No machines.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

impl Failure {
    /// For `map_err`: what was being done to `path`.
    pub(crate) fn io(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let doing = format!("{doing} {}", path.display());
        move |source| Self::Io { doing, source }
    }
}
