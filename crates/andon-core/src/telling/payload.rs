//! A message for programs. Fields are added, never changed; `andon` counts the changes that could break a reader.

use serde::Serialize;

use super::Telling;

/// What a generic webhook gets, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Payload<'a> {
    /// The version of this form.
    pub andon: u32,
    /// The identity of this delivery: the same when it is repeated.
    pub delivery: &'a str,
    /// What it is about, for example `put_back`.
    pub kind: &'static str,
    /// When it came to be: ISO 8601, UTC.
    pub at: String,
    /// The deployment.
    pub deployment: Option<u64>,
    /// The service.
    pub service: Option<&'a str>,
    /// The environment.
    pub environment: Option<&'a str>,
    /// The release.
    pub release: Option<&'a str>,
    /// The commit.
    pub revision: Option<Commit<'a>>,
    /// The person who asked for what happened.
    pub by: &'a str,
    /// Whether the release is at fault.
    pub blames_the_release: bool,
    /// What happened: one sentence.
    pub headline: &'a str,
    /// What was done, and the state of the world.
    pub done: &'a str,
    /// What a person can do now.
    pub next: &'a [String],
    /// What was measured.
    pub metric: Option<Measured<'a>>,
}

/// The commit of a release.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Commit<'a> {
    /// Abbreviated.
    pub commit: &'a str,
    /// The first line of its message.
    pub subject: &'a str,
    /// Who wrote it.
    pub author: &'a str,
}

/// What was measured, without its points.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured<'a> {
    /// The metric.
    pub title: &'a str,
    /// Its unit.
    pub unit: &'a str,
    /// When the first host got the release.
    pub deployed: String,
    /// When the verdict fell.
    pub verdict: String,
    /// What is to be seen: one sentence.
    pub sentence: &'a str,
}

impl Telling {
    /// The message for programs; `delivery` is its identity.
    pub fn payload<'a>(&'a self, delivery: &'a str) -> Payload<'a> {
        let scope = self.scope.as_ref();
        let commit = |revision: &'a crate::release::Revision| Commit {
            commit: &revision.commit,
            subject: &revision.subject,
            author: &revision.author,
        };
        Payload {
            andon: 1,
            delivery,
            kind: self.kind.name(),
            at: self.at.iso(),
            deployment: self.deployment.map(|id| id.0),
            service: scope.map(|scope| scope.service.as_str()),
            environment: scope.map(|scope| scope.environment.as_str()),
            release: self.release.as_ref().map(|release| release.as_str()),
            revision: self.revision.as_ref().map(commit),
            by: &self.by,
            blames_the_release: self.blames_the_release,
            headline: &self.headline,
            done: &self.done,
            next: &self.next,
            metric: self.picture.as_ref().map(|picture| Measured {
                title: &picture.title,
                unit: &picture.unit,
                deployed: picture.deploy.iso(),
                verdict: picture.verdict.iso(),
                sentence: &picture.sentence,
            }),
        }
    }
}
