//! Whether what is recorded of hosts is true on their disks.

use andon_core::deployment::{Deployment, Doing, HostState, Way};
use andon_core::host::Stage;
use andon_core::name::HostName;
use andon_core::release::ReleaseId;

use super::Observer;
use crate::survival::disk::{Content, Name};
use crate::survival::invariant::Invariant;

impl Observer {
    /// A host enters a state of a deployment that was as in `before`.
    pub(super) fn is_placed_truly(&self, before: &Deployment, host: &HostName, state: &HostState) {
        let Some(run) = before.hosts.get(host) else { return };
        let was = match &run.state {
            HostState::Doing(doing) | HostState::Unknown { doing, .. } => Some(doing),
            _ => None,
        };
        let target = |way: Way| match way {
            Way::Forward => Some(before.request.release.id.clone()),
            Way::Back => before.plan.as_ref()?.back_to.as_ref().map(|release| release.id.clone()),
        };
        let came_from = |stage: Stage| was.filter(|doing| doing.stage == stage);
        match state {
            HostState::Prepared if came_from(Stage::Prepare).is_some() => {
                self.is_complete_on(before.id.0, host, &before.request.release.id);
            }
            HostState::Doing(Doing { stage: Stage::Verify, way, .. })
                if came_from(Stage::Activate).is_some() =>
            {
                self.is_activated_on(before.id.0, host, target(*way));
            }
            HostState::Doing(Doing { stage: Stage::Observe, way, .. }) if was.is_some() => {
                self.is_activated_on(before.id.0, host, target(*way));
            }
            HostState::Ready | HostState::Succeeded => {
                self.is_activated_on(before.id.0, host, target(Way::Forward));
            }
            HostState::Reverted => self.is_activated_on(before.id.0, host, target(Way::Back)),
            _ => {}
        }
    }

    fn is_complete_on(&self, id: u64, host: &HostName, release: &ReleaseId) {
        let Some(there) = self.host(host.as_str()) else { return };
        let complete = there.see(|disk, _| {
            let whole =
                disk.durable(&Name::Release(release.clone())) == Some(&Content::Files { whole: true });
            whole && disk.durable(&Name::Recorded(release.clone())).is_some()
        });
        if !complete {
            let what = format!("#{id} says that {host} is prepared, and {release} is not whole on its disk");
            self.violated(Invariant::TruthfulPlace, what);
        }
    }

    fn is_activated_on(&self, id: u64, host: &HostName, target: Option<ReleaseId>) {
        let (Some(there), Some(target)) = (self.host(host.as_str()), target) else { return };
        let (current, marker) = there.see(|disk, _| {
            let current = match disk.durable(&Name::Current) {
                Some(Content::Link(release)) => Some(release.clone()),
                _ => None,
            };
            let marker = match disk.durable(&Name::Marker) {
                Some(Content::Marker(marker)) => Some(marker.clone()),
                _ => None,
            };
            (current, marker)
        });
        let marked = marker.as_ref().is_some_and(|marker| marker.complete && marker.release == target);
        if current.as_ref() != Some(&target) || !marked {
            let what = format!(
                "#{id} says that {host} was activated on {target}; `current` is {current:?}, its marker {marker:?}"
            );
            self.violated(Invariant::TruthfulPlace, what);
        }
    }

    /// I7: what succeeded did so on hosts, and on none that is not known.
    pub(super) fn has_succeeded_truly(&self, after: &Deployment) {
        let id = after.id.0;
        for (host, run) in &after.hosts {
            match &run.state {
                HostState::Succeeded => {
                    self.is_activated_on(id, host, Some(after.request.release.id.clone()))
                }
                HostState::Doing(_) | HostState::Unknown { .. } => {
                    let what = format!("#{id} succeeded while {host} was {}", run.state.name());
                    self.violated(Invariant::NothingFromSilence, what);
                }
                _ => {}
            }
        }
        let good = |state: &HostState| matches!(state, HostState::Succeeded | HostState::Skipped);
        if !after.hosts.values().any(|run| good(&run.state)) {
            self.violated(Invariant::NothingFromSilence, format!("#{id} succeeded on no host"));
        }
    }
}
