//! Which of two sets of hosts serves, and so which one gets the next release.

use std::collections::BTreeMap;

use super::{Before, PlannedHost, Switch};
use crate::line::{Service, Set};
use crate::name::HostName;
use crate::scope::Scope;

/// The switch of a service that has two sets. The live one is the one that balancers send traffic to; where that is
/// both or none, the one that the last switch led to. Without any past, blue is released first.
pub(super) fn switch(
    service: &Service,
    hosts: &BTreeMap<HostName, PlannedHost>,
    known: &Scope,
) -> Option<Switch> {
    let blue_green = service.blue_green.as_ref()?;
    let members =
        |set: Set| hosts.iter().filter(move |(_, planned)| service.set_of(&planned.host) == Some(set));
    // An environment without one of the two sets is released host by host.
    if members(Set::Blue).next().is_none() || members(Set::Green).next().is_none() {
        return None;
    }
    let serving = |set: Set| {
        members(set).any(|(_, planned)| matches!(planned.before, Before::Reached { serves: true, .. }))
    };
    let live = match (serving(Set::Blue), serving(Set::Green)) {
        (true, false) => Some(Set::Blue),
        (false, true) => Some(Set::Green),
        (true, true) | (false, false) => known.live,
    };
    let names = |set: Set| members(set).map(|(name, _)| name.clone()).collect();
    let to = live.map_or(Set::Blue, Set::other);
    Some(Switch {
        to,
        to_hosts: names(to),
        from_hosts: live.map(names).unwrap_or_default(),
        steps: blue_green.steps.clone(),
        step_time: blue_green.step_time,
    })
}
