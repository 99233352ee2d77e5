//! Asking whether the line runs, and recording what passed although it does not: in a ledger on this machine, or at a
//! server, with the token that whoever runs the hook keeps for it. Never longer than a few seconds.

use std::path::Path;
use std::time::Duration;

use andon_core::cord::Passage;
use andon_core::time::Time;
use andon_server::clock;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use ureq::http::StatusCode;

use super::settings::{Controller, FILE};
use crate::args::Common;
use crate::context::{LEDGER, open_ledger_here};
use crate::failure::Failure;
use crate::remote::choice::{self, Chosen};
use crate::remote::wire::{Patience, Wire, Wrong};
use crate::screen::legible;
use crate::{cord, when};

/// How long the ledger is waited for. A server has as long: [`Patience::Brief`].
const PATIENCE: Duration = Duration::from_secs(5);

/// The state of the line, as far as a push has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Changes flow.
    Running,
    /// They do not.
    Stopped {
        /// Who stopped it, when and why: a sentence.
        words: String,
    },
}

/// Why nobody can say whether the line runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silence {
    /// A sentence.
    pub(super) why: String,
    /// What is to be done about it, where that is known.
    pub(super) next: Option<String>,
}

impl From<String> for Silence {
    fn from(why: String) -> Self {
        Self { why, next: None }
    }
}

impl From<Wrong> for Silence {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Barred(StatusCode::UNAUTHORIZED, Failure { what, why, next, .. }) => Self {
                why: why.map(|why| format!("{what} ({why})")).unwrap_or(what),
                next: next.map(|next| format!("as the user that pushes arrive as: {next}")),
            },
            Wrong::Barred(_, Failure { what, next, .. }) => Self { why: what, next },
            // What commands are told to do next helps no push.
            other => Failure::from(other).what.into(),
        }
    }
}

/// What passed although the line stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    /// Who pushed.
    pub(super) by: String,
    /// The branch.
    pub(super) reference: String,
    /// The newest commit.
    pub(super) commit: String,
    /// In the person's words.
    pub(super) why: String,
}

/// What a controller answers. What else it says is not for hooks.
#[derive(Debug, Deserialize)]
struct Answer {
    state: State,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    since: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Running,
    Stopped,
}

impl Controller {
    /// Whether the line runs; or why nobody can say.
    pub(super) async fn line(&self) -> Result<Line, Silence> {
        if let Some(data) = &self.data {
            let common = ledger(data)?;
            let asked = async {
                let controller = open_ledger_here(&common).await.map_err(|failure| failure.what)?;
                controller.records().cord().await.map_err(|error| error.to_string())
            };
            let line = in_time(asked).await??.value;
            return Ok(match line.is_stopped() {
                false => Line::Running,
                true => Line::Stopped { words: cord::stopped(line.stops(), clock::now()) },
            });
        }
        let answer: Answer = self.wire()?.get("/v1/line", Patience::Brief).await?;
        Ok(answer.line(clock::now()))
    }

    /// Records an exception.
    pub(super) async fn record(&self, exception: &Exception) -> Result<(), Silence> {
        let Exception { by, reference, commit, why } = exception.clone();
        if let Some(data) = &self.data {
            let common = ledger(data)?;
            let recorded = async {
                let controller = open_ledger_here(&common).await.map_err(|failure| failure.what)?;
                let what = Passage::Push { reference, commit };
                controller.let_pass(by, what, why).await.map_err(|problem| problem.to_string())
            };
            return Ok(in_time(recorded).await?.map(drop)?);
        }
        let body = json!({ "by": by, "ref": reference, "commit": commit, "why": why });
        match self.wire()?.post::<IgnoredAny>("/v1/line/exceptions", &body, Patience::Brief).await {
            Ok(_) => Ok(()),
            Err(Wrong::Barred(StatusCode::FORBIDDEN, failure)) => Err(Silence {
                why: failure.what,
                next: Some(
                    "show a token with the grant line: andon token make NAME --user USER --grant line".into(),
                ),
            }),
            Err(wrong) => Err(wrong.into()),
        }
    }

    /// The way to the server, with the token that is kept for it.
    fn wire(&self) -> Result<Wire, Silence> {
        let url =
            choice::parse(self.server.as_deref().unwrap_or_default()).map_err(|failure| failure.what)?;
        Wire::new(Chosen { url, named_by: FILE.to_owned() })
            .map_err(|Failure { what, next, .. }| Silence { why: what, next })
    }
}

impl Answer {
    fn line(self, now: Time) -> Line {
        if matches!(self.state, State::Running) {
            return Line::Running;
        }
        let since = self.since.as_deref().and_then(|since| since.parse::<jiff::Timestamp>().ok());
        let since = since.map(|since| format!(" {}", when::ago(Time(since.as_millisecond()), now)));
        let by = legible(&self.by.unwrap_or_else(|| "somebody".to_owned()));
        let reason = legible(&self.reason.unwrap_or_else(|| "no reason is known".to_owned()));
        Line::Stopped { words: format!("the line is stopped by {by}{}: {reason}", since.unwrap_or_default()) }
    }
}

/// A ledger that is there already: a hook makes none.
fn ledger(data: &Path) -> Result<Common, String> {
    let file = data.join(LEDGER);
    match std::fs::File::open(&file) {
        Ok(_) => Ok(Common { data: Some(data.to_owned()), local: true, ..Common::default() }),
        Err(error) => Err(format!("{} cannot be opened: {error}", file.display())),
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| "the ledger did not answer in time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Line> {
        serde_json::from_str::<Answer>(text).ok().map(|answer| answer.line(Time(1_800_000_000_000)))
    }

    #[test]
    fn an_answer_is_understood_when_it_names_a_state_and_never_taken_for_a_running_line_otherwise() {
        assert_eq!(read(r#"{"state":"running","since":null}"#), Some(Line::Running));
        let words = |text| match read(text) {
            Some(Line::Stopped { words }) => words,
            other => panic!("{other:?}"),
        };
        let full = r#"{"state":"stopped","by":"ana","reason":"orders\u001b[2J fell","since":"2027-01-15T07:58:00Z","stops":[]}"#;
        assert_eq!(words(full), "the line is stopped by ana 2 min ago: orders\\x1b[2J fell");
        assert_eq!(words(r#"{"state":"stopped"}"#), "the line is stopped by somebody: no reason is known");
        for bad in ["", "{}", r#"{"state":"fine"}"#, "null", "<html>"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn whoever_is_not_let_in_is_told_what_to_do_and_advice_for_commands_is_not_passed_on() {
        let failure = || Failure::refused("nobody is known").why("no token").next("andon login URL");
        let of = |status| Silence::from(Wrong::Barred(status, failure()));
        let unknown = of(StatusCode::UNAUTHORIZED);
        assert_eq!(unknown.why, "nobody is known (no token)");
        assert_eq!(unknown.next.as_deref(), Some("as the user that pushes arrive as: andon login URL"));
        assert_eq!(of(StatusCode::FORBIDDEN).next.as_deref(), Some("andon login URL"));
        assert_eq!(Silence::from(Wrong::Broken(failure())), Silence::from("nobody is known".to_owned()));
    }
}
