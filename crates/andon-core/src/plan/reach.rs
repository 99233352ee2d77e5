//! How many hosts a plan changes at one go: before health, tests, verdicts or a person have looked at them. That is what
//! `max_changed` limits. Pure arithmetic.

use super::{Plan, Proposal, Refusal, waves};
use crate::kind::Kind;
use crate::line::{Green, Host, Service, Set};
use crate::quantity::Share;

impl Plan {
    /// The most hosts that change at one go: those of the largest wave. Where traffic moves between two sets, nobody
    /// uses the hosts that change, and the largest step of the traffic counts, as a part of the set.
    pub fn reach(&self) -> u32 {
        match &self.switch {
            Some(switch) => of_steps(&switch.steps, switch.to_hosts.len()),
            None => self.waves.iter().map(|wave| count(wave.len())).max().unwrap_or(0),
        }
    }

    /// The hosts that [`Plan::reach`] is a part of.
    pub fn reachable(&self) -> u32 {
        count(self.switch.as_ref().map_or(self.hosts.len(), |switch| switch.to_hosts.len()))
    }
}

/// Refuses a plan that changes more hosts at one go than its environment allows. The way back is never too wide: it
/// leads to what has served before, and whoever needs it cannot wait.
pub(super) fn refuse_too_wide(proposal: &Proposal<'_>, plan: &Plan) -> Result<(), Refusal> {
    match plan.kind {
        Kind::Rollback => Ok(()),
        Kind::Deploy => proposal.guard.allows(plan.reach(), plan.reachable()).map_err(Refusal::TooWide),
    }
}

/// The most hosts that change at one go when all of `hosts` change, and how many hosts that is a part of: what
/// [`Plan::reach`] will be then.
pub fn widest(service: &Service, hosts: &[&Host]) -> (u32, u32) {
    let total = count(hosts.len());
    let set = |wanted: Set| hosts.iter().filter(|host| service.set_of(host) == Some(wanted)).count();
    if let Some(blue_green) = &service.blue_green {
        // Green instances beside blue ones may not stand in the line yet: there will be as many.
        let doubled = matches!(blue_green.green, Green::Ports(_));
        if set(Set::Blue) > 0 && (doubled || set(Set::Green) > 0) {
            let larger = set(Set::Blue).max(set(Set::Green));
            return (of_steps(&blue_green.steps, larger), count(larger));
        }
    }
    let at = |host: &&&Host| hosts.iter().filter(|other| other.site == host.site).count();
    if service.rollout.by_site && hosts.iter().any(|host| host.site.is_some()) {
        return (
            hosts.iter().filter(|host| host.site.is_some()).map(|host| count(at(&host))).max().unwrap_or(0),
            total,
        );
    }
    let mut sizes = waves::sizes(total, &service.rollout.waves);
    let holds_back =
        service.watch.as_ref().is_some_and(|watch| watch.can_pass() && !watch.rules.holdback.is_zero());
    if let Some(last) = sizes.last_mut().filter(|last| holds_back && **last > 1) {
        *last = last.saturating_sub(waves::held_back(total)).max(1);
    }
    (sizes.into_iter().max().unwrap_or(0), total)
}

/// Waves like `wanted`, none larger than `most` of `total` hosts.
pub fn within(most: u32, total: u32, wanted: &[Share]) -> Vec<u32> {
    let most = most.max(1);
    let mut sizes = Vec::new();
    for size in waves::sizes(total, wanted) {
        let mut rest = size;
        while rest > 0 {
            let part = rest.min(most);
            sizes.push(part);
            rest -= part;
        }
    }
    sizes
}

/// The largest step of traffic, in hosts of a set, rounded up.
fn of_steps(steps: &[u8], set: usize) -> u32 {
    let before = [0].into_iter().chain(steps.iter().copied());
    let largest = steps.iter().zip(before).map(|(step, before)| step.saturating_sub(before)).max();
    Share::Percent(largest.unwrap_or(100)).ceil_of(count(set))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
