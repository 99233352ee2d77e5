//! What is recorded: every fact is folded, told, and held against what was recorded before.

use andon_core::cord::{CordFact, STREAM};
use andon_core::deployment::{Deployment, DeploymentId, Fact, HostState, Kind, State};
use andon_core::name::HostName;
use andon_core::release::ReleaseStatus;
use andon_core::scope::{Lock, ScopeFact};
use andon_core::time::Time;
use andon_store::Batch;

use super::Observer;
use crate::survival::invariant::Invariant;

impl Observer {
    /// Something was recorded.
    pub fn appended(&self, batch: &Batch) {
        let (scope_before, cord_before) = (self.scope(), self.cord());
        let mut scope_moved = false;
        for append in &batch.appends {
            if let Some(id) = append.stream.strip_prefix("deployment/").and_then(|id| id.parse().ok()) {
                for fact in &append.facts {
                    if let Ok(fact) = serde_json::from_value::<Fact>(fact.clone()) {
                        if let Fact::Planned { .. } = fact {
                            self.may_begin(id, &scope_before, &cord_before);
                        }
                        self.learn(id, batch.at, &fact);
                    }
                }
            } else if append.stream.starts_with("scope/") {
                scope_moved |= !append.facts.is_empty();
                for fact in &append.facts {
                    if let Ok(fact) = serde_json::from_value::<ScopeFact>(fact.clone()) {
                        self.log.say(format!("scope: {}", short(&fact)));
                        self.known().scope.apply(batch.at, &fact);
                    }
                }
            } else if append.stream == STREAM {
                for fact in &append.facts {
                    if let Ok(fact) = serde_json::from_value::<CordFact>(fact.clone()) {
                        self.log.say(format!("line: {}", short(&fact)));
                        self.known().cord.apply(batch.at, &fact);
                    }
                }
            }
        }
        if scope_moved {
            self.every_drain_has_an_owner();
        }
    }

    /// What a deployment may begin on: a release that is not bad, and a line that lets it pass.
    fn may_begin(&self, id: u64, scope: &andon_core::scope::Scope, cord: &andon_core::cord::Cord) {
        let Some(deployment) = self.known().deployments.get(&id).cloned() else { return };
        let request = &deployment.request;
        let bad =
            scope.releases.get(&request.release.id).is_some_and(|known| known.status == ReleaseStatus::Bad);
        if bad && request.allow_bad.is_none() && request.kind == Kind::Deploy {
            self.violated(Invariant::BadStaysAway, format!("#{id} deploys {}", request.release.id));
        }
        if cord.admits(request.kind, request.fixes).is_err() {
            self.violated(Invariant::LineHolds, format!("#{id} begins on a stopped line"));
        }
    }

    fn learn(&self, id: u64, at: Time, fact: &Fact) {
        self.log.say(told(id, fact));
        let Some(mut deployment) = self.known().deployments.remove(&id) else {
            if let Fact::Accepted { request } = fact {
                let accepted = Deployment::new(DeploymentId(id), request.clone(), at);
                self.known().deployments.insert(id, accepted);
            }
            return;
        };
        if deployment.state.is_terminal() && matches!(fact, Fact::Entered { .. } | Fact::Host { .. }) {
            let what = format!("#{id} was {} and goes on", deployment.state.name());
            self.violated(Invariant::EndIsFinal, what);
        }
        if let Fact::Host { host, state } = fact {
            if let HostState::Doing(doing) = state {
                self.known().intents.insert(doing.token.clone());
            }
            self.is_placed_truly(&deployment, host, state);
        }
        deployment.apply(at, fact);
        if let Fact::InCharge { .. } = fact {
            self.known().looks = 0;
        }
        if let Fact::Entered { state: State::Succeeded } = fact {
            self.has_succeeded_truly(&deployment);
        }
        self.known().deployments.insert(id, deployment);
    }

    /// I3, where nobody works on the scope any more.
    fn every_drain_has_an_owner(&self) {
        let scope = self.scope();
        if matches!(scope.lock, Lock::Owned { .. }) || !self.story.balanced {
            return;
        }
        let Some(balancer) = self.balancer.get() else { return };
        for name in balancer.out_of_traffic() {
            let held = HostName::new(name.clone()).is_ok_and(|host| scope.held.contains_key(&host));
            if !held {
                let what = format!("{name} is out of lb1, and nobody owns or holds it");
                self.violated(Invariant::DrainsAreOwned, what);
            }
        }
    }
}

/// A fact in one line.
fn told(id: u64, fact: &Fact) -> String {
    match fact {
        Fact::Accepted { request } => {
            format!("#{id} accepted: {:?} {} by {}", request.kind, request.release.id, request.by.name)
        }
        Fact::Planned { plan } => {
            let waves: Vec<usize> = plan.waves.iter().map(Vec::len).collect();
            format!("#{id} planned: waves {waves:?}, at once {}, floor {}", plan.max_parallel, plan.floor)
        }
        Fact::InCharge { fence, by } => format!("#{id} is driven by {} under fence {fence}", by.name),
        Fact::Entered { state } => format!("#{id} is {}: {}", state.name(), short(state)),
        Fact::Host { host, state } => match state {
            HostState::Doing(doing) => format!("#{id} {host} {} ({})", state.name(), doing.token),
            _ => format!("#{id} {host} {}", short(state)),
        },
        other => format!("#{id} {}", short(other)),
    }
}

/// What something is, in a line of bounded length.
fn short(what: &impl std::fmt::Debug) -> String {
    let mut text = format!("{what:?}");
    if let Some((cut, _)) = text.char_indices().nth(220) {
        text.truncate(cut);
    }
    text
}
