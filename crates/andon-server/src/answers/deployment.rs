//! Deployments: in one row, whole, and their entries.

use andon_core::analysis::{MetricStanding, Standing, Suspect, Verdict};
use andon_core::deployment::{Deployment, Fact, HostCounts, Kind, Summary, story};
use andon_core::guard::Passes;
use andon_core::release::Revision;
use andon_core::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::records::Entry;

/// A deployment in one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentRow {
    /// Its number.
    pub deployment: u64,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// What for: `deploy` or `rollback`.
    #[schema(value_type = String)]
    pub kind: Kind,
    /// The release that it moves to.
    pub release: String,
    /// The release that it would go back to.
    pub from: Option<String>,
    /// The commit of the release, where it is known.
    #[schema(value_type = Option<Commit>)]
    pub revision: Option<Revision>,
    /// Who asked.
    pub by: String,
    /// Why, in the person's words.
    pub why: Option<String>,
    /// The state's name, for example `running`, `paused`, `succeeded`, `rolled_back`.
    pub state: String,
    /// Why it is in that state, where there is something to say.
    pub reason: Option<String>,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub accepted: String,
    /// When it began to change hosts.
    #[schema(format = DateTime)]
    pub started: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub ended: Option<String>,
    /// How long it took, in seconds.
    pub seconds: Option<f64>,
    /// What became of its hosts.
    #[schema(value_type = HostsAtEnd)]
    pub hosts: HostCounts,
}

/// A commit.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of andon_core's Revision, for the document")]
pub struct Commit {
    /// Abbreviated, for example `4c1d9e2`.
    commit: String,
    /// The first line of its message.
    subject: String,
    /// Who wrote it.
    author: String,
    /// The author's address.
    email: Option<String>,
    /// When it was committed, in milliseconds since 1970.
    at: i64,
}

/// How many hosts ended up how.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of andon_core's HostCounts, for the document")]
pub struct HostsAtEnd {
    /// In the plan.
    total: u32,
    /// On which the release was activated, or may have been.
    changed: u32,
    /// On the new release, verified.
    succeeded: u32,
    /// Put back, verified.
    restored: u32,
    /// Failed, and not put back.
    failed: u32,
    /// Out of reach.
    unreachable: u32,
    /// Left alone: already on the release.
    skipped: u32,
    /// Whole, and without traffic.
    idle: u32,
}

/// One deployment with its hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentAnswer {
    /// What stands in a row.
    #[serde(flatten)]
    pub row: DeploymentRow,
    /// What was said to pass the guard of the environment.
    #[schema(value_type = Object)]
    pub passes: Passes,
    /// The passage of each host.
    pub host_runs: Vec<HostRunRow>,
    /// What the analysis said last.
    pub analysis: Option<AnalysisAnswer>,
    /// What it waits for: one sentence.
    pub waiting_for: Option<String>,
    /// How it ended: one sentence.
    pub ending: Option<String>,
}

/// A host in a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostRunRow {
    /// Its name.
    pub host: String,
    /// The state's name.
    pub state: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub since: String,
    /// Its wave, counted from 1.
    pub wave: Option<usize>,
    /// Whether the release was activated there, or may have been.
    pub changed: bool,
    /// Whether it serves: its balancers find it up, or it has none and was not taken out.
    pub serving: bool,
    /// What is wrong with it.
    pub why: Option<String>,
}

/// What an analysis said last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnalysisAnswer {
    /// `pass`, `fail`, `inconclusive` or `none`; null while it goes on.
    pub verdict: Option<String>,
    /// `pending`, `warmup`, `observing` or `hold`.
    pub status: String,
    /// In one sentence.
    pub sentence: String,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Hosts that are unlike the others on their release.
    #[schema(value_type = Vec<Object>)]
    pub suspects: Vec<Suspect>,
    /// How each metric stands.
    #[schema(value_type = Vec<Object>)]
    pub metrics: Vec<MetricStanding>,
}

/// One thing that happened to a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentEvent {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Who recorded it.
    pub by: String,
    /// What happened: one sentence.
    pub what: String,
}

/// One thing that happened to a deployment, with the fact as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DeploymentEntry {
    /// Its place among them, from 1.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: DeploymentEvent,
    /// The fact.
    #[schema(value_type = Object)]
    pub fact: Fact,
}

impl From<&Summary> for DeploymentRow {
    fn from(summary: &Summary) -> Self {
        Self {
            deployment: summary.id.0,
            service: summary.scope.service.to_string(),
            environment: summary.scope.environment.to_string(),
            kind: summary.kind,
            release: summary.release.to_string(),
            from: summary.from.as_ref().map(ToString::to_string),
            revision: summary.revision.clone(),
            by: summary.by.clone(),
            why: summary.why.clone(),
            state: summary.state.clone(),
            reason: summary.reason.clone(),
            accepted: summary.accepted.iso(),
            started: summary.started.map(Time::iso),
            ended: summary.ended.map(Time::iso),
            seconds: seconds(summary),
            hosts: summary.hosts,
        }
    }
}

impl DeploymentAnswer {
    /// A deployment as it stands at `now`.
    pub fn of(deployment: &Deployment, now: Time) -> Self {
        let hosts = deployment.hosts.iter().map(|(name, run)| HostRunRow {
            host: name.to_string(),
            state: run.state.name().to_owned(),
            since: run.since.iso(),
            wave: deployment.wave_of(name).map(|wave| wave + 1),
            changed: run.touched,
            serving: run.serving,
            why: run.trouble().map(str::to_owned),
        });
        Self {
            row: DeploymentRow::from(&deployment.summary()),
            passes: deployment.request.passes.clone(),
            host_runs: hosts.collect(),
            analysis: deployment.analysis().map(AnalysisAnswer::from),
            waiting_for: deployment.waiting(now),
            ending: deployment.ending().map(|ending| ending.headline),
        }
    }
}

impl From<&Standing> for AnalysisAnswer {
    fn from(standing: &Standing) -> Self {
        Self {
            verdict: standing.verdict.map(|verdict| Verdict::name(verdict).to_owned()),
            status: standing.status.name().to_owned(),
            sentence: standing.sentence.clone(),
            at: standing.at.iso(),
            suspects: standing.suspects.clone(),
            metrics: standing.metrics.clone(),
        }
    }
}

impl From<&Entry> for DeploymentEvent {
    fn from(entry: &Entry) -> Self {
        Self { at: entry.at.iso(), by: entry.by.clone(), what: story::tell(&entry.fact) }
    }
}

impl DeploymentEntry {
    /// The entry at that place.
    pub fn of(seq: u64, entry: &Entry) -> Self {
        Self { seq, event: DeploymentEvent::from(entry), fact: entry.fact.clone() }
    }
}

/// From the first change, or else from the acceptance, to the end; with one decimal.
fn seconds(summary: &Summary) -> Option<f64> {
    let span = summary.ended?.since(summary.started.unwrap_or(summary.accepted));
    Some((span.as_secs_f64() * 10.0).round() / 10.0)
}
