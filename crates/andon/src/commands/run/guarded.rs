//! Before a command runs on hosts of guarded environments: their names, and how many hosts it is.

use std::collections::BTreeSet;

use andon_core::guard::GuardFact;
use andon_core::line::{Host, Line, Transport};
use andon_core::name::{EnvironmentName, HostName};
use andon_server::Problem;
use andon_server::push::PushTarget;

use crate::args::Common;
use crate::confirm;
use crate::context::{me, open_ledger};
use crate::failure::Failure;
use crate::signals::Signals;

/// Asks for the names of protected environments among `targets`, refuses too many hosts of one, and records the rest.
pub(super) async fn pass(
    common: &Common,
    line: &Line,
    targets: &[PushTarget],
    said: &[EnvironmentName],
    allow_wide: Option<&String>,
) -> Result<(), Failure> {
    let touched = touched(line, targets);
    if let Some(other) = said.iter().find(|name| !touched.iter().any(|(touched, ..)| touched == *name)) {
        return Err(Failure::refused(format!("none of these hosts is of {other}, whose name was said"))
            .why("nothing has been changed")
            .next("name the hosts that are meant"));
    }
    let mut passed = Vec::new();
    for (name, hosts, total) in touched {
        let given = said.iter().find(|said| **said == name).cloned();
        let mut guard = confirm::guard(line, &name, confirm::given(given), allow_wide.cloned());
        if guard.environment.is_none() {
            continue;
        }
        guard.allows(hosts, total).map_err(|wide| {
            Failure::refused(wide.to_string())
                .why("a command runs on all of its hosts at one go; nothing has been changed")
                .next("name fewer hosts, or insist once: --allow-wide \"why\"")
        })?;
        if confirm::asks(&guard, common.json) {
            let signals = Signals::listen()?;
            confirm::say_to_person(&format!("{name}    runs on {hosts} of {total} hosts"));
            confirm::confirmed(&mut guard, &name, common.json, &signals).await?;
        } else {
            guard.admits(&name).map_err(Problem::from)?;
        }
        passed.push((name, GuardFact::Ran { by: me(), hosts, passes: guard.passes }));
    }
    if passed.is_empty() {
        return Ok(());
    }
    // What cannot be recorded is not done.
    let controller = open_ledger(common).await?;
    for (name, fact) in passed {
        controller.record_run(&name, fact).await?;
    }
    Ok(())
}

/// The environments that `targets` belong to, each with how many of how many of its hosts. A host is known by the name
/// or by the address that it is reached at.
fn touched(line: &Line, targets: &[PushTarget]) -> Vec<(EnvironmentName, u32, u32)> {
    let names: BTreeSet<&EnvironmentName> =
        line.services.values().flat_map(|service| service.environments.keys()).collect();
    let touches = |host: &Host| targets.iter().any(|target| is_same(host, target));
    let count = |hosts: usize| u32::try_from(hosts).unwrap_or(u32::MAX);
    let of = |name: &EnvironmentName| {
        let environments = line.services.values().filter_map(|service| service.environments.get(name));
        let hosts: BTreeSet<&HostName> = environments.flatten().collect();
        let hosts: Vec<&Host> = hosts.into_iter().filter_map(|host| line.hosts.get(host)).collect();
        let real = || hosts.iter().filter(|host| !host.twin);
        (count(real().filter(|host| touches(host)).count()), count(real().count()))
    };
    let all = names.into_iter().map(|name| (name.clone(), of(name)));
    all.filter(|(_, (hosts, _))| *hosts > 0).map(|(name, (hosts, total))| (name, hosts, total)).collect()
}

fn is_same(host: &Host, target: &PushTarget) -> bool {
    let address = match &host.transport {
        Transport::Ssh { address, .. } => Some(address.as_str()),
        Transport::Local => None,
    };
    let reached = match &target.transport {
        Transport::Ssh { address, .. } => Some(address.as_str()),
        Transport::Local => None,
    };
    host.name == target.host
        || (address.is_some() && (address == reached || address == Some(target.host.as_str())))
}
