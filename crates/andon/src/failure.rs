//! What people read when something went wrong: what, why, next; and the exit code.

use andon_core::host::Authority;
use andon_core::plan::Refusal;
use andon_server::{Problem, RecordsError};
use andon_store::StoreError;
use serde::Serialize;

use crate::paint::Paint;
use crate::{confirm, cord, exit, signals, voice, when};

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
        text
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let what = problem.to_string();
        match problem {
            Problem::Refused(refusal) => {
                let why = match &refusal {
                    Refusal::Foreign { authority, .. } => format!("{}{}", began(authority), refusal.why()),
                    _ => refusal.why(),
                };
                Failure::refused(refusal.what()).why(why).next(refusal.next())
            }
            Problem::Unconfirmed(unconfirmed) => confirm::refused(&unconfirmed),
            Problem::GivenUp => signals::left(),
            Problem::Held { by, scope, .. } => Failure::refused(what)
                .why("only a rollback or the declared fix passes; nothing has been changed")
                .next(format!(
                    "andon show {n}; then: andon deploy {} {} --fixes {n}",
                    scope.service,
                    scope.environment,
                    n = by.0
                )),
            Problem::Stopped { scope, stops } => Failure::refused(cord::stopped(
                &stops,
                andon_server::clock::now(),
            ))
            .why("while it is stopped only a rollback or a declared fix begins; nothing has been changed")
            .next(cord::next(&stops, Some(&scope))),
            Problem::Occupied { by, .. } => Failure::refused(what)
                .why("the line says on_conflict = \"reject\"; nothing has been changed")
                .next(format!("wait for it: andon show {}", by.0)),
            Problem::Orphaned { by, .. } => Failure::refused(what)
                .why("its hosts may be in the middle of something; nothing has been changed")
                .next(format!("andon resume {n}, or: andon abort {n} --rollback", n = by.0)),
            Problem::Driven { id, since, until, .. } => {
                let now = andon_server::clock::now();
                let left = when::span(until.since(now));
                let since = since.map(|at| format!(" took charge {} and", when::ago(at, now))).unwrap_or_default();
                Failure::refused(what)
                    .why(format!(
                        "one process drives a deployment; that one{since} has to show a sign of life within \
                         {left}; nothing has been changed"
                    ))
                    .next(format!(
                        "watch it: andon show {n}; if it is dead: andon resume {n} --take-over",
                        n = id.0
                    ))
            }
            Problem::TakenOver { .. } => Failure::broken(what)
                .why("this process stopped giving orders; its hosts obey the other one")
                .next("andon history"),
            Problem::HostTaken { id, holder, .. } => Failure::broken(what)
                .why(format!(
                    "{}this process stopped giving orders; steps that hosts have begun end by themselves, and {id} \
                     is left open",
                    began(&holder)
                ))
                .next(format!(
                    "talk to {}; then close it here: andon abort {n}; and to move the hosts back: andon deploy \
                     --take-over",
                    holder.by,
                    n = id.0
                )),
            Problem::Secret(_) => Failure::refused(what)
                .why("a production test names it; secrets are looked for before the first host is touched; nothing has been changed")
                .next("put it there, then: andon plan"),
            Problem::NotNow(_) => Failure::refused(what),
            Problem::Records(RecordsError::Store(
                error @ (StoreError::Damaged { .. } | StoreError::Behind { .. }),
            )) => crate::context::ledger_failure(error).why("nothing more is recorded until that is mended"),
            Problem::Records(RecordsError::Newer { theirs, .. }) => Failure::broken(what)
                .why("an older andon could misread them, so it does nothing here; nothing has been changed")
                .next(format!("use andon {} or newer", theirs.version)),
            Problem::Records(RecordsError::NoDeployment(_)) => Failure::refused(what).next("andon history"),
            Problem::Records(_) => Failure::broken(what)
                .why("what is recorded is safe, and steps that hosts have begun end by themselves")
                .next("mend that, then: andon history"),
        }
    }
}

/// When the deployment of somebody else began, where they say so.
fn began(holder: &Authority) -> String {
    let ago = holder.since.map(|since| when::ago(since, andon_server::clock::now()));
    ago.map(|ago| format!("that deployment began {ago}; ")).unwrap_or_default()
}

impl From<RecordsError> for Failure {
    fn from(error: RecordsError) -> Self {
        Problem::Records(error).into()
    }
}
