//! How a deployment ended, in words: what happened, the state of the world, what to do next.

use std::time::Duration;

use super::sentence::{doing, hosts, list_hosts};
use super::{AfterAbort, Deployment, HostState, Kind, State};
use crate::name::HostName;
use crate::quantity::format_duration;

/// The end of a deployment, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Whether it ended as it was meant to.
    pub good: bool,
    /// What happened.
    pub headline: String,
    /// The state of the world.
    pub detail: String,
    /// Commands that a person may want now.
    pub next: Vec<String>,
}

impl Deployment {
    /// How it ended; `None` while it has not.
    pub fn ending(&self) -> Option<Ending> {
        let (id, n) = (self.id, self.id.0);
        let release = &self.request.release.id;
        let took = self.ended.unwrap_or_default().since(self.started.unwrap_or(self.accepted));
        let whole_seconds = Duration::from_secs(took.as_secs());
        let after = format_duration(if whole_seconds.is_zero() { took } else { whole_seconds });
        let deploy =
            format!("andon deploy {} {}", self.request.scope.service, self.request.scope.environment);
        let show = format!("andon show {n}");
        let (good, headline, next) = match &self.state {
            State::Succeeded => {
                let verb = match self.request.kind {
                    Kind::Deploy => "succeeded",
                    Kind::Rollback => "rolled back as asked",
                };
                let without = match self.set_aside().map(|(host, _)| host).collect::<Vec<_>>() {
                    none if none.is_empty() => String::new(),
                    hosts => format!(", without {}", list_hosts(hosts)),
                };
                let headline = format!("{id} {verb} after {after}: {release} serves{without}");
                (true, headline, self.next_after_success(&show))
            }
            State::RolledBack { cause } => {
                let fix = format!("fix, then: {deploy} --fixes {n}");
                let next = [vec![show, fix], self.start_the_line()].concat();
                (false, format!("{id} was rolled back after {after}: {cause}"), next)
            }
            State::RollbackFailed { cause, hosts } => {
                let who = list_hosts(hosts);
                let mend = format!("mend {who}, then: {deploy} --fixes {n}");
                let next = [vec![show, mend], self.start_the_line()].concat();
                (false, format!("{id} could not be put back on {who} after {after}: {cause}"), next)
            }
            State::Failed { cause } => {
                let fixes = self.stops_the_line().map(|_| format!(" --fixes {n}")).unwrap_or_default();
                let fix = format!("fix, then: {deploy}{fixes}");
                let next = [vec![show, fix], self.start_the_line()].concat();
                (false, format!("{id} failed after {after}: {cause}"), next)
            }
            State::Aborted { superseded_by: Some(newer) } => (
                false,
                format!("{id} gave way to {newer} after {after}"),
                vec![format!("andon show {}", newer.0)],
            ),
            State::Aborted { superseded_by: None } => {
                let scope = &self.request.scope;
                let back = format!("andon rollback {} {}", scope.service, scope.environment);
                (false, format!("{id} was aborted after {after}"), vec![format!("go on: {deploy}"), back])
            }
            State::Cancelled { .. } => {
                let why = self.reason().unwrap_or_default();
                (false, format!("{id} was cancelled: {why}"), vec![deploy])
            }
            State::Pending { .. }
            | State::Running { .. }
            | State::Paused { .. }
            | State::Baking { .. }
            | State::Aborting {
                then: AfterAbort::Leave { .. } | AfterAbort::RollBack { .. } | AfterAbort::Fail { .. },
            }
            | State::RollingBack { .. } => return None,
        };
        Some(Ending { good, headline, detail: self.state_of_the_world(), next })
    }

    /// How a deployment stands that nobody drives from now on: hosts in the middle of something, then final numbers.
    pub fn left_like(&self) -> String {
        /// More names than that are not read.
        const SHOWN: usize = 4;
        let middle = self.hosts.iter().filter_map(|(host, run)| match &run.state {
            HostState::Doing(step) | HostState::Unknown { doing: step, .. } => {
                Some(format!("{host} {}", doing(step)))
            }
            _ => None,
        });
        let mut parts: Vec<String> = middle.take(SHOWN).collect();
        let out: Vec<&HostName> =
            self.hosts.iter().filter(|(_, run)| run.drained && !run.serving).map(|(host, _)| host).collect();
        if !out.is_empty() {
            parts.push(format!("{} out of traffic", list_hosts(out)));
        }
        let numbers = self.numbers();
        parts.extend((!numbers.is_empty()).then_some(numbers));
        if parts.is_empty() {
            "Nothing has been changed.".to_owned()
        } else {
            format!("{}.", parts.join(", "))
        }
    }

    fn next_after_success(&self, show: &str) -> Vec<String> {
        if self.set_aside().next().is_some() { vec![show.to_owned()] } else { Vec::new() }
    }

    /// How the line goes on without a fix, where this deployment has stopped it.
    fn start_the_line(&self) -> Vec<String> {
        self.stops_the_line().map(|_| "or: andon line start \"why\"".to_owned()).into_iter().collect()
    }

    /// Hosts that are at rest, in numbers: every one is in exactly one of them. Empty when there are none.
    fn numbers(&self) -> String {
        let counts = self.host_counts();
        let mut parts = Vec::new();
        let mut add = |n: u32, what: &str| {
            if n > 0 {
                parts.push(format!("{} {what}", hosts(n)));
            }
        };
        add(counts.succeeded, &format!("on {}", self.request.release.id));
        add(counts.restored, "restored");
        add(counts.skipped, "there already");
        add(counts.idle, "whole and without traffic");
        let spared =
            self.hosts.values().filter(|run| !run.touched && matches!(run.state, HostState::Failed(_)));
        let spared = super::count(spared);
        add(counts.failed - spared, "failed and out of service");
        add(spared, "failed before anything was changed there");
        add(counts.unreachable, "out of reach");
        let untouched = self.hosts.values().filter(|run| {
            matches!(run.state, HostState::Cancelled | HostState::Pending | HostState::Prepared)
                && !run.touched
        });
        add(super::count(untouched), "never touched");
        parts.join(", ")
    }

    /// The state of the world at the end, in final numbers.
    pub(crate) fn state_of_the_world(&self) -> String {
        let numbers = self.numbers();
        let mut text = if numbers.is_empty() { "Nothing has been changed".to_owned() } else { numbers };
        if let State::RolledBack { cause } | State::RollbackFailed { cause, .. } = &self.state
            && cause.blames_the_release()
        {
            text.push_str(&format!(". {} is marked bad", self.request.release.id));
        }
        text.push('.');
        if self.stops_the_line().is_some() {
            text.push_str(" The line is stopped.");
        }
        text
    }
}
