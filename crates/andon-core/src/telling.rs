//! What people are told when something needs them, as data: who is told, what was seen, what was done, what to do next.
//!
//! Here is decided whether something is told and to whom; [`words`] turns it into the texts of a mail and of a chat. It
//! sends nothing: that is `andon-server`'s, which keeps every message in a [`Dispatch`] until it is delivered.

use serde::{Deserialize, Serialize};

use crate::deployment::{Deployment, DeploymentId, State};
use crate::line::{MailAddress, Tell};
use crate::name::HostName;
use crate::release::{ReleaseId, Revision};
use crate::scope::ScopeName;
use crate::time::Time;

pub use dispatch::{Dispatch, DispatchFact, GIVE_UP_AFTER, Letter, LetterState, Outcome};
pub use news::{approval_asked, news, of_the_cord};
pub use payload::Payload;
pub use picture::Picture;
pub use route::{Address, Route, routes};
pub use sample::sample;
pub use sketch::sketch;
pub use words::SlackMessage;

mod dispatch;
mod html;
mod news;
mod payload;
mod picture;
mod route;
mod sample;
mod sketch;
pub mod subscriptions;
pub mod words;

/// The longest output of a host in a message, in characters; the end of it is what counts.
const MOST_OUTPUT: usize = 4_000;
/// The longest sentence in a message, in characters.
const MOST_SENTENCE: usize = 2_000;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A release failed and was put back.
    PutBack,
    /// A release failed, and not every host could be put back.
    NotPutBack,
    /// A release failed, and there was nothing to put back to, or it was not allowed.
    Failed,
    /// A deployment began. Only those are told who asked for it.
    Began,
    /// A deployment ended as it was meant to. Only those are told who asked for it.
    Succeeded,
    /// A deployment ended before its time by a person's wish, or through no fault of the release. Only those are told who
    /// asked for it.
    Undone,
    /// A deployment waits for somebody's approval.
    ApprovalAsked,
    /// A deployment goes on only when a person has decided.
    Paused,
    /// A host behaves unlike its peers on the same release.
    SuspectHost,
    /// A person or a verdict stopped the line.
    LineStopped,
    /// A person started the line again.
    LineRunning,
    /// Somebody wants to see whether messages arrive.
    Test,
}

impl Kind {
    /// Its name, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Kind::PutBack => "put_back",
            Kind::NotPutBack => "not_put_back",
            Kind::Failed => "failed",
            Kind::Began => "began",
            Kind::Succeeded => "succeeded",
            Kind::Undone => "undone",
            Kind::ApprovalAsked => "approval_asked",
            Kind::Paused => "paused",
            Kind::SuspectHost => "suspect_host",
            Kind::LineStopped => "line_stopped",
            Kind::LineRunning => "line_running",
            Kind::Test => "test",
        }
    }
}

/// Everything that a message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Telling {
    /// What it is about.
    pub kind: Kind,
    /// Tells it from every other one of its ledger: what has the same key is told once.
    pub key: String,
    /// When it came to be.
    pub at: Time,
    /// The deployment that it is about.
    pub deployment: Option<DeploymentId>,
    /// The scope that it is about.
    pub scope: Option<ScopeName>,
    /// The release that it is about.
    pub release: Option<ReleaseId>,
    /// The commit of the release.
    pub revision: Option<Revision>,
    /// The person who asked for what happened.
    pub by: String,
    /// Whether the release is at fault, so that its author is told.
    pub blames_the_release: bool,
    /// What happened: one sentence.
    pub headline: String,
    /// The state of the world, and what was done about it.
    pub done: String,
    /// What a person can do now: commands and deeds.
    pub next: Vec<String>,
    /// The last lines that a failed host printed, and whose they are.
    pub output: Option<(HostName, String)>,
    /// What was measured.
    pub picture: Option<Picture>,
    /// Why this person gets it, and how they get no more of them; `None` where the line itself tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

/// What is to be told about a deployment as it stands; nothing while nobody is needed.
///
/// A release that was put back by its own fault, one that could not be put back, one that failed, and one that waits for
/// a person's decision are told. What a person asked for is not: they know.
pub fn of(deployment: &Deployment, picture: Option<Picture>) -> Option<Telling> {
    let kind = match &deployment.state {
        State::RolledBack { cause } if cause.blames_the_release() => Kind::PutBack,
        State::RollbackFailed { .. } => Kind::NotPutBack,
        State::Failed { cause } if cause.blames_the_release() => Kind::Failed,
        State::Paused { reason, .. } if !reason.is_a_persons_wish() => Kind::Paused,
        State::Pending { .. }
        | State::Running { .. }
        | State::Paused { .. }
        | State::Baking { .. }
        | State::Aborting { .. }
        | State::RollingBack { .. }
        | State::Succeeded
        | State::Failed { .. }
        | State::Aborted { .. }
        | State::RolledBack { .. }
        | State::Cancelled { .. } => return None,
    };
    let id = deployment.id;
    let (headline, next, key) = match deployment.ending() {
        Some(ending) => (ending.headline, ending.next, format!("{}/{}", id.0, kind.name())),
        None => {
            let reason = deployment.reason().unwrap_or_default();
            let next = vec![format!("andon resume {}", id.0), format!("andon abort {} --rollback", id.0)];
            // A pause that comes again at the same place for the same reason has been told.
            let place = crate::digest::Digest::of(format!("{:?}", deployment.state).as_bytes()).to_string();
            let key = format!("{}/{}/{}", id.0, kind.name(), &place[..12]);
            (format!("{id} is paused and needs a decision: {reason}"), next, key)
        }
    };
    let cause = deployment.state.cause();
    Some(Telling {
        kind,
        key,
        at: deployment.ended.unwrap_or(deployment.progress),
        blames_the_release: cause.is_some_and(crate::deployment::Cause::blames_the_release),
        headline: shortened(&headline, MOST_SENTENCE),
        done: deployment.state_of_the_world(),
        next,
        output: output(deployment),
        picture: picture.and_then(Picture::tidy),
        ..about(deployment)
    })
}

/// A host that behaves unlike its peers: it was taken out, and the deployment waits with the next wave. `why` is one
/// sentence.
pub fn suspect_host(
    deployment: &Deployment,
    host: &HostName,
    why: &str,
    at: Time,
    picture: Option<Picture>,
) -> Telling {
    let id = deployment.id;
    Telling {
        key: format!("{}/{}/{host}", id.0, Kind::SuspectHost.name()),
        at,
        headline: shortened(&format!("{host} is suspect in {id}: {why}"), MOST_SENTENCE),
        next: vec![format!("andon show {}", id.0)],
        picture: picture.and_then(Picture::tidy),
        ..about(deployment)
    }
}

/// The line was stopped. `reason` is the person's or the verdict's; `key` tells this stop from every other one.
pub fn line_stopped(key: &str, by: &str, reason: &str, at: Time) -> Telling {
    let done = "Deployments are refused until it runs again; a rollback and a declared fix pass.";
    let next = vec!["andon line".to_owned(), "andon line start \"why\"".to_owned()];
    let headline = format!("{by} stopped the line: {reason}");
    line(Kind::LineStopped, key, by, headline, done, next, at)
}

/// The line runs again. `key` tells this start from every other one.
pub fn line_running(key: &str, by: &str, reason: &str, at: Time) -> Telling {
    let headline = format!("{by} started the line again: {reason}");
    line(Kind::LineRunning, key, by, headline, "Deployments are accepted.", Vec::new(), at)
}

fn line(
    kind: Kind,
    key: &str,
    by: &str,
    headline: String,
    done: &str,
    next: Vec<String>,
    at: Time,
) -> Telling {
    Telling {
        kind,
        key: format!("line/{}/{key}", kind.name()),
        at,
        deployment: None,
        scope: None,
        release: None,
        revision: None,
        by: by.to_owned(),
        blames_the_release: false,
        headline: shortened(&headline, MOST_SENTENCE),
        done: done.to_owned(),
        next,
        output: None,
        picture: None,
        asked: None,
    }
}

/// What a message about a deployment says in any case.
fn about(deployment: &Deployment) -> Telling {
    let request = &deployment.request;
    Telling {
        kind: Kind::SuspectHost,
        key: String::new(),
        at: deployment.progress,
        deployment: Some(deployment.id),
        scope: Some(request.scope.clone()),
        release: Some(request.release.id.clone()),
        revision: request.release.revision.clone(),
        by: request.by.name.clone(),
        blames_the_release: false,
        headline: String::new(),
        done: deployment.state_of_the_world(),
        next: Vec::new(),
        output: None,
        picture: None,
        asked: None,
    }
}

/// The end of what the first failed host printed.
fn output(deployment: &Deployment) -> Option<(HostName, String)> {
    let failed = deployment.hosts.iter().filter_map(|(host, run)| Some((host, run.failure.as_ref()?)));
    let (host, failure) = failed.into_iter().find(|(_, failure)| !failure.tail.trim().is_empty())?;
    let count = failure.tail.chars().count();
    let end: String = failure.tail.chars().skip(count.saturating_sub(MOST_OUTPUT)).collect();
    Some((host.clone(), end.trim_end().to_owned()))
}

/// At most so many characters of a text.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

impl Telling {
    /// The author of the change, if this is for them and the commit has an address that can be used.
    pub fn author(&self, tell: &Tell) -> Option<MailAddress> {
        let email = self.revision.as_ref()?.email.as_ref()?;
        (tell.author && self.blames_the_release).then(|| MailAddress::new(email.clone()).ok())?
    }
}

#[cfg(test)]
mod tests;
