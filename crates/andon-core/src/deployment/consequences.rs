//! What the end of a deployment means: for its scope judgements, the lock, and what should run from now on; for the
//! line that it stands, or runs again.

use super::{Deployment, DeploymentId, HostRun, HostState, Kind, State};
use crate::cord::{Cord, CordFact, Puller};
use crate::deployment::sentence::list_hosts;
use crate::name::HostName;
use crate::release::{Release, ReleaseStatus};
use crate::scope::{Lock, Scope, ScopeFact};

impl Deployment {
    /// The facts that this deployment's end adds to its scope; none while it has not ended.
    pub fn consequences(&self, scope: &Scope) -> Vec<ScopeFact> {
        let deployment = self.id;
        let mark = |release: &Release, status, because: String| ScopeFact::Marked {
            release: release.clone(),
            status,
            deployment,
            because,
        };
        let wanted = &self.request.release;
        let mut facts = self.left_out(scope);
        match &self.state {
            State::Succeeded => {
                facts.extend(self.leaves_behind(scope));
                let live = self.plan.as_ref().and_then(|plan| plan.switch.as_ref());
                facts.extend(live.map(|switch| ScopeFact::Live { set: switch.to }));
                facts.push(mark(wanted, ReleaseStatus::Good, format!("it served after {deployment}")));
                facts.push(ScopeFact::Current { release: wanted.id.clone() });
                facts.push(ScopeFact::LockReleased { deployment });
            }
            State::RolledBack { cause } => {
                if cause.blames_the_release() {
                    facts.push(mark(wanted, ReleaseStatus::Bad, cause.to_string()));
                }
                facts.push(scope.lock_after(deployment));
            }
            State::RollbackFailed { cause, hosts } => {
                if cause.blames_the_release() {
                    facts.push(mark(wanted, ReleaseStatus::Bad, cause.to_string()));
                }
                let reason = format!("{} could not be put back", list_hosts(hosts));
                facts.push(ScopeFact::LockHeld { deployment, reason });
            }
            State::Failed { cause } if self.request.kind == Kind::Rollback => {
                facts.extend(self.leaves_behind(scope));
                facts.push(ScopeFact::Current { release: wanted.id.clone() });
                facts.push(ScopeFact::LockHeld { deployment, reason: cause.to_string() });
            }
            State::Failed { .. } | State::Aborted { .. } => facts.push(scope.lock_after(deployment)),
            // It may have had its turn already, and been stopped before its first step.
            State::Cancelled { .. } => facts.push(match &scope.lock {
                Lock::Owned { deployment: owner, .. } if *owner == deployment => scope.lock_after(deployment),
                _ => ScopeFact::Unqueued { deployment },
            }),
            State::Pending { .. }
            | State::Running { .. }
            | State::Paused { .. }
            | State::Baking { .. }
            | State::Aborting { .. }
            | State::RollingBack { .. } => {}
        }
        facts
    }

    /// The facts that this deployment's end adds to the line; none while it has not ended, and mostly none at all.
    pub fn cord_facts(&self, cord: &Cord) -> Vec<CordFact> {
        let fixes = self.request.fixes;
        let by = Puller::Deployment { deployment: self.id, scope: self.request.scope.clone(), fixes };
        if let Some(reason) = self.stops_the_line() {
            return vec![CordFact::Stopped { by, reason }];
        }
        let Some(fixed) = fixes.filter(|_| self.state == State::Succeeded) else { return Vec::new() };
        let deployments = cord.mended_by_fixing(fixed);
        if deployments.is_empty() {
            return Vec::new();
        }
        let why = format!("{} fixed what {} had stopped it for", self.id, list(&deployments));
        vec![CordFact::Mended { by, deployments, why }]
    }

    /// Why the line stands after this deployment, in one sentence: its release failed, or its hosts could not be put
    /// back. `None` where it ended well, by a person's wish, or not yet.
    pub fn stops_the_line(&self) -> Option<String> {
        match &self.state {
            State::RollbackFailed { cause, hosts } => {
                Some(format!("{} could not be put back: {cause}", list_hosts(hosts)))
            }
            State::Failed { cause } if self.request.kind == Kind::Rollback => {
                Some(format!("the rollback failed: {cause}"))
            }
            State::RolledBack { cause } if cause.blames_the_release() => Some(cause.to_string()),
            // What failed before any host was changed says little about the release, and has hurt nobody.
            State::Failed { cause } if cause.blames_the_release() && self.touched().next().is_some() => {
                Some(cause.to_string())
            }
            _ => None,
        }
    }

    /// Invariant I3: what was taken out of its balancers is put back, or held out with a reason.
    fn left_out(&self, scope: &Scope) -> Vec<ScopeFact> {
        let switches = self.plan.as_ref().is_some_and(|plan| plan.switch.is_some());
        if switches || !self.state.is_terminal() {
            return Vec::new();
        }
        let fact = |(host, run): (&HostName, &HostRun)| {
            let host = host.clone();
            if run.drained {
                let why = run.trouble().map(str::to_owned);
                let reason =
                    why.unwrap_or_else(|| format!("it was {} when {} ended", run.state.name(), self.id));
                return Some(ScopeFact::HeldOut { host, deployment: self.id, reason });
            }
            (run.serving && scope.held.contains_key(&host)).then_some(ScopeFact::Returned { host })
        };
        let stuck = self.stuck_hosts().into_iter().map(|(host, why)| ScopeFact::HeldOut {
            host: host.clone(),
            deployment: self.id,
            reason: format!("its site could not be brought back: {why}"),
        });
        self.hosts.iter().filter_map(fact).chain(stuck).collect()
    }

    /// A person who rolls back says that what ran is bad.
    fn leaves_behind(&self, scope: &Scope) -> Option<ScopeFact> {
        let left = scope.releases.get(scope.current.as_ref()?)?;
        let other = left.release.id != self.request.release.id;
        (self.request.kind == Kind::Rollback && other).then(|| ScopeFact::Marked {
            release: left.release.clone(),
            status: ReleaseStatus::Bad,
            deployment: self.id,
            because: match &self.request.why {
                Some(why) => format!("{} rolled it back: {why}", self.request.by),
                None => format!("{} rolled it back", self.request.by),
            },
        })
    }

    /// Whether every host of the plan runs one release now, as far as is known.
    pub fn uniform(&self) -> bool {
        let changed = |state: &HostState| *state == HostState::Succeeded;
        let states = || self.hosts.values().map(|run| &run.state);
        states().all(|state| changed(state) || matches!(state, HostState::Skipped | HostState::Idle))
            || !states().any(changed)
    }
}

/// `#8`, `#8 and #9`, `#8, #9 and #10`.
fn list(ids: &[DeploymentId]) -> String {
    let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
