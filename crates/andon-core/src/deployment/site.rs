//! Site by site: users are kept away from a whole site, all of it changes and is tested, then they come back.
//!
//! While a site is out nobody uses it, so its hosts need no waves. They go back into their balancers together, once
//! every one of them is verified, and only then are users led to the site again.

use std::path::PathBuf;

use super::{Deployment, Fact, HostState, PauseReason, Phase, SiteState, State, Way};
use crate::host::Stage;
use crate::name::{HostName, SiteName};
use crate::plan::{Plan, PlannedSite};
use crate::time::Time;

/// A command of a site that is to be run, or run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteOrder {
    /// Which site.
    pub site: SiteName,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Where it is started.
    pub directory: PathBuf,
}

impl Deployment {
    /// The commands of sites on their way out or back. They work when they are repeated.
    pub fn site_orders(&self) -> Vec<SiteOrder> {
        let Some(plan) = self.plan.as_deref().filter(|_| !self.state.is_terminal()) else {
            return Vec::new();
        };
        let order = |planned: &PlannedSite| {
            let site = &planned.site;
            let command = match self.sites.get(&site.name)? {
                SiteState::Leaving => site.out.clone()?,
                SiteState::Returning => site.back.clone()?,
                SiteState::Out | SiteState::In | SiteState::Stuck { .. } => return None,
            };
            Some(SiteOrder { site: site.name.clone(), command, directory: planned.directory.clone() })
        };
        plan.sites.iter().filter_map(order).collect()
    }

    /// Whether a verified host waits until the others of its set or site are.
    pub(super) fn waits_for_others(&self, host: &HostName) -> bool {
        self.plan.as_ref().is_some_and(|plan| {
            plan.switch.is_some()
                || plan.moves_together() && plan.is_balanced(host)
                || plan.sites.iter().any(|site| site.hosts.contains(host))
        })
    }

    /// One wave of a release that goes site by site.
    pub(super) fn run_site(&self, now: Time, plan: &Plan, wave: usize, planned: &PlannedSite) -> Vec<Fact> {
        let site = &planned.site;
        let enters = |state| vec![Fact::Site { site: site.name.clone(), state }];
        let waiting = self.of_site(planned, |state| *state == HostState::Prepared);
        match self.sites.get(&site.name) {
            None | Some(SiteState::In) if !waiting.is_empty() => {
                self.refuse_leaving(now, plan, wave, planned).unwrap_or_else(|| enters(SiteState::Leaving))
            }
            None | Some(SiteState::In) => self.after_wave(now, plan, wave),
            Some(SiteState::Leaving) if site.out.is_none() => enters(SiteState::Out),
            Some(SiteState::Returning) if site.back.is_none() => enters(SiteState::In),
            Some(SiteState::Leaving | SiteState::Returning) => Vec::new(),
            Some(SiteState::Stuck { .. }) => enters(SiteState::Returning),
            Some(SiteState::Out) => {
                let out: Vec<Fact> = waiting
                    .into_iter()
                    .map(|host| self.begin(host, self.leaving(plan, host), Way::Forward))
                    .collect();
                if !out.is_empty() || self.busy() {
                    return out;
                }
                let back = self.enable_ready(plan);
                if back.is_empty() { enters(SiteState::Returning) } else { back }
            }
        }
    }

    /// Why a site may not leave now: the others must carry its load at this moment, too.
    fn refuse_leaving(
        &self,
        now: Time,
        plan: &Plan,
        wave: usize,
        planned: &PlannedSite,
    ) -> Option<Vec<Fact>> {
        let inside = planned.hosts.iter().filter_map(|host| self.hosts.get(host)).filter(|run| run.serving);
        let inside = super::count(inside);
        let available = self.available() - inside;
        if inside == 0 || available >= plan.floor {
            return None;
        }
        let may_recover = self.hosts.values().filter_map(|run| run.ill_since);
        let patience = plan.service.rollout.healthy_deadline;
        if may_recover.into_iter().any(|since| now.since(since) < patience) {
            return Some(Vec::new());
        }
        let reason = PauseReason::Floor { available, floor: plan.floor };
        Some(vec![Fact::Entered { state: State::Paused { reason, at: Phase::Wave(wave) } }])
    }

    /// Verified hosts that waited for one another go back into their balancers. Those of a set wait for the switch.
    pub(super) fn enable_ready(&self, plan: &Plan) -> Vec<Fact> {
        if plan.switch.is_some() {
            return Vec::new();
        }
        let ready = self.hosts.iter().filter(|(_, run)| run.state == HostState::Ready);
        ready
            .map(|(host, _)| {
                let next = if self.comes_back(host) { Stage::Enable } else { Stage::Observe };
                self.begin(host, next, Way::Forward)
            })
            .collect()
    }

    /// Sites that are still out at the end of a deployment come back; `None` when all are where they were, or cannot
    /// be brought there.
    pub(super) fn return_sites(&self, plan: &Plan) -> Option<Vec<Fact>> {
        let mut waits = false;
        let mut facts = Vec::new();
        for planned in &plan.sites {
            let site = &planned.site;
            let next = match self.sites.get(&site.name) {
                None | Some(SiteState::In | SiteState::Stuck { .. }) => continue,
                Some(SiteState::Leaving | SiteState::Out) => SiteState::Returning,
                Some(SiteState::Returning) if site.back.is_none() => SiteState::In,
                Some(SiteState::Returning) => {
                    waits = true;
                    continue;
                }
            };
            facts.push(Fact::Site { site: site.name.clone(), state: next });
        }
        (waits || !facts.is_empty()).then_some(facts)
    }

    /// What follows when the command of a site ended.
    pub(super) fn site_done(&self, site: &SiteName, result: Result<(), String>) -> Vec<Fact> {
        let enters = |state| Fact::Site { site: site.clone(), state };
        let (state, why) = match (self.sites.get(site), result) {
            (Some(SiteState::Leaving), Ok(())) => (SiteState::Out, None),
            // It may have been kept from some users; they lack nothing, for all of it still serves.
            (Some(SiteState::Leaving), Err(why)) => (SiteState::In, Some(why)),
            (Some(SiteState::Returning), Ok(())) => (SiteState::In, None),
            (Some(SiteState::Returning), Err(why)) => (SiteState::Stuck { why: why.clone() }, Some(why)),
            _ => return Vec::new(),
        };
        let mut facts = vec![enters(state)];
        if let (Some(why), State::Running { phase }) = (why, &self.state) {
            let reason = PauseReason::Site { site: site.clone(), why };
            facts.push(Fact::Entered { state: State::Paused { reason, at: phase.clone() } });
        }
        facts
    }

    /// Hosts whose users could not be brought back to their site, with the reason.
    pub(super) fn stuck_hosts(&self) -> Vec<(&HostName, &str)> {
        let Some(plan) = &self.plan else { return Vec::new() };
        let stuck = plan.sites.iter().filter_map(|planned| match self.sites.get(&planned.site.name) {
            Some(SiteState::Stuck { why }) => Some((&planned.hosts, why.as_str())),
            _ => None,
        });
        stuck.flat_map(|(hosts, why)| hosts.iter().map(move |host| (host, why))).collect()
    }

    fn of_site<'a>(
        &self,
        planned: &'a PlannedSite,
        wanted: impl Fn(&HostState) -> bool,
    ) -> Vec<&'a HostName> {
        let is = |host: &&HostName| self.hosts.get(*host).is_some_and(|run| wanted(&run.state));
        planned.hosts.iter().filter(is).collect()
    }
}
