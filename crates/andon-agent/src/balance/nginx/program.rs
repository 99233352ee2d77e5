//! The nginx program: tests a configuration, shows it, and passes a reload on. Starts and stops no nginx.

use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::diff;
use crate::run::child::{self, Ended, Finished};
use crate::run::supervisor::describe;

/// How long one call may take. nginx resolves names while it tests, which is slow where name servers are down.
const PATIENCE: Duration = Duration::from_secs(15);

/// The most that is read of a shown configuration.
const MAX_OUTPUT: usize = 8 << 20;

/// Why a call of nginx did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    /// There are no words to run.
    #[error("no program is given for nginx")]
    Nothing,
    /// It cannot be started.
    #[error("{program} cannot be started: {source}")]
    Start {
        /// The first word.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It ended otherwise than well.
    #[error("`{command}` {how}")]
    Failed {
        /// The words of the command.
        command: String,
        /// How it ended.
        how: String,
        /// What it said, at most 4 KiB.
        said: String,
    },
}

impl ProgramError {
    /// What nginx said; may be empty.
    pub(super) fn said(&self) -> &str {
        match self {
            ProgramError::Failed { said, .. } => said,
            ProgramError::Nothing | ProgramError::Start { .. } => "",
        }
    }

    /// The first line that nginx said about an error, without the time; else all that is known.
    pub(super) fn gist(&self) -> String {
        let line = self.said().lines().find(|line| line.contains("[emerg]") || line.contains("[alert]"));
        match line.or_else(|| self.said().lines().find(|line| !line.trim().is_empty())) {
            Some(line) => line.rsplit("[emerg] ").next().unwrap_or(line).trim().to_owned(),
            None => self.to_string(),
        }
    }
}

/// The program with the words that every call of it needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program<'a>(pub(super) &'a [String]);

impl Program<'_> {
    /// Whether the configuration, as it stands in the files, could be loaded.
    pub(super) fn test(self) -> Result<(), ProgramError> {
        self.run(&["-t"]).map(drop)
    }

    /// All files of the configuration, one after the other. Fails when it could not be loaded.
    pub(super) fn dump(self) -> Result<String, ProgramError> {
        Ok(String::from_utf8_lossy(&self.run(&["-T", "-q"])?.stdout).into_owned())
    }

    /// What nginx was built with.
    pub(super) fn built_with(self) -> Result<String, ProgramError> {
        Ok(String::from_utf8_lossy(&self.run(&["-V"])?.stderr).into_owned())
    }

    /// Passes the wish for a reload on to the master. Whether it loads anything is to be seen at its workers.
    pub(super) fn reload(self) -> Result<(), ProgramError> {
        self.run(&["-s", "reload"]).map(drop)
    }

    /// The directory given by `-p`, against which relative paths are meant.
    pub(super) fn prefix(self) -> Option<PathBuf> {
        let after = self.0.iter().skip_while(|word| *word != "-p").nth(1);
        after.map(PathBuf::from)
    }

    fn run(self, more: &[&str]) -> Result<Finished, ProgramError> {
        let (program, words) = self.0.split_first().ok_or(ProgramError::Nothing)?;
        let finished = child::run(Command::new(program).args(words).args(more), PATIENCE, MAX_OUTPUT)
            .map_err(|source| ProgramError::Start { program: program.clone(), source })?;
        if finished.succeeded() {
            return Ok(finished);
        }
        let how = match finished.ended {
            Ended::TimedOut => format!("did not end within {PATIENCE:?}"),
            how => describe(how),
        };
        let command = [self.0.join(" ").as_str(), &more.join(" ")].join(" ");
        let said = diff::clip(String::from_utf8_lossy(&finished.stderr).trim().to_owned());
        Err(ProgramError::Failed { command, how, said })
    }
}
