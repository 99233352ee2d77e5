//! What people read when something went wrong: what, why, next; and the exit code.

use andon_server::{Problem, RecordsError};
use serde::Serialize;

use crate::paint::Paint;
use crate::{exit, signals, voice, when};

/// An error for people.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Failure {
    /// One sentence, without a full stop.
    pub(crate) what: String,
    /// Why, and what state the world is in.
    pub(crate) why: Option<String>,
    /// A command or a deed.
    pub(crate) next: Option<String>,
    /// See [`exit`].
    #[serde(skip)]
    pub(crate) code: u8,
}

impl Failure {
    /// Words that make no sense.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { what: what.into(), why: None, next: None, code: exit::USAGE }
    }

    /// A refusal; nothing has been changed.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self { what: what.into(), why: None, next: None, code: exit::REFUSED }
    }

    /// Something that Andon needs failed.
    pub(crate) fn broken(what: impl Into<String>) -> Self {
        Self { what: what.into(), why: None, next: None, code: exit::BROKEN }
    }

    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Three lines at most, or one JSON object.
    pub(crate) fn render(&self, paint: Paint, json: bool) -> String {
        if json {
            return voice::json_line(&serde_json::json!({ "error": self }));
        }
        let mut text = format!("{} {}", paint.bad("error:"), self.what);
        for (label, line) in [("why", &self.why), ("next", &self.next)] {
            if let Some(line) = line {
                text.push_str(&format!("\n  {} {line}", paint.dim(&format!("{label:<5}"))));
            }
        }
        if let Some(server) = crate::remote::spoken_to() {
            text.push_str(&format!("\n  {} {server}", paint.dim("at   ")));
        }
        text
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let now = andon_server::clock::now();
        let words = problem.words(now, &|moment| when::ago(moment, now));
        let told = |code| Failure { what: words.what, why: words.why, next: words.next, code };
        match problem {
            // A server that was asked to end gives up what it was asked for; that was nobody's Ctrl-C here.
            Problem::GivenUp if crate::remote::spoken_to().is_none() => signals::left(),
            Problem::TakenOver { .. } | Problem::HostTaken { .. } => told(exit::BROKEN),
            Problem::Records(RecordsError::NoDeployment(_)) => told(exit::REFUSED),
            Problem::Records(_) => told(exit::BROKEN),
            _ => told(exit::REFUSED),
        }
    }
}

impl From<RecordsError> for Failure {
    fn from(error: RecordsError) -> Self {
        Problem::Records(error).into()
    }
}
