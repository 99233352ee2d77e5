//! The orders that are open, read off the state: what a driver carries out, and when it looks again.

use std::time::Duration;

use super::{Deployment, Doing, HostState, Phase, State, Way};
use crate::host::{Stage, Step, TestMode, Token};
use crate::name::HostName;
use crate::plan::{OnFailure, Plan};
use crate::time::Time;

/// Something that a host is to do, or to be asked.
#[derive(Debug, Clone, PartialEq)]
pub enum OpenOrder {
    /// Carry this step out, or attach to it.
    Step {
        /// Its name.
        token: Token,
        /// What to do.
        step: Box<Step>,
        /// The longest time that it may take on the host.
        timeout: Duration,
    },
    /// Contact was lost: ask what became of this step.
    Ask {
        /// Its name.
        token: Token,
    },
}

impl OpenOrder {
    /// The step that it is about.
    pub fn token(&self) -> &Token {
        match self {
            OpenOrder::Step { token, .. } | OpenOrder::Ask { token } => token,
        }
    }
}

impl Deployment {
    /// One open order for each host that is at work or lost, unless its balancers are at work on it.
    pub fn orders(&self) -> Vec<(HostName, OpenOrder)> {
        let Some(plan) = self.plan.as_deref().filter(|_| !self.state.is_terminal()) else {
            return Vec::new();
        };
        self.hosts
            .iter()
            .filter_map(|(host, run)| {
                let order = match &run.state {
                    // Balancers are told, not the host.
                    HostState::Doing(doing) if matches!(doing.stage, Stage::Drain | Stage::Enable) => {
                        return None;
                    }
                    HostState::Doing(doing) => self.step_order(plan, doing)?,
                    HostState::Unknown { doing, .. } => OpenOrder::Ask { token: doing.token.clone() },
                    _ => return None,
                };
                Some((host.clone(), order))
            })
            .collect()
    }

    fn step_order(&self, plan: &Plan, doing: &Doing) -> Option<OpenOrder> {
        let rollout = &plan.service.rollout;
        let release = match doing.way {
            Way::Forward => &plan.release,
            Way::Back => plan.back_to.as_ref()?,
        };
        let id = release.id.clone();
        let mut timeout = rollout.step_timeout;
        let step = match doing.stage {
            Stage::Prepare => Step::Prepare { release: release.clone(), keep: plan.keep.clone() },
            Stage::Drain | Stage::Enable => return None,
            Stage::Activate => Step::Activate { release: id },
            Stage::Verify => {
                timeout += rollout.healthy_deadline;
                let decides = doing.way == Way::Forward && plan.on_failure != OnFailure::GoOn;
                let tests = if decides { TestMode::Decide } else { TestMode::Inform };
                Step::Verify { release: id, healthy_deadline: rollout.healthy_deadline, tests }
            }
            Stage::Observe => {
                let baking = self.observes_for_the_bake();
                let period = if baking { plan.bake } else { rollout.min_healthy_time };
                timeout += period;
                Step::Observe { release: id, period }
            }
        };
        Some(OpenOrder::Step { token: doing.token.clone(), step: Box::new(step), timeout })
    }

    fn observes_for_the_bake(&self) -> bool {
        matches!(self.state, State::Baking { .. } | State::Paused { at: Phase::Bake { .. }, .. })
    }

    /// When, after `now` and by the same clock, to decide again although nothing was heard. `None`: only news can change
    /// anything.
    pub fn next_deadline(&self, now: Time) -> Option<Time> {
        let plan = self.plan.as_ref()?;
        let rollout = &plan.service.rollout;
        let lost = self.hosts.values().filter_map(|run| match &run.state {
            HostState::Unknown { since, .. } => Some(*since + rollout.reconnect_window),
            _ => None,
        });
        let own = match &self.state {
            State::Running { phase: Phase::Wave(_) } if plan.on_failure != OnFailure::GoOn => {
                Some(self.progress + rollout.progress_deadline)
            }
            State::Running { phase: at @ Phase::Judge { .. } } => Some(self.held_back_until(plan, at)),
            State::Running { phase: Phase::Switch { since, .. } } => {
                plan.switch.as_ref().map(|switch| *since + switch.step_time)
            }
            State::Aborting { .. } | State::RollingBack { .. } if plan.switch.is_some() => {
                Some(self.progress + rollout.healthy_deadline)
            }
            State::Baking { since } => Some(*since + plan.bake),
            _ => None,
        };
        let ill = self.hosts.values().filter_map(|run| Some(run.ill_since? + rollout.healthy_deadline));
        let clamped = self.clamp(now);
        let next = lost.chain(own).chain(ill).filter(|deadline| *deadline > clamped).min();
        next.map(|deadline| now + deadline.since(clamped))
    }
}
