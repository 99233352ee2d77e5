//! Why a host is out of traffic although nothing is wrong with it: who has it out, and how it stands in words.

use std::collections::BTreeMap;

use andon_core::balance::{HostSight, Standing};
use andon_core::deployment::{DeploymentId, HostState, sentence};
use andon_core::line::{Host, Service};
use andon_core::name::HostName;
use andon_core::scope::{Lock, Scope};
use andon_server::RecordsError;

use crate::door::Door;
use crate::screen::legible;

/// Who has a host out of traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A deployment that has not ended: which one, and what it does there.
    AtWork(DeploymentId, String),
    /// Nobody any more: a deployment left it out, for this reason.
    HeldOut(DeploymentId, String),
    /// It belongs to the set that has no traffic.
    Idle,
}

impl Owner {
    /// What keeps the host out, in words.
    pub(crate) fn words(&self) -> String {
        match self {
            Owner::AtWork(id, doing) => format!("out: {id} is at work there, {doing}"),
            Owner::HeldOut(id, reason) => format!("out: held since {id}: {}", legible(reason)),
            Owner::Idle => "out: it belongs to the idle set".to_owned(),
        }
    }
}

/// Every host that somebody has out of traffic on purpose.
pub(crate) async fn owners(
    controller: &Door,
    scope: &Scope,
    service: &Service,
    hosts: &[&Host],
) -> Result<BTreeMap<HostName, Owner>, RecordsError> {
    let mut owners = BTreeMap::new();
    if let Some(live) = scope.live {
        let idle = hosts.iter().filter(|host| service.set_of(host).is_some_and(|set| set != live));
        owners.extend(idle.map(|host| (host.name.clone(), Owner::Idle)));
    }
    for (host, held) in &scope.held {
        owners.insert(host.clone(), Owner::HeldOut(held.deployment, held.reason.clone()));
    }
    if let Lock::Owned { deployment, .. } = scope.lock {
        let deployment = controller.records().deployment(deployment).await?.value;
        for (host, run) in deployment.hosts.iter().filter(|(_, run)| run.drained) {
            let doing = match &run.state {
                HostState::Doing(step) => sentence::doing(step).to_owned(),
                other => other.name().replace('_', " "),
            };
            owners.insert(host.clone(), Owner::AtWork(deployment.id, doing));
        }
    }
    Ok(owners)
}

/// How a host stands in traffic, in words; and whether it is as it should be. A host that is held out is not.
pub(crate) fn words(sight: &HostSight, owner: Option<&Owner>) -> (bool, String) {
    let why = || sight.kept_out_by().map(|why| legible(&why)).unwrap_or_default();
    match (sight.standing(), owner) {
        (Standing::In, Some(Owner::HeldOut(id, _))) => {
            (false, format!("in traffic, although it was held out by {id}"))
        }
        (Standing::In, _) => (true, "in traffic".to_owned()),
        (_, Some(owner @ Owner::HeldOut(..))) => (false, owner.words()),
        (_, Some(owner)) => (true, owner.words()),
        (Standing::Partly, None) => (false, format!("not in all traffic: {}", why())),
        (Standing::Out, None) => (false, format!("no traffic: {}", why())),
    }
}
