//! Hosts: what runs where, who is out and why.

use std::collections::{BTreeMap, BTreeSet};

use andon_core::chronicle::dna::{Runs, Sighting, Standing, Strip};
use andon_core::chronicle::{Query, Span};
use andon_core::line::Transport;
use andon_core::name::{GroupName, HostName};
use andon_core::scope::ScopeName;
use andon_page::hosts::host::{Host, Running};
use andon_page::hosts::{Hosts, Out, Row, Service};

use super::{Sight, unasked};
use crate::http::Desk;
use crate::lines::LineOnDisk;

/// Hosts in one answer.
const MOST: usize = 1_000;
/// Deployments of a host that are listed.
const DEPLOYMENTS: usize = 25;

pub(in crate::http) async fn gather(desk: &Desk, query: &str) -> Hosts {
    let sight = Sight::take(desk).await;
    let mut rows = rows(&sight);
    let total = rows.len();
    rows.retain(|_, row| row.fits(query));
    let fitting = rows.len();
    let mut left = MOST;
    let mut groups = Vec::new();
    let line = sight.line.as_ref().map(|line| line.line());
    for (group, hosts) in line.iter().flat_map(|line| line.groups.iter()) {
        let here: Vec<Row> =
            hosts.iter().filter_map(|host| rows.remove(host)).filter(|_| take_one(&mut left)).collect();
        groups.push((Some(group.clone()), here));
    }
    let rest = rows.into_values().filter(|_| take_one(&mut left)).collect();
    groups.push((None, rest));
    groups.retain(|(_, rows)| !rows.is_empty());
    Hosts { groups, total, fitting, query: query.to_owned(), unasked: unasked(desk) }
}

fn take_one(left: &mut usize) -> bool {
    let more = *left > 0;
    *left = left.saturating_sub(1);
    more
}

/// Every host of the line.
fn rows(sight: &Sight) -> BTreeMap<HostName, Row> {
    let Some(line) = &sight.line else { return BTreeMap::new() };
    let mut rows: BTreeMap<HostName, Row> = BTreeMap::new();
    for name in line.line().hosts.keys() {
        let row = Row {
            host: name.clone(),
            groups: Vec::new(),
            services: Vec::new(),
            out: Vec::new(),
            silence: None,
            answered: None,
        };
        rows.insert(name.clone(), row);
    }
    for (group, hosts) in &line.line().groups {
        for host in hosts {
            rows.get_mut(host).into_iter().for_each(|row| row.groups.push(group.clone()));
        }
    }
    for scope in sight.scopes() {
        let strip = sight.strip(&scope);
        let said = sight.sightings(&scope);
        for strand in &strip.strands {
            for host in &strand.hosts {
                let Some(row) = rows.get_mut(host) else { continue };
                let sighting = said.and_then(|said| said.get(host));
                row.services.push(service(&scope, strand.runs.clone(), strand.standing, sighting));
                hear(row, sighting);
            }
        }
        let held = sight.known.scopes.get(&scope).map(|known| &known.scope.held);
        for (host, held) in held.into_iter().flatten() {
            if let Some(row) = rows.get_mut(host) {
                row.out.push(Out {
                    scope: scope.clone(),
                    deployment: held.deployment,
                    reason: held.reason.clone(),
                    since: held.since,
                });
            }
        }
    }
    rows
}

/// Of several services the newest answer counts, and any silence.
fn hear(row: &mut Row, sighting: Option<&Sighting>) {
    let Some(sighting) = sighting else { return };
    row.answered = row.answered.max(sighting.answer.as_ref().map(|(at, _)| *at));
    if row.silence.is_none() {
        row.silence = sighting.silence.clone();
    }
}

fn service(scope: &ScopeName, runs: Runs, standing: Standing, sighting: Option<&Sighting>) -> Service {
    // Where nothing should run, nothing is missing.
    let answer = sighting.filter(|sighting| sighting.silence.is_none() && standing != Standing::Empty);
    let instances = answer.and_then(|sighting| sighting.answer.as_ref()).map(|(_, facts)| &facts.instances);
    let serving = instances
        .map(|instances| (instances.iter().filter(|instance| instance.serves()).count(), instances.len()));
    Service { scope: scope.clone(), runs, standing, serving }
}

/// One host of the line in one row.
pub(in crate::http) async fn row(desk: &Desk, name: &HostName) -> Option<Row> {
    let sight = Sight::take(desk).await;
    rows(&sight).remove(name)
}

/// One host; `None` of one that neither the line nor any deployment knows.
pub(in crate::http) async fn host(desk: &Desk, name: &HostName) -> Option<Host> {
    let sight = Sight::take(desk).await;
    let page = sight.known.deployments.page(&Query::of_host(name), Span::ALL, None, DEPLOYMENTS);
    let line = sight.line.as_ref().map(|line| line.line());
    let described = line.and_then(|line| line.hosts.get(name));
    if described.is_none() && page.rows.is_empty() {
        return None;
    }
    let groups: BTreeSet<&GroupName> = line
        .iter()
        .flat_map(|line| line.groups.iter())
        .filter(|(_, hosts)| hosts.contains(name))
        .map(|(group, _)| group)
        .collect();
    let services = sight.scopes().filter(|scope| has(sight.line.as_deref(), scope, name));
    Some(Host {
        name: name.clone(),
        reached: described.map(|host| match &host.transport {
            Transport::Ssh { .. } => "over ssh".to_owned(),
            Transport::Local => "on the machine of the server".to_owned(),
        }),
        groups: groups.into_iter().cloned().collect(),
        site: described.and_then(|host| host.site.clone()),
        services: services.map(|scope| running(&sight, &scope, name)).collect(),
        deployments: page.rows.iter().map(|row| row.summary()).collect(),
        more: page.more,
    })
}

fn has(line: Option<&LineOnDisk>, scope: &ScopeName, name: &HostName) -> bool {
    let parts = line.and_then(|line| line.parts(scope));
    parts.is_some_and(|(_, hosts)| hosts.iter().any(|host| host.name == *name))
}

fn running(sight: &Sight, scope: &ScopeName, name: &HostName) -> Running {
    let strip: Strip = sight.strip(scope);
    let strand = strip.strands.iter().find(|strand| strand.hosts.contains(name));
    let (runs, standing) =
        strand.map_or((Runs::Unknown, Standing::Unknown), |it| (it.runs.clone(), it.standing));
    let sighting = sight.sightings(scope).and_then(|said| said.get(name));
    let held = sight.known.scopes.get(scope).and_then(|known| known.scope.held.get(name));
    Running {
        service: service(scope, runs, standing, sighting),
        current: strip.current,
        out: held.map(|held| Out {
            scope: scope.clone(),
            deployment: held.deployment,
            reason: held.reason.clone(),
            since: held.since,
        }),
        sighting: sighting.cloned(),
    }
}
