//! What a problem is in words: what happened, why and in which state the world is, and what to do next. The same for
//! terminals and programs; only moments are said as each of them says them.

use andon_core::cord;
use andon_core::guard::Unconfirmed;
use andon_core::host::Authority;
use andon_core::plan::Refusal;
use andon_core::quantity::format_duration;
use andon_core::release::ReleaseId;
use andon_core::time::Time;
use andon_store::StoreError;

use super::Problem;
use crate::records::RecordsError;

/// A problem, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One sentence, without a full stop.
    pub what: String,
    /// Why, and what state the world is in.
    pub why: Option<String>,
    /// A command or a deed.
    pub next: Option<String>,
}

impl Words {
    fn new(what: String) -> Self {
        Self { what, why: None, next: None }
    }

    fn why(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }
}

impl Problem {
    /// The problem at `now`, told. `ago` says a moment, for example `12 min ago`.
    pub fn words(&self, now: Time, ago: &dyn Fn(Time) -> String) -> Words {
        let words = Words::new(self.to_string());
        match self {
            Problem::Refused(refusal) => {
                let why = match refusal {
                    Refusal::Foreign { authority, .. } => {
                        format!("{}{}", began(authority, ago), refusal.why())
                    }
                    _ => refusal.why(),
                };
                words.why(why).next(refusal.next())
            }
            Problem::Unconfirmed(unconfirmed) => words.unconfirmed(unconfirmed),
            Problem::Unapproved(unapproved) => words
                .why(format!(
                    "line.star asks for it; {} has asked, and others see that it waits; nothing has been changed",
                    unapproved.asked
                ))
                .next(format!(
                    "somebody else who may deploy there: andon approve {} {} {}",
                    unapproved.scope.service,
                    unapproved.scope.environment,
                    ReleaseId::of(&unapproved.release)
                )),
            Problem::GivenUp => words.why("nothing has been changed").next("ask again"),
            Problem::Held { by, scope, .. } => words
                .why("only a rollback or the declared fix passes; nothing has been changed")
                .next(format!(
                    "andon show {n}; then: andon deploy {} {} --fixes {n}",
                    scope.service,
                    scope.environment,
                    n = by.0
                )),
            Problem::Stopped { scope, stops } => Words::new(cord::words::stopped(stops, ago))
                .why("while it is stopped only a rollback or a declared fix begins; nothing has been changed")
                .next(cord::words::next(stops, Some(scope))),
            Problem::Occupied { by, .. } => words
                .why("the line says on_conflict = \"reject\"; nothing has been changed")
                .next(format!("wait for it: andon show {}", by.0)),
            Problem::Orphaned { by, .. } => words
                .why("its hosts may be in the middle of something; nothing has been changed")
                .next(format!("andon resume {n}, or: andon abort {n} --rollback", n = by.0)),
            Problem::Driven { id, since, until, .. } => {
                let left = format_duration(std::time::Duration::from_secs(until.since(now).as_secs()));
                let since = since.map(|at| format!(" took charge {} and", ago(at))).unwrap_or_default();
                words
                    .why(format!(
                        "one process drives a deployment; that one{since} has to show a sign of life within \
                         {left}; nothing has been changed"
                    ))
                    .next(format!(
                        "watch it: andon show {n}; if it is dead: andon resume {n} --take-over",
                        n = id.0
                    ))
            }
            Problem::TakenOver { .. } => words
                .why("this process stopped giving orders; its hosts obey the other one")
                .next("andon history"),
            Problem::HostTaken { id, holder, .. } => words
                .why(format!(
                    "{}this process stopped giving orders; steps that hosts have begun end by themselves, and {id} \
                     is left open",
                    began(holder, ago)
                ))
                .next(format!(
                    "talk to {}; then close it here: andon abort {n}; and to move the hosts back: andon deploy \
                     --take-over",
                    holder.by,
                    n = id.0
                )),
            Problem::Secret(_) => words
                .why(
                    "a production test names it; secrets are looked for before the first host is touched; nothing \
                     has been changed",
                )
                .next("put it there, then: andon plan"),
            Problem::NotNow(_) => words,
            Problem::Records(error) => words.records(error),
        }
    }
}

impl Words {
    fn unconfirmed(self, unconfirmed: &Unconfirmed) -> Self {
        match unconfirmed {
            Unconfirmed::Missing(name) => self
                .why("line.star says so, and nobody sits here who could be asked; nothing has been changed")
                .next(format!("say its name with the command: --confirm {name}")),
            Unconfirmed::Other { .. } => {
                self.why("nothing has been changed").next("name the environment that is meant")
            }
        }
    }

    fn records(self, error: &RecordsError) -> Self {
        match error {
            RecordsError::Store(StoreError::Damaged { .. }) => self
                .why("nothing more is recorded until that is mended")
                .next("where it is damaged: andon ledger verify; then: andon ledger restore BACKUP"),
            RecordsError::Store(StoreError::Behind { place, .. }) => {
                self.why("nothing more is recorded until that is mended").next(format!(
                    "find out why ({place}-wal, an old copy?); then: andon ledger restore BACKUP; or, to go on with \
                     what is there: andon ledger restore {place} --replace --why TEXT"
                ))
            }
            RecordsError::Newer { theirs, .. } => self
                .why("an older andon could misread them, so it does nothing here; nothing has been changed")
                .next(format!("use andon {} or newer", theirs.version)),
            RecordsError::NoDeployment(_) => self.next("andon history"),
            RecordsError::Store(_) | RecordsError::Foreign { .. } | RecordsError::Elsewhere(_) => self
                .why("what is recorded is safe, and steps that hosts have begun end by themselves")
                .next("mend that, then: andon history"),
        }
    }
}

/// When the deployment of somebody else began, where they say so.
fn began(holder: &Authority, ago: &dyn Fn(Time) -> String) -> String {
    holder.since.map(|since| format!("that deployment began {}; ", ago(since))).unwrap_or_default()
}
