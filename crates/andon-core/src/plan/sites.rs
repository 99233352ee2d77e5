//! The order of a release that goes site by site.

use std::collections::BTreeMap;

use super::{Before, PlannedHost, PlannedSite, Proposal, Refusal};
use crate::name::HostName;

/// The sites with hosts that change, in the line's order, and the wave of each. Empty for a release that spreads host
/// by host.
pub(super) fn split(proposal: &Proposal<'_>, order: &[HostName]) -> (Vec<PlannedSite>, Vec<Vec<HostName>>) {
    let mut found: Vec<PlannedSite> = Vec::new();
    for host in &proposal.hosts {
        let Some(site) = host.site.as_ref().and_then(|name| proposal.sites.get(name)) else { continue };
        match found.iter_mut().find(|known| known.site.name == site.name) {
            Some(known) => known.hosts.push(host.name.clone()),
            None => found.push(PlannedSite {
                site: site.clone(),
                hosts: vec![host.name.clone()],
                directory: proposal.directory.to_owned(),
            }),
        }
    }
    let wave = |site: &PlannedSite| -> Vec<HostName> {
        order.iter().filter(|host| site.hosts.contains(host)).cloned().collect()
    };
    found
        .into_iter()
        .map(|site| (wave(&site), site))
        .filter(|(wave, _)| !wave.is_empty())
        .map(|(wave, site)| (site, wave))
        .unzip()
}

/// Refuses when the hosts of the other sites cannot carry the load while one is out.
pub(super) fn refuse_too_large(
    sites: &[PlannedSite],
    hosts: &BTreeMap<HostName, PlannedHost>,
    floor: u32,
    proposal: &Proposal<'_>,
) -> Result<(), Refusal> {
    let serves = |name: &&HostName| {
        hosts.get(*name).is_some_and(|host| matches!(host.before, Before::Reached { serves: true, .. }))
    };
    for site in sites {
        let inside = site.hosts.iter().filter(serves).count();
        let others = u32::try_from(hosts.keys().filter(serves).count() - inside).unwrap_or(u32::MAX);
        if inside > 0 && others < floor {
            return Err(Refusal::Site {
                service: proposal.scope.service.clone(),
                site: site.site.name.clone(),
                others,
                floor,
            });
        }
    }
    Ok(())
}
