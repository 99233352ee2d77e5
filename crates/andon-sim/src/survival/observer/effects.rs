//! What hosts and balancers truly do: each effect is held against what was recorded, and against other effects.

use andon_api::agent::Order;
use andon_core::deployment::{DrainProof, HostRun};
use andon_core::host::Authority;
use andon_core::name::HostName;
use andon_core::release::ReleaseId;

use super::{Known, Observer, UNKNOWABLE};
use crate::survival::clock;
use crate::survival::disk::{Content, Name};
use crate::survival::host::Instance;
use crate::survival::invariant::Invariant;

impl Known {
    fn run(&self, deployment: u64, host: &str) -> Option<&HostRun> {
        self.deployments.get(&deployment)?.hosts.get(&HostName::new(host).ok()?)
    }

    fn floor(&self, deployment: u64) -> usize {
        let plan = self.deployments.get(&deployment).and_then(|deployment| deployment.plan.as_ref());
        plan.map_or(0, |plan| plan.floor as usize)
    }

    /// Whether something befell a host of which nobody need know yet.
    fn is_unknowable(&self, host: &str) -> bool {
        self.troubled.get(host).is_some_and(|at| clock::elapsed() - *at < UNKNOWABLE)
    }
}

impl Observer {
    /// A host accepts a step.
    pub fn accepted(&self, host: &str, order: &Order) {
        let token = &order.token;
        // What is only tested changes nothing, so no intent is recorded.
        let trial = token.as_str().starts_with("d0.");
        let (recorded, again, highest) = {
            let mut known = self.known();
            let again = !known.accepted.insert((host.to_owned(), token.clone()));
            let highest = known.highest.get(host).copied().unwrap_or_default();
            known.highest.insert(host.to_owned(), highest.max(order.authority.fence));
            (known.intents.contains(token), again, highest)
        };
        if !recorded && !trial {
            self.violated(Invariant::IntentFirst, format!("{host} begins {token}, which nobody recorded"));
        }
        if again {
            self.violated(Invariant::Once, format!("{host} begins {token} for the second time"));
        }
        if order.authority.fence < highest {
            let fence = order.authority.fence;
            let what = format!("{host} begins {token} under fence {fence} and has seen {highest}");
            self.violated(Invariant::HighestFence, what);
        }
        if let Some(other) = self.host(host).and_then(|there| there.also_at_work(token)) {
            let what = format!("{host} begins {token} while {other} is at work");
            self.violated(Invariant::OneStepAtATime, what);
        }
    }

    /// A host stops what runs, to start a release.
    pub fn restarts(&self, host: &str, order: &Order, release: &ReleaseId) {
        let id = order.authority.deployment;
        let Some(there) = self.host(host) else { return };
        let boot = there.boot();
        let (proof, done) = {
            let known = self.known();
            let proof: Option<DrainProof> = known.run(id, host).and_then(|run| run.drain.clone());
            (proof, known.activated.get(&(id, host.to_owned(), release.clone())).copied())
        };
        if done == Some(boot) {
            let what = format!("#{id} activates {release} on {host} once more, and nothing has undone it");
            self.violated(Invariant::Once, what);
        }
        if !self.story.balanced {
            self.leaves_service(host, id);
            return;
        }
        let unproven = proof.as_ref().is_some_and(|proof| proof.unproven.is_some());
        let cut = proof.as_ref().is_some_and(|proof| proof.cut > 0);
        let Some(balancer) = self.balancer.get() else { return };
        if proof.is_none() {
            let what = format!("#{id} changes {host}, and no drain was recorded");
            self.violated(Invariant::DrainBeforeChange, what);
        } else if balancer.in_traffic().iter().any(|name| name == host) && !unproven {
            let what = format!("#{id} changes {host} while lb1 sends users to it");
            self.violated(Invariant::DrainBeforeChange, what);
        } else if balancer.has_users(host) && !cut && !unproven {
            let what = format!("#{id} changes {host} while users are at work on it, and records none");
            self.violated(Invariant::DrainBeforeChange, what);
        }
    }

    /// A host has written that an activation is complete.
    pub fn activated(&self, host: &str, order: &Order, release: &ReleaseId) {
        let boot = self.host(host).map_or(0, |there| there.boot());
        let key = (order.authority.deployment, host.to_owned(), release.clone());
        let mut known = self.known();
        // Whatever was activated before is undone by this.
        known.activated.retain(|(_, which, _), _| which != host);
        known.activated.insert(key, boot);
    }

    /// A balancer is about to take its users from a host.
    pub fn leaves(&self, host: &str, authority: &Authority, in_traffic: &[String]) {
        let id = authority.deployment;
        let (owned, ill, blind) = {
            let known = self.known();
            let drained = known.run(id, host).is_some_and(|run| run.drained);
            let held = HostName::new(host).is_ok_and(|host| known.scope.held.contains_key(&host));
            // Whoever has just taken charge cannot know yet who fell ill while nobody was.
            (drained || held, known.ill.clone(), known.looks < 2)
        };
        if !owned {
            let what = format!("lb1 takes users from {host} for #{id}, which has not recorded that");
            self.violated(Invariant::IntentFirst, what);
        }
        let serves =
            |name: &&String| name.as_str() != host && !ill.0.contains(*name) && !ill.1.contains(*name);
        let left = in_traffic.iter().filter(serves).count();
        let unseen = {
            let known = self.known();
            in_traffic.iter().filter(|name| name.as_str() != host && known.is_unknowable(name)).count()
        };
        let floor = self.known().floor(id);
        let well = self.balancer.get().is_some_and(|balancer| balancer.is_healthy(host));
        let was_ill =
            !well || ill.0.contains(host) || ill.1.contains(host) || self.known().is_unknowable(host);
        if !was_ill && !blind && left.max(unseen) < floor && left + unseen < floor {
            let what =
                format!("lb1 takes users from {host} for #{id}: {left} are left, and the floor is {floor}");
            self.violated(Invariant::Floor, what);
        }
    }

    /// A host without balancers is about to be changed. One that nobody can use may leave at any time.
    fn leaves_service(&self, host: &str, id: u64) {
        let healthy = |name: &str| {
            self.host(name)
                .is_some_and(|there| there.see(|_, instance| instance.is_some_and(Instance::is_healthy)))
        };
        if !healthy(host) {
            return;
        }
        let (floor, exempt, unknowable) = {
            let known = self.known();
            let unknowable: Vec<String> =
                known.troubled.keys().filter(|name| known.is_unknowable(name)).cloned().collect();
            (known.floor(id), known.is_unknowable(host), unknowable)
        };
        let others = self.hosts.get().into_iter().flat_map(|hosts| hosts.keys()).filter(|name| *name != host);
        // Nobody is asked about a host after it has succeeded, where there is no balancer.
        let looping = |name: &str| {
            self.host(name)
                .is_some_and(|there| there.see(|_, instance| instance.is_some_and(Instance::is_looping)))
        };
        let left = others.filter(|name| healthy(name) || looping(name) || unknowable.contains(name)).count();
        if left < floor && !exempt {
            let what = format!("#{id} changes {host}: {left} are left, and the floor is {floor}");
            self.violated(Invariant::Floor, what);
        }
    }

    /// Something has changed on a host, or in how users are sent to it.
    pub fn look(&self, host: &str) {
        let Some(there) = self.host(host) else { return };
        let in_traffic = match self.balancer.get() {
            Some(balancer) if self.story.balanced => balancer.in_traffic().iter().any(|name| name == host),
            _ => true,
        };
        if !in_traffic {
            return;
        }
        let balanced = self.story.balanced;
        let wrong = there.see(|disk, instance| {
            let release = &instance?.release;
            let files = disk.get(&Name::Release(release.clone()));
            if files != Some(&Content::Files { whole: true }) {
                return Some(format!("{release}, whose files are {files:?}"));
            }
            let begun = match disk.get(&Name::Marker) {
                Some(Content::Marker(marker)) => !marker.complete,
                _ => false,
            };
            (balanced && begun).then(|| format!("{release}, in the middle of an activation"))
        });
        if let Some(wrong) = wrong {
            self.violated(Invariant::WholeReleases, format!("users are sent to {host}, which runs {wrong}"));
        }
    }
}
