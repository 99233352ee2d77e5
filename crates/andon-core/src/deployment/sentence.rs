//! A deployment in words. The same sentences on terminal, page, mail and chat.

use std::time::Duration;

use super::{
    CancelReason, Cause, Deployment, Doing, HostState, PauseReason, PendingReason, Phase, State, Way,
};
use crate::analysis::Arm;
use crate::host::Stage;
use crate::name::HostName;
use crate::quantity::format_duration;
use crate::time::Time;

pub use crate::phrase::{hosts, list_hosts};

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::Canary { host, stage, reason } => {
                write!(f, "{host}, in the first wave, failed to {stage}: {reason}")
            }
            Cause::Correlated { stage, hosts, reason } => {
                write!(f, "{} failed alike to {stage}: {reason}", list_hosts(hosts))
            }
            Cause::Budget { failed, max, reason } => {
                write!(f, "{} failed and {max} may; the last one said: {reason}", hosts(*failed))
            }
            Cause::NoProgress { after } => write!(f, "no host succeeded for {}", format_duration(*after)),
            Cause::Incomplete { hosts } => write!(f, "{} could not be changed", list_hosts(hosts)),
            Cause::Analysis { sentence, .. } => f.write_str(sentence),
            Cause::Undecided { sentence } => write!(f, "nothing was proven: {sentence}"),
            Cause::Asked { by: Some(by) } => write!(f, "{by} asked for it"),
            Cause::Asked { by: None } => f.write_str("it was asked for"),
        }
    }
}

impl std::fmt::Display for PauseReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PauseReason::Manual => f.write_str("a person paused it"),
            PauseReason::Unreachable { count, max } => {
                write!(f, "{} cannot be reached, {max} may be missing", hosts(*count))
            }
            PauseReason::Floor { available, floor } => {
                write!(f, "{} serve and {floor} must: no further host may be taken out", hosts(*available))
            }
            PauseReason::Balancer { pool, why, .. } => write!(f, "{pool}: {why}"),
            PauseReason::Site { site, why } => write!(f, "{site}: {why}"),
            PauseReason::ControllerRestart { hosts, out } => {
                let out = format_duration(Duration::from_secs(out.as_secs()));
                write!(f, "its controller was away, with {} out of traffic for {out}", list_hosts(hosts))
            }
            PauseReason::NothingLearned => {
                f.write_str("no host of the first wave could be reached: nothing is known about the release")
            }
            PauseReason::Undecided { sentence } => f.write_str(sentence),
        }
    }
}

impl std::fmt::Display for CancelReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CancelReason::Superseded { by } => write!(f, "{by} is newer and took its place in the queue"),
            CancelReason::Asked => f.write_str("a person cancelled it"),
            CancelReason::Refused { why } => f.write_str(why),
        }
    }
}

impl PauseReason {
    /// A difference or the output of a command, where there is more to see than a sentence.
    pub fn details(&self) -> Option<&str> {
        match self {
            PauseReason::Balancer { details, .. } if !details.is_empty() => Some(details),
            _ => None,
        }
    }
}

/// What a host does now, as a participle.
pub fn doing(doing: &Doing) -> &'static str {
    match (doing.way, doing.stage) {
        (Way::Forward, Stage::Prepare) => "preparing",
        (Way::Forward, Stage::Drain) => "draining",
        (Way::Forward, Stage::Activate) => "activating",
        (Way::Forward, Stage::Verify) => "verifying",
        (Way::Forward, Stage::Enable) => "putting back into traffic",
        (Way::Forward, Stage::Observe) => "observing",
        (Way::Back, Stage::Prepare) => "fetching the old release",
        (Way::Back, Stage::Drain) => "draining once more",
        (Way::Back, Stage::Activate) => "switching back",
        (Way::Back, Stage::Verify | Stage::Observe) => "verifying the old release",
        (Way::Back, Stage::Enable) => "putting the old release into traffic",
    }
}

impl Deployment {
    /// Why it is in its state, where there is something to say.
    pub fn reason(&self) -> Option<String> {
        match &self.state {
            State::Paused { reason, .. } => Some(reason.to_string()),
            State::Cancelled { reason } => Some(reason.to_string()),
            State::Aborted { superseded_by: Some(by) } => {
                Some(format!("{by} is newer and goes on from here"))
            }
            state => state.cause().map(Cause::to_string),
        }
    }

    /// What it waits for, since when, and what happens then: one sentence. `None` when it has ended.
    pub fn waiting(&self, now: Time) -> Option<String> {
        let now = self.clamp(now);
        let plan = self.plan.as_ref();
        let on_hosts = || {
            let busiest = self
                .hosts
                .iter()
                .filter(|(_, run)| matches!(run.state, HostState::Doing(_) | HostState::Unknown { .. }))
                .min_by_key(|(_, run)| run.since);
            busiest.map(|(host, run)| self.waiting_for_host(now, host, &run.state, run.since))
        };
        match &self.state {
            State::Pending { reason: PendingReason::Lock } => {
                Some("waiting for the lock of its scope".to_owned())
            }
            State::Pending { reason: PendingReason::Start } => Some("about to start".to_owned()),
            State::Paused { reason, .. } => {
                let rest = if self.busy() { "; hosts in their cycle finish it" } else { "" };
                let (id, n) = (self.id.0, rest);
                Some(format!("paused: {reason}{n}. next: andon resume {id}, or andon abort {id} --rollback"))
            }
            State::Baking { since } => {
                let bake = plan.map(|plan| plan.bake).unwrap_or_default();
                let left = bake.saturating_sub(now.since(*since));
                let left = format_duration(Duration::from_secs(
                    left.as_secs() + u64::from(left.subsec_millis() > 0),
                ));
                Some(format!("watching all hosts for {left} more, then it is good"))
            }
            State::Running { phase: at @ Phase::Judge { since, .. } } if !self.busy() => {
                Some(self.waiting_for_verdict(now, at, *since))
            }
            State::Running { .. } | State::Aborting { .. } | State::RollingBack { .. } => {
                on_hosts().or_else(|| Some("deciding".to_owned()))
            }
            _ => None,
        }
    }

    fn waiting_for_verdict(&self, now: Time, at: &Phase, since: Time) -> String {
        let compared = self.compared(now);
        let of =
            |arm| u32::try_from(compared.values().filter(|at| at.arm == arm).count()).unwrap_or(u32::MAX);
        let (new, old) = (hosts(of(Arm::Canary)), hosts(of(Arm::Control)));
        let span = format_duration(Duration::from_secs(now.since(since).as_secs()));
        let held = self.plan.as_ref().map(|plan| self.held_back_until(plan, at)).filter(|until| *until > now);
        let held = held.map(|until| {
            let left = format_duration(Duration::from_secs(until.since(now).as_secs() + 1));
            format!("; the last hosts stay as they are for {left} more")
        });
        format!(
            "comparing {new} on the new release with {old} on the old one for {span}{}",
            held.unwrap_or_default()
        )
    }

    fn waiting_for_host(&self, now: Time, host: &HostName, state: &HostState, since: Time) -> String {
        let span = format_duration(Duration::from_secs(now.since(since).as_secs()));
        match state {
            HostState::Unknown { since, why, .. } => {
                let window =
                    self.plan.as_ref().map(|plan| plan.service.rollout.reconnect_window).unwrap_or_default();
                let left = format_duration(window.saturating_sub(now.since(*since)));
                format!("calling {host} again ({why}); will go on without it in {left}")
            }
            HostState::Doing(step) => format!("waiting for {host}: {} for {span}", doing(step)),
            other => format!("waiting for {host}: {}", other.name()),
        }
    }

    /// Which part of the run it is, for a headline: `wave 2 of 4`.
    pub fn phase_title(&self) -> String {
        let waves = self.plan.as_ref().map_or(0, |plan| plan.waves.len());
        let phase = |phase: &Phase| match phase {
            Phase::Prepare => "preparing all hosts".to_owned(),
            Phase::Wave(n) => format!("wave {} of {waves}", (n + 1).min(waves)),
            Phase::Judge { wave, .. } => format!("judging wave {} of {waves}", (wave + 1).min(waves)),
            Phase::Switch { step, .. } => {
                let switch = self.plan.as_ref().and_then(|plan| plan.switch.as_ref());
                let steps = switch.filter(|switch| !switch.from_hosts.is_empty()).map(|switch| &switch.steps);
                let share = steps.and_then(|steps| steps.get(*step)).copied().unwrap_or(100);
                format!("moving {share}% of the traffic")
            }
            Phase::Bake { .. } => "watching".to_owned(),
        };
        match &self.state {
            State::Running { phase: at } => phase(at),
            State::Paused { at, .. } => format!("paused in {}", phase(at)),
            State::Baking { .. } => "watching".to_owned(),
            State::RollingBack { .. } => "putting back".to_owned(),
            other => other.name().replace('_', " "),
        }
    }
}
