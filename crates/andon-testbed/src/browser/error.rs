//! Why a browser did not do what a test asked of it.

use std::fmt;
use std::io;

use crate::packages::PackagesError;
use crate::program::MissingPrograms;

/// Why a browser did not do what was asked.
#[derive(thiserror::Error)]
pub enum BrowserError {
    /// A program is not installed.
    #[error(transparent)]
    Missing(#[from] MissingPrograms),
    /// A package of npm is not there.
    #[error(transparent)]
    Packages(#[from] PackagesError),
    /// A file could not be written, or a program could not be started.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// It did not start.
    #[error("chromedriver did not start; it says: {log}")]
    NotStarted {
        /// What it wrote.
        log: String,
    },
    /// It refused a command.
    #[error("the browser cannot {doing}: {said}")]
    Refused {
        /// The command.
        doing: String,
        /// What it said.
        said: String,
    },
    /// Something did not come true in time.
    #[error("waited in vain until {what}. The page at {url} says:\n{text}")]
    InVain {
        /// What was waited for.
        what: String,
        /// Where the browser is.
        url: String,
        /// The words of the page.
        text: String,
    },
}

// A failed `unwrap` prints the debug form, and the person who reads it wants the sentence.
impl fmt::Debug for BrowserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl BrowserError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
