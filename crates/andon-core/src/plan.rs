//! A plan: everything that a deployment will do, pinned before the first effect.
//!
//! All shares of the line have become numbers here. `andon plan`, the screen and the tests show the same plan.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::balance::Pool;
use crate::digest::Digest;
use crate::host::Placement;
use crate::kind::Kind;
use crate::line::{BalancerKind, Host, Service, Set, Site, Transport, Watch};
use crate::name::HostName;
use crate::name::ScopeName;
use crate::release::{Release, ReleaseId};

pub use build::{Observation, Observations, Proposal, build};
pub use pools::{Sights, pools};
pub use reach::{widest, within};
pub use refusal::{FullHost, Refusal};

mod build;
mod pools;
mod reach;
mod refusal;
mod sites;
mod switch;
mod waves;

/// Everything that a deployment will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Where.
    pub scope: ScopeName,
    /// What for.
    pub kind: Kind,
    /// The release to move to.
    pub release: Release,
    /// The release to go back to.
    pub back_to: Option<Release>,
    /// The service as the line described it.
    pub service: Service,
    /// BLAKE3 of the line's files.
    pub config: Digest,
    /// The directory of the line, on the controller's machine.
    #[serde(default)]
    pub directory: PathBuf,
    /// All hosts of the environment.
    pub hosts: BTreeMap<HostName, PlannedHost>,
    /// Every balancer that sends traffic to the instances; none for a service that nobody calls.
    #[serde(default)]
    pub pools: Vec<PlannedPool>,
    /// The traffic moves from one set of hosts to the other, instead of host by host.
    #[serde(default)]
    pub switch: Option<Switch>,
    /// The sites that are taken out one after another, each with its own wave; none for a release that spreads host
    /// by host.
    #[serde(default)]
    pub sites: Vec<PlannedSite>,
    /// Hosts of the last wave that stay on the old release for a while after all others have changed.
    #[serde(default)]
    pub holdback: u32,
    /// The hosts that change, in order, wave by wave.
    pub waves: Vec<Vec<HostName>>,
    /// Hosts that may be in their cycle at once.
    pub max_parallel: u32,
    /// Hosts that may be prepared at once.
    pub prepare_parallel: u32,
    /// Hosts that must serve at every instant.
    pub floor: u32,
    /// Hosts that may fail over the whole run; in the first wave none may.
    pub max_failed: u32,
    /// Hosts that may be unreachable over the whole run.
    pub max_unreachable: u32,
    /// Hosts failing at the same step that make a bad release.
    pub correlated_failures: u32,
    /// What happens when the release fails.
    pub on_failure: OnFailure,
    /// How long all hosts are watched after the last wave.
    #[serde(with = "crate::time::millis")]
    pub bake: Duration,
    /// Releases that hosts must not remove.
    pub keep: Vec<ReleaseId>,
    /// Hosts that may change at one go, where the line limits that: see [`Plan::reach`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_changed: Option<u32>,
}

/// Traffic that moves from one set of hosts to the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// The set that gets the release, and then the traffic.
    pub to: Set,
    /// Its hosts.
    pub to_hosts: Vec<HostName>,
    /// The hosts that serve until then; none at first.
    pub from_hosts: Vec<HostName>,
    /// The shares of traffic, in hundredths, that the new set gets one after another; the last is 100.
    pub steps: Vec<u8>,
    /// How long each share but the last stays.
    #[serde(with = "crate::time::millis")]
    pub step_time: Duration,
}

/// A site that is taken out as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedSite {
    /// What keeps users away, and what brings them back.
    pub site: Site,
    /// All hosts of the environment that stand there, changing or not.
    pub hosts: Vec<HostName>,
    /// Where its commands are started, on the controller's machine.
    pub directory: PathBuf,
}

/// A pool in a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedPool {
    /// The way to the host that its balancer runs on.
    pub at: Host,
    /// The servers, and how the balancer is reached there.
    pub pool: Pool,
}

/// What happens when the release fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Put the touched hosts back.
    RollBack,
    /// Stop, and leave things as they are: there is nothing to go back to, or the line says so.
    Stop,
    /// Keep the failed host out and go on: this is a rollback itself.
    GoOn,
}

/// A host in a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedHost {
    /// The way to it.
    pub host: Host,
    /// How it was found.
    pub before: Before,
}

/// How a host was found when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// It answered.
    Reached {
        /// What its instances run, if all run the same.
        release: Option<ReleaseId>,
        /// Whether all instances serve.
        serves: bool,
        /// Whether all of them could serve, whatever balancers say.
        #[serde(default)]
        healthy: bool,
        /// Already on the wanted release and serving: it is left alone.
        already: bool,
        /// Whether the wanted release lies on its disk.
        has_release: bool,
        /// Whether the release to go back to lies on its disk.
        has_back_to: bool,
        /// A balancer that it was taken out of by somebody else: it is changed, and stays out.
        #[serde(default)]
        held_out: Option<String>,
    },
    /// It did not.
    Unreachable {
        /// One sentence.
        why: String,
    },
}

impl Plan {
    /// The service on one of its hosts.
    pub fn placement(&self, host: &HostName) -> Option<Placement> {
        self.hosts.get(host).map(|planned| placement(&self.service, &planned.host))
    }

    /// Whether any balancer sends traffic to a host.
    pub fn is_balanced(&self, host: &HostName) -> bool {
        self.pools.iter().any(|planned| planned.pool.servers_of(host).next().is_some())
    }

    /// Whether there is something to put back: an earlier release, or a set that still runs it.
    pub fn can_go_back(&self) -> bool {
        let live = self.switch.as_ref().is_some_and(|switch| !switch.from_hosts.is_empty());
        self.back_to.is_some() || live
    }

    /// Whether hosts leave and come back together, because each change of a balancer costs a reload.
    pub fn moves_together(&self) -> bool {
        self.pools.iter().any(|planned| matches!(planned.pool.balancer, BalancerKind::Nginx { .. }))
    }

    /// What the release is judged by while it spreads; `None` where nothing serves that it could be compared with, and
    /// on the way back.
    pub fn watch(&self) -> Option<&Watch> {
        let serves_old = |planned: &PlannedHost| matches!(&planned.before, Before::Reached { serves: true, release: Some(runs), .. } if *runs != self.release.id);
        let compares = self.kind == Kind::Deploy && self.hosts.values().any(serves_old);
        self.service.watch.as_ref().filter(|watch| compares && !watch.is_empty())
    }

    /// How many hosts change.
    pub fn changing(&self) -> usize {
        self.waves.iter().map(Vec::len).sum()
    }
}

/// The service on one host. On a local host, `root` is relative to the host's own directory and the transport
/// makes it absolute; elsewhere a leading `~` is the home of the user whom the agent runs as.
pub fn placement(service: &Service, host: &Host) -> Placement {
    let (root, run) = (service.root_on(host), service.run_on(host).into_owned());
    Placement {
        service: service.name_on(host),
        host: host.name.clone(),
        root: match host.transport {
            Transport::Ssh { .. } => root,
            Transport::Local => {
                let below = root.strip_prefix("/").or_else(|_| root.strip_prefix("~"));
                below.unwrap_or(&root).to_owned()
            }
        },
        instances: run.instances(host.port_offset),
        run,
        health: service.health.clone(),
        tests: service.tests.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
