//! Why a plan is refused. Refusals are data: nothing has been changed when one is given.

use serde::{Deserialize, Serialize};

use crate::balance::BalancerFailure;
use crate::guard::TooWide;
use crate::host::Authority;
use crate::name::ScopeName;
use crate::name::{DeploymentId, HostName, ServiceName, SiteName};
use crate::phrase::{hosts, list_hosts};
use crate::quantity::ByteSize;
use crate::release::ReleaseId;

/// A host without enough space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullHost {
    /// Which.
    pub host: HostName,
    /// What it has.
    pub free: ByteSize,
    /// What the release needs.
    pub needed: ByteSize,
}

/// Why a plan is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Every host is on the release already, and serves.
    NothingToDo {
        /// The release.
        release: ReleaseId,
        /// So many hosts.
        hosts: u32,
    },
    /// The environment has no hosts.
    NoHosts(ScopeName),
    /// The release was put back before.
    BadRelease {
        /// The release.
        release: ReleaseId,
        /// The deployment that judged it.
        deployment: DeploymentId,
        /// Its reason.
        because: String,
    },
    /// There is no good release to go back to.
    NothingToGoBackTo(ScopeName),
    /// What a rollback names was never judged there: it is no way back.
    NeverThere {
        /// Where to.
        scope: ScopeName,
        /// The release.
        release: ReleaseId,
    },
    /// Too many hosts do not answer.
    Unreachable {
        /// Which, each with what was heard.
        hosts: Vec<(HostName, String)>,
        /// So many may be missing.
        max: u32,
    },
    /// Hosts without enough space.
    Full(Vec<FullHost>),
    /// Balancers that do not answer, or do not do what they are told, each with why.
    Balancers(Vec<(String, BalancerFailure)>),
    /// Something on a host will keep the release from working.
    Obstacles(Vec<(HostName, String)>),
    /// A host obeys somebody else.
    Foreign {
        /// Which host.
        host: HostName,
        /// Whom it obeys.
        authority: Box<Authority>,
    },
    /// More hosts would change at one go than the environment allows.
    TooWide(TooWide),
    /// The floor cannot hold while a site is out.
    Site {
        /// The service.
        service: ServiceName,
        /// Which site.
        site: SiteName,
        /// Hosts that serve elsewhere.
        others: u32,
        /// Hosts that must serve.
        floor: u32,
    },
    /// The floor cannot hold.
    Floor {
        /// The service.
        service: ServiceName,
        /// Hosts in the environment.
        total: u32,
        /// Hosts that are out already.
        down: u32,
        /// Hosts that must serve.
        floor: u32,
    },
}

impl Refusal {
    /// What happened: one sentence.
    pub fn what(&self) -> String {
        match self {
            Refusal::NothingToDo { release, hosts: n } => {
                let end = if *n == 1 { "s" } else { "" };
                format!("{} run{end} {release} already, and serve{end}", hosts(*n))
            }
            Refusal::NoHosts(scope) => format!("{scope} has no hosts"),
            Refusal::BadRelease { release, .. } => format!("{release} is bad and is not deployed again"),
            Refusal::NothingToGoBackTo(scope) => format!("{scope} has no earlier good release to go back to"),
            Refusal::NeverThere { scope, release } => {
                format!("no deployment brought {release} to {scope}, so it is no way back")
            }
            Refusal::Unreachable { hosts: lost, max } => {
                let names = list_hosts(lost.iter().map(|(host, _)| host));
                format!("{names} cannot be reached, and {max} may be missing")
            }
            Refusal::Full(full) => match full.as_slice() {
                [one] => format!(
                    "{} cannot take the release: {} are free, {} are needed",
                    one.host, one.free, one.needed
                ),
                many => {
                    let names = list_hosts(many.iter().map(|full| &full.host));
                    format!("{names} have too little space for the release")
                }
            },
            Refusal::Obstacles(found) => match found.first() {
                Some((host, why)) => format!("{host} cannot take the release: {why}"),
                None => "a host cannot take the release".to_owned(),
            },
            Refusal::Balancers(failed) => match failed.first() {
                Some((pool, failure)) => format!("{pool}: {failure}"),
                None => "a balancer does not answer".to_owned(),
            },
            Refusal::Foreign { host, authority } => format!("{host} obeys another ledger: {authority}"),
            Refusal::TooWide(wide) => wide.to_string(),
            Refusal::Site { service, site, others, floor } => {
                format!(
                    "{service}: without {site} {} serve, floor {floor}: the site may not be taken out",
                    hosts(*others)
                )
            }
            Refusal::Floor { service, total, down, floor } => {
                format!(
                    "{service}: {}, {down} already down, floor {floor}: no host may be taken out",
                    hosts(*total)
                )
            }
        }
    }

    /// Why: detail after the sentence. Ends with the state of the world.
    pub fn why(&self) -> String {
        let untouched = "nothing has been changed";
        match self {
            Refusal::NothingToDo { .. } => "there is nothing to do".to_owned(),
            Refusal::BadRelease { deployment, because, .. } => {
                format!("{deployment} put it back: {because}; {untouched}")
            }
            Refusal::Unreachable { hosts, .. } => {
                let each: Vec<String> =
                    hosts.iter().take(3).map(|(host, why)| format!("{host}: {why}")).collect();
                format!("{}; {untouched}", each.join("; "))
            }
            Refusal::Full(full) => {
                let each: Vec<String> = full
                    .iter()
                    .take(6)
                    .map(|full| format!("{} {} of {}", full.host, full.free, full.needed))
                    .collect();
                format!(
                    "space is checked before the first host is touched ({}); {untouched}",
                    each.join(", ")
                )
            }
            Refusal::Obstacles(found) if found.len() > 1 => {
                let each: Vec<String> =
                    found.iter().skip(1).take(3).map(|(host, why)| format!("{host}: {why}")).collect();
                format!("also {}; {untouched}", each.join("; "))
            }
            Refusal::Foreign { authority, .. } => {
                format!(
                    "a host takes orders from one ledger per service (its is {}); {untouched}",
                    authority.ledger
                )
            }
            Refusal::Balancers(failed) => {
                let shown = failed.iter().map(|(_, failure)| failure.details.trim_end());
                let shown: Vec<&str> = shown.filter(|details| !details.is_empty()).take(1).collect();
                let others: Vec<String> = failed
                    .iter()
                    .skip(1)
                    .take(3)
                    .map(|(pool, failure)| format!("also {pool}: {failure}"))
                    .collect();
                let all: Vec<&str> =
                    others.iter().map(String::as_str).chain(shown).chain([untouched]).collect();
                all.join("; ")
            }
            Refusal::TooWide(_) => {
                format!(
                    "nothing would have looked at the first of them when the last one changes; {untouched}"
                )
            }
            Refusal::NoHosts(_)
            | Refusal::NothingToGoBackTo(_)
            | Refusal::NeverThere { .. }
            | Refusal::Obstacles(_)
            | Refusal::Site { .. }
            | Refusal::Floor { .. } => untouched.to_owned(),
        }
    }

    /// What to do next: one line.
    pub fn next(&self) -> String {
        match self {
            Refusal::NothingToDo { .. } => "change the release, or look at: andon status".to_owned(),
            Refusal::NoHosts(_) => "name hosts for this environment in line.star".to_owned(),
            Refusal::BadRelease { deployment, .. } => format!(
                "fix it and deploy the new release; or look: andon show {}; or insist: --allow-bad \"why\"",
                deployment.0
            ),
            Refusal::NothingToGoBackTo(_) => "deploy a release that works".to_owned(),
            Refusal::NeverThere { .. } => "deploy it, or go back to one of: andon history".to_owned(),
            Refusal::Unreachable { .. } => {
                "bring the hosts back, take them out of line.star, or raise max_unreachable".to_owned()
            }
            Refusal::Full(_) => "free space, then deploy again".to_owned(),
            Refusal::Obstacles(_) => "mend the host, then deploy again".to_owned(),
            Refusal::Balancers(_) => {
                "mend the balancer, then deploy again; a rollback goes on without it".to_owned()
            }
            Refusal::Foreign { .. } => {
                "deploy from there; or, if that ledger is gone, move the hosts here: --take-over".to_owned()
            }
            Refusal::TooWide(_) => {
                "make the waves smaller in line.star, or insist once: --allow-wide \"why\"".to_owned()
            }
            Refusal::Site { .. } => {
                "bring hosts of the other sites back first, or lower min_available in line.star".to_owned()
            }
            Refusal::Floor { .. } => "bring hosts back first, or lower min_available in line.star".to_owned(),
        }
    }
}
