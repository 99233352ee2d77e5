//! Asking whether the line runs, and recording what passed although it does not: in a ledger on this machine, or at a
//! controller over HTTP. Never longer than a few seconds.

use std::path::Path;
use std::time::Duration;

use andon_core::cord::Passage;
use andon_core::time::Time;
use andon_server::clock;
use serde::Deserialize;
use serde_json::json;
use ureq::Agent;

use super::settings::Controller;
use crate::args::Common;
use crate::context::{LEDGER, open_ledger_here};
use crate::screen::legible;
use crate::{cord, when};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer, in bytes.
const LARGEST: u64 = 1 << 20;

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
    pub(super) async fn line(&self) -> Result<Line, String> {
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
        let url = self.url("/v1/line");
        let text = talk(move |agent| agent.get(&url).call()).await?;
        serde_json::from_str::<Answer>(&text)
            .map(|answer| answer.line(clock::now()))
            .map_err(|error| format!("its answer cannot be understood: {error}"))
    }

    /// Records an exception.
    pub(super) async fn record(&self, exception: &Exception) -> Result<(), String> {
        let Exception { by, reference, commit, why } = exception.clone();
        if let Some(data) = &self.data {
            let common = ledger(data)?;
            let recorded = async {
                let controller = open_ledger_here(&common).await.map_err(|failure| failure.what)?;
                let what = Passage::Push { reference, commit };
                controller.let_pass(by, what, why).await.map_err(|problem| problem.to_string())
            };
            return in_time(recorded).await?.map(drop);
        }
        let url = self.url("/v1/line/exceptions");
        let body = json!({ "by": by, "ref": reference, "commit": commit, "why": why }).to_string();
        let json = "application/json";
        talk(move |agent| agent.post(&url).header("content-type", json).send(&body)).await.map(drop)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.as_deref().unwrap_or_default().trim_end_matches('/'))
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

type Called = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

/// One request and its answer's text.
async fn talk(call: impl FnOnce(&Agent) -> Called + Send + 'static) -> Result<String, String> {
    let talked = tokio::task::spawn_blocking(move || {
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("andon/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let mut answer = call(&agent).map_err(|error| error.to_string())?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(LARGEST).read_to_string();
        match status.is_success() {
            true => text.map_err(|error| error.to_string()),
            false => Err(format!("it answered {status}")),
        }
    });
    talked.await.map_err(|error| error.to_string())?
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
}
