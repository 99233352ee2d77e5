//! An act after it was played: its deployment as the ledger has it, and what its customers have counted.

use std::time::Duration;

use andon_core::analysis::Verdict;
use andon_core::deployment::{Deployment, Fact};
use andon_core::time::Time;
use andon_server::Entry;
use serde::Serialize;

use super::act::{Act, Loss};
use super::users::Visits;
use crate::when;

/// What is told of it, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Played {
    pub(super) name: &'static str,
    pub(super) outcome: &'static str,
    pub(super) hosts_changed: u32,
    pub(super) hosts_restored: u32,
    pub(super) seconds: f64,
    pub(super) requests: u64,
    pub(super) failed_requests: u64,
    /// Of the requests that are not slow on purpose; `None` when none of them was answered.
    pub(super) p99_ms: Option<f64>,
    /// What the analysis said last; `None` when it was never asked.
    pub(super) verdict: Option<&'static str>,
    /// What was seen, in a sentence.
    pub(super) reason: Option<String>,
    /// From the first bad response to the verdict.
    pub(super) detect_seconds: Option<f64>,
    /// From the verdict to the last host on the old release.
    pub(super) restore_seconds: Option<f64>,
    #[serde(skip)]
    blamed: Vec<String>,
    /// Failed requests that are no error pages.
    #[serde(skip)]
    lost: u64,
}

/// The moments of a release that was found to hurt.
#[derive(Debug, Clone, Copy)]
struct Course {
    /// The end of the first response that was bad: the first error where errors are to blame, otherwise the first one of
    /// the release at all.
    began: Option<Time>,
    judged: Time,
    restored: Option<Time>,
}

impl Played {
    pub(super) fn of(act: &Act, deployment: &Deployment, entries: &[Entry], visits: &Visits) -> Self {
        let counts = deployment.host_counts();
        let began = deployment.started.unwrap_or(deployment.accepted);
        // Each stage has a verdict of its own; the last one is of the widest look.
        let judged = entries.iter().rev().find_map(|entry| match &entry.fact {
            Fact::Judged { standing } => Some(standing),
            _ => None,
        });
        let blamed: Vec<String> = judged
            .iter()
            .flat_map(|judged| &judged.metrics)
            .filter(|metric| metric.blamed)
            .map(|metric| metric.name.to_string())
            .collect();
        let errors = blamed.iter().any(|name| name == "errors");
        let course = Course::of(deployment, entries, visits, errors);
        let span = |from: Option<Time>, to: Option<Time>| Some(when::seconds(to?.since(from?)));
        let tally = &visits.tally;
        Self {
            name: act.name,
            outcome: deployment.state.name(),
            hosts_changed: counts.changed,
            hosts_restored: counts.restored,
            seconds: deployment.ended.map_or(0.0, |ended| when::seconds(ended.since(began))),
            requests: tally.requests,
            failed_requests: tally.failed,
            p99_ms: visits.p99_ms(),
            verdict: judged.and_then(|judged| judged.verdict).map(Verdict::name),
            reason: deployment.reason().or_else(|| judged.map(|judged| judged.sentence.clone())),
            detect_seconds: course.and_then(|course| span(course.began, Some(course.judged))),
            restore_seconds: course.and_then(|course| span(Some(course.judged), course.restored)),
            blamed,
            lost: tally.failed - tally.faults.get("status").copied().unwrap_or(0),
        }
    }

    /// What was announced and did not come, in a sentence.
    pub(super) fn broken(&self, act: &Act) -> Option<String> {
        let promise = &act.promise;
        let out = promise.state == "succeeded";
        let changed = match self.hosts_changed {
            n if out || promise.verdict.is_none() => n == promise.changed,
            n => (1..=promise.changed).contains(&n),
        };
        let restored = if out { 0 } else { self.hosts_changed };
        let blames = |name: &str| self.blamed.iter().any(|blamed| blamed == name);
        if self.outcome != promise.state {
            return Some(format!("it was to end as {}, and is {}", promise.state, self.outcome));
        }
        if !changed || self.hosts_restored != restored {
            let (n, back) = (self.hosts_changed, self.hosts_restored);
            let most = if out { "" } else { "at most " };
            return Some(format!(
                "{most}{} hosts were to change, and {restored} to be restored; {n} were changed and {back} restored",
                promise.changed
            ));
        }
        if self.verdict != promise.verdict {
            let word = |verdict: Option<&'static str>| verdict.unwrap_or("none at all");
            return Some(format!(
                "the verdict was to be {}, and was {}",
                word(promise.verdict),
                word(self.verdict)
            ));
        }
        if let Some(name) = promise.blamed.filter(|name| !blames(name)) {
            return Some(format!("{name} were to be blamed, not: {}", self.blamed.join(", ")));
        }
        let failed = self.failed_requests;
        match promise.loss {
            Loss::Nothing if failed > 0 => Some(format!("no request was to fail, and {failed} failed")),
            Loss::Pages(_) if self.lost > 0 => {
                Some(format!("nothing but error pages was to be lost, and {} requests were", self.lost))
            }
            Loss::Pages(most) if failed * 100 > most * self.requests => {
                Some(format!("at most {most} of 100 requests were to fail, and {failed} failed"))
            }
            Loss::Nothing | Loss::Pages(_) => None,
        }
    }
}

impl Course {
    fn of(deployment: &Deployment, entries: &[Entry], visits: &Visits, errors: bool) -> Option<Self> {
        let condemned = entries.iter().find_map(|entry| match &entry.fact {
            Fact::Judged { standing } if standing.verdict == Some(Verdict::Fail) => Some(entry.at),
            _ => None,
        });
        let heard = visits.heard(&deployment.request.release.id);
        let first =
            heard.filter_map(|heard| if errors { heard.first_failed } else { Some(heard.first) }).min();
        Some(Self {
            began: first.map(|first: Duration| visits.moment(first)),
            judged: condemned?,
            restored: deployment.ended.filter(|_| deployment.state.name() == "rolled_back"),
        })
    }
}
