//! Makes a plan from a wish, the line and what the hosts say. Changes nothing, decides everything.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pools::{Standing, standing};
use super::sites;
use super::switch::switch;
use super::{
    Before, FullHost, OnFailure, Plan, PlannedHost, PlannedPool, Refusal, Sights, Switch, reach, waves,
};
use crate::balance::BalancerFailure;
use crate::digest::Digest;
use crate::guard::Guard;
use crate::host::HostFacts;
use crate::kind::Kind;
use crate::line::{Host, Service, Set, Site, Watch};
use crate::name::{HostName, ServiceName, SiteName};
use crate::quantity::{ByteSize, Share};
use crate::release::{Release, ReleaseId, ReleaseStatus};
use crate::scope::{Scope, ScopeName};

/// The most hosts that are prepared at once.
const PREPARE_PARALLEL: u32 = 100;
/// The share of hosts that serve at every instant, unless the line says otherwise.
const DEFAULT_FLOOR: Share = Share::Percent(75);
/// Room left on a host's disk after unpacking, in bytes.
const HEADROOM: u64 = 16 << 20;

/// What a host said when it was asked, or why it did not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// It answered.
    Reached(Box<HostFacts>),
    /// It did not: one sentence.
    Unreachable(String),
}

/// What every host of a scope said.
pub type Observations = BTreeMap<HostName, Observation>;

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct Proposal<'a> {
    /// Where.
    pub scope: &'a ScopeName,
    /// What for.
    pub kind: Kind,
    /// The release to move to.
    pub release: &'a Release,
    /// The service as the line describes it.
    pub service: &'a Service,
    /// The hosts of the environment, in the line's order.
    pub hosts: Vec<&'a Host>,
    /// BLAKE3 of the line's files.
    pub config: Digest,
    /// What is known of the scope.
    pub known: &'a Scope,
    /// A bad release may pass.
    pub allow_bad: bool,
    /// The ledger that gives the orders; hosts of another one are refused unless `take_over`.
    pub ledger: &'a str,
    /// Hosts that belong to another ledger are taken over.
    pub take_over: bool,
    /// The balancers of the service in this environment.
    pub pools: &'a [PlannedPool],
    /// What they said.
    pub sights: &'a Sights,
    /// The sites of the line.
    pub sites: &'a BTreeMap<SiteName, Site>,
    /// The directory of the line.
    pub directory: &'a Path,
    /// What guards the environment, and what was said to that.
    pub guard: &'a Guard,
}

/// Makes the plan, or says why there is none.
pub fn build(proposal: &Proposal<'_>, observed: &Observations) -> Result<Plan, Refusal> {
    let Proposal { scope, kind, release, service, hosts, known, .. } = proposal;
    if hosts.is_empty() {
        return Err(Refusal::NoHosts((*scope).clone()));
    }
    refuse_bad(proposal)?;
    let rollout = &service.rollout;
    let total = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    let back_to = match kind {
        Kind::Deploy => known.rollback_target(&release.id).map(|good| good.release.clone()),
        Kind::Rollback => None,
    };
    let max_unreachable = match kind {
        Kind::Deploy => at_least_one(rollout.max_unreachable, total),
        // A rollback does what it can.
        Kind::Rollback => total,
    };
    let two_sets =
        [Set::Blue, Set::Green].iter().all(|set| hosts.iter().any(|host| service.set_of(host) == Some(*set)));
    let mut planned: BTreeMap<HostName, PlannedHost> = hosts
        .iter()
        .map(|host| {
            let standing = standing(&host.name, proposal.pools, proposal.sights, known);
            // The idle one of two sets is out of traffic by nobody's hand.
            let standing = match standing {
                Standing::HeldOut(_) if two_sets => Standing::Sick,
                other => other,
            };
            let before = before(observed.get(&host.name), &release.id, back_to.as_ref(), standing);
            (host.name.clone(), PlannedHost { host: (*host).clone(), before })
        })
        .collect();
    refuse_obstacles(proposal, observed, max_unreachable)?;
    refuse_balancers(proposal)?;

    let switch = switch(service, &planned, known).map(|switch| match kind {
        Kind::Deploy => switch,
        Kind::Rollback => Switch { steps: vec![100], ..switch },
    });
    if let Some(switch) = &switch {
        leave_live_set(switch, &mut planned, &release.id)?;
    }
    let changing: Vec<&Host> = match &switch {
        Some(switch) => hosts.iter().filter(|host| switch.to_hosts.contains(&host.name)).copied().collect(),
        None => hosts.clone(),
    };
    let total = u32::try_from(changing.len()).unwrap_or(u32::MAX);
    let order = order_of_change(&changing, &planned, known.current.as_ref());
    if order.is_empty() && switch.is_none() {
        return Err(Refusal::NothingToDo { release: release.id.clone(), hosts: total });
    }
    // What somebody else holds out will not serve during this deployment either.
    let can_serve = |host: &&PlannedHost| matches!(host.before, Before::Reached { held_out: None, .. });
    let reached = changing.iter().filter_map(|host| planned.get(&host.name)).filter(can_serve).count();
    let reached = u32::try_from(reached).unwrap_or(u32::MAX);
    let floor = floor(rollout.min_available, total, reached);
    refuse_floor(&scope.service, &planned, &order, floor, total, reached)?;
    let changing = u32::try_from(order.len()).unwrap_or(u32::MAX).max(1);
    let by_site = rollout.by_site && *kind == Kind::Deploy && switch.is_none();
    let (sites, site_waves) = if by_site { sites::split(proposal, &order) } else { (Vec::new(), Vec::new()) };
    sites::refuse_too_large(&sites, &planned, floor, proposal)?;
    let (waves, max_parallel, bake) = match kind {
        // Nobody uses a site that is out: all of it changes at once.
        _ if !sites.is_empty() => (site_waves, changing, rollout.bake),
        // Nobody uses the idle set: all of it changes at once.
        _ if switch.is_some() => {
            let bake = if *kind == Kind::Deploy { rollout.bake } else { Duration::ZERO };
            (if order.is_empty() { Vec::new() } else { vec![order] }, changing, bake)
        }
        Kind::Deploy => {
            (waves::split(&order, &rollout.waves), rollout.max_parallel.floor_of(total).max(1), rollout.bake)
        }
        // Back is as wide as the floor allows.
        Kind::Rollback => (vec![order], changing, Duration::ZERO),
    };
    let has_live_set = switch.as_ref().is_some_and(|switch| !switch.from_hosts.is_empty());
    let on_failure = match kind {
        Kind::Rollback => OnFailure::GoOn,
        Kind::Deploy if rollout.auto_rollback && (back_to.is_some() || has_live_set) => OnFailure::RollBack,
        Kind::Deploy => OnFailure::Stop,
    };
    let plan = Plan {
        scope: (*scope).clone(),
        kind: *kind,
        release: (*release).clone(),
        keep: keep(known, rollout.keep_releases, release, back_to.as_ref()),
        back_to,
        service: watched_here((*service).clone(), proposal.pools),
        config: proposal.config,
        directory: proposal.directory.to_owned(),
        hosts: planned,
        pools: proposal.pools.to_vec(),
        switch,
        sites,
        waves,
        max_parallel,
        prepare_parallel: PREPARE_PARALLEL,
        floor,
        max_failed: at_least_one(rollout.max_failed, total),
        max_unreachable,
        correlated_failures: rollout.correlated_failures.max(1),
        on_failure,
        bake,
        holdback: 0,
        max_changed: proposal.guard.environment.as_ref().and_then(|environment| environment.most(total)),
    };
    let plan = hold_back(plan);
    reach::refuse_too_wide(proposal, &plan)?;
    Ok(plan)
}

/// In an environment where no balancer counts, there are no requests to watch: a person would be asked at each
/// deployment what nobody can know.
fn watched_here(mut service: Service, pools: &[PlannedPool]) -> Service {
    if !pools.iter().any(|planned| planned.pool.balancer.counts()) {
        service.watch = service.watch.map(Watch::without_balancers);
    }
    service
}

/// Where the release is judged, a few hosts of a large last wave stay on the old release until all others have changed
/// and were compared with them.
fn hold_back(mut plan: Plan) -> Plan {
    let wanted = plan.watch().is_some_and(|watch| watch.can_pass() && watch.rules.holdback > Duration::ZERO);
    let host_by_host = plan.sites.is_empty() && plan.switch.is_none();
    let all = u32::try_from(plan.changing()).unwrap_or(u32::MAX);
    if let Some(last) = plan.waves.last_mut()
        && wanted
        && host_by_host
        && last.len() > 1
    {
        let size = waves::held_back(all);
        let kept = last.split_off(last.len().saturating_sub(size as usize).max(1));
        plan.holdback = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        plan.waves.push(kept);
    }
    plan
}

/// An absolute number is taken as it is; a share is at least one host.
fn at_least_one(share: Share, total: u32) -> u32 {
    match share {
        Share::Hosts(n) => n,
        Share::Percent(0) => 0,
        Share::Percent(_) => share.floor_of(total).max(1),
    }
}

/// The default leaves room for one host to change, also when hosts are missing whose absence is borne: a small fleet
/// that has lost one would otherwise take no release any more, not even the way back. A declared floor is taken at
/// its word.
fn floor(declared: Option<Share>, total: u32, reached: u32) -> u32 {
    match declared {
        Some(share) => share.ceil_of(total),
        None => DEFAULT_FLOOR.ceil_of(total).min(reached.saturating_sub(1)),
    }
}

fn before(
    observed: Option<&Observation>,
    release: &ReleaseId,
    back_to: Option<&Release>,
    standing: Standing,
) -> Before {
    match observed {
        Some(Observation::Reached(facts)) => {
            let running = facts.uniform_release().cloned();
            let healthy = facts.serves();
            let serves = healthy && standing == Standing::In;
            let held_out = match &standing {
                Standing::HeldOut(pool) => Some(pool.clone()),
                Standing::In | Standing::Sick => None,
            };
            Before::Reached {
                already: healthy
                    && matches!(standing, Standing::In | Standing::HeldOut(_))
                    && running.as_ref() == Some(release),
                release: running,
                serves,
                healthy,
                has_release: facts.releases.contains(release),
                has_back_to: back_to.is_some_and(|back| facts.releases.contains(&back.id)),
                held_out,
            }
        }
        Some(Observation::Unreachable(why)) => Before::Unreachable { why: why.clone() },
        None => Before::Unreachable { why: "it was not asked".to_owned() },
    }
}

/// Sick hosts first (they serve nobody), then laggards, then the rest in the line's order.
fn order_of_change(
    hosts: &[&Host],
    planned: &BTreeMap<HostName, PlannedHost>,
    current: Option<&ReleaseId>,
) -> Vec<HostName> {
    let mut order: Vec<(u8, HostName)> = hosts
        .iter()
        .filter_map(|host| match &planned.get(&host.name)?.before {
            Before::Reached { already: true, .. } | Before::Unreachable { .. } => None,
            Before::Reached { serves: false, .. } => Some((0, host.name.clone())),
            Before::Reached { release, .. } if release.as_ref() != current => Some((1, host.name.clone())),
            Before::Reached { .. } => Some((2, host.name.clone())),
        })
        .collect();
    order.sort_by_key(|(rank, _)| *rank);
    order.into_iter().map(|(_, host)| host).collect()
}

fn refuse_bad(proposal: &Proposal<'_>) -> Result<(), Refusal> {
    match proposal.known.releases.get(&proposal.release.id) {
        Some(known) if known.status == ReleaseStatus::Bad && !proposal.allow_bad => {
            Err(Refusal::BadRelease {
                release: proposal.release.id.clone(),
                deployment: known.deployment,
                because: known.because.clone(),
            })
        }
        _ => Ok(()),
    }
}

fn refuse_obstacles(
    proposal: &Proposal<'_>,
    observed: &Observations,
    max_unreachable: u32,
) -> Result<(), Refusal> {
    let (mut lost, mut full, mut obstacles) = (Vec::new(), Vec::new(), Vec::new());
    let needed = ByteSize(
        proposal.release.packed.0.saturating_add(proposal.release.unpacked.0).saturating_add(HEADROOM),
    );
    for host in &proposal.hosts {
        let facts = match observed.get(&host.name) {
            Some(Observation::Reached(facts)) => facts,
            Some(Observation::Unreachable(why)) => {
                lost.push((host.name.clone(), why.clone()));
                continue;
            }
            None => continue,
        };
        if let Some(authority) = &facts.authority
            && authority.ledger != proposal.ledger
            && !proposal.take_over
        {
            return Err(Refusal::Foreign { host: host.name.clone(), authority: Box::new(authority.clone()) });
        }
        if !facts.releases.contains(&proposal.release.id) && facts.free < needed {
            full.push(FullHost { host: host.name.clone(), free: facts.free, needed });
        }
        obstacles.extend(facts.obstacles.iter().map(|why| (host.name.clone(), why.clone())));
    }
    if lost.len() > max_unreachable as usize || lost.len() == proposal.hosts.len() {
        return Err(Refusal::Unreachable { hosts: lost, max: max_unreachable });
    }
    if !full.is_empty() {
        return Err(Refusal::Full(full));
    }
    if !obstacles.is_empty() {
        return Err(Refusal::Obstacles(obstacles));
    }
    Ok(())
}

/// Of two sets, the idle one needs no change where it runs the release already; the live one stays as it is.
fn leave_live_set(
    switch: &Switch,
    planned: &mut BTreeMap<HostName, PlannedHost>,
    release: &ReleaseId,
) -> Result<(), Refusal> {
    let on_it = |name: &HostName| {
        matches!(
            planned.get(name).map(|host| &host.before),
            Some(Before::Reached { release: Some(running), serves: true, .. }) if running == release
        )
    };
    if !switch.from_hosts.is_empty() && switch.from_hosts.iter().all(on_it) {
        let hosts = u32::try_from(switch.from_hosts.len()).unwrap_or(u32::MAX);
        return Err(Refusal::NothingToDo { release: release.clone(), hosts });
    }
    for (name, host) in planned {
        if let Before::Reached { already, release: running, healthy, .. } = &mut host.before {
            *already = *healthy && running.as_ref() == Some(release) && switch.to_hosts.contains(name);
        }
    }
    Ok(())
}

/// A host can be taken out safely only by balancers that all do as they are told. The way back does without.
fn refuse_balancers(proposal: &Proposal<'_>) -> Result<(), Refusal> {
    let failed: Vec<(String, BalancerFailure)> = proposal
        .sights
        .iter()
        .filter_map(|(pool, sight)| Some((pool.clone(), sight.as_ref().err()?.clone())))
        .collect();
    if failed.is_empty() || proposal.kind == Kind::Rollback {
        return Ok(());
    }
    Err(Refusal::Balancers(failed))
}

/// Refuses when a host that serves must change and could not, even after all sick hosts were mended by the change.
fn refuse_floor(
    service: &ServiceName,
    planned: &BTreeMap<HostName, PlannedHost>,
    order: &[HostName],
    floor: u32,
    total: u32,
    reached: u32,
) -> Result<(), Refusal> {
    let serving_must_change = order
        .iter()
        .filter_map(|host| planned.get(host))
        .any(|host| matches!(host.before, Before::Reached { serves: true, .. }));
    if serving_must_change && reached <= floor {
        return Err(Refusal::Floor { service: service.clone(), total, down: total - reached, floor });
    }
    Ok(())
}

/// The newest good releases, the current one and both ends of the way.
fn keep(known: &Scope, count: u32, release: &Release, back_to: Option<&Release>) -> Vec<ReleaseId> {
    let mut keep: Vec<ReleaseId> =
        known.good().into_iter().take(count as usize).map(|good| good.release.id.clone()).collect();
    keep.extend(known.current.clone());
    keep.push(release.id.clone());
    keep.extend(back_to.map(|release| release.id.clone()));
    keep.sort();
    keep.dedup();
    keep
}
