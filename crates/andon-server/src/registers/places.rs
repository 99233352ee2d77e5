//! What runs where: every service in every environment, out of the line and the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use andon_core::deployment::Summary;
use andon_core::name::ServiceName;
use andon_core::release::{Release, ReleaseId};
use andon_core::scope::{Outline, Scope, ScopeName};
use andon_page::releases::{Judged, Known};
use andon_page::services::{Current, Placed};

use crate::artifacts::Artifacts;
use crate::http::Desk;
use crate::lines::LineOnDisk;
use crate::records::{Records, RecordsError};

/// A scope and what is known of it.
pub(crate) struct Place {
    pub(crate) placed: Placed,
    pub(crate) outline: Arc<Outline>,
}

/// Every scope of the line and of the ledger, in the order of their names.
pub(crate) async fn all(desk: &Desk, line: Option<&LineOnDisk>) -> Vec<Place> {
    let known = desk.chronicle.fresh().await;
    let mut outlines: BTreeMap<ScopeName, Arc<Outline>> = known.scopes.clone();
    for scope in line.iter().flat_map(|line| line.scopes()) {
        outlines.entry(scope).or_default();
    }
    let newest = known.deployments.last_per_scope().map(|row| (row.scope().clone(), row.summary()));
    let mut last: BTreeMap<ScopeName, Summary> = newest.collect();
    let mut places = Vec::new();
    for (scope, outline) in outlines {
        let hosts = line.and_then(|line| line.parts(&scope)).map(|(_, hosts)| hosts.len());
        let placed = Placed {
            current: current(&outline.scope),
            lock: outline.scope.lock.clone(),
            held_out: outline.scope.held.len(),
            last: last.remove(&scope),
            described: line.and_then(|line| described(line, &scope)),
            hosts,
            scope,
        };
        places.push(Place { placed, outline });
    }
    places
}

/// What hosts of a scope should run.
pub(crate) fn current(scope: &Scope) -> Option<Current> {
    let release = scope.current.clone()?;
    let known = scope.releases.get(&release);
    let revision = known.and_then(|known| known.release.revision.clone());
    Some(Current { release, revision, since: known.map(|known| known.at) })
}

/// What the line says of a scope, in one sentence: hosts, how a release spreads.
fn described(line: &LineOnDisk, scope: &ScopeName) -> Option<String> {
    let (service, hosts) = line.parts(scope)?;
    let hosts = match hosts.len() {
        1 => "1 host".to_owned(),
        count => format!("{count} hosts"),
    };
    let mut words = vec![hosts];
    if service.blue_green.is_some() {
        words.push("two sets, of which one serves".to_owned());
    }
    if service.balancers.is_empty() {
        words.push("no balancer".to_owned());
    }
    words.push(match &service.watch {
        Some(watch) if !watch.metrics.is_empty() => {
            let names: Vec<&str> = watch.metrics.iter().map(|metric| metric.metric.name.as_str()).collect();
            format!("watched for {}", names.join(", "))
        }
        _ => "not watched".to_owned(),
    });
    Some(words.join(", "))
}

/// Every service of the line and of the ledger.
pub(crate) fn services(places: &[Place]) -> Vec<ServiceName> {
    let names: BTreeSet<&ServiceName> = places.iter().map(|place| &place.placed.scope.service).collect();
    names.into_iter().cloned().collect()
}

/// What is known of the releases of a service in these scopes, the newest judgement first.
pub(crate) fn releases(
    scopes: &[(ScopeName, Scope)],
    artifacts: &Artifacts,
    most: usize,
) -> (Vec<Known>, usize) {
    let mut all: BTreeMap<&ReleaseId, (&Release, i64)> = BTreeMap::new();
    for known in scopes.iter().flat_map(|(_, scope)| scope.releases.values()) {
        let entry = all.entry(&known.release.id).or_insert((&known.release, known.at.0));
        entry.1 = entry.1.max(known.at.0);
    }
    let mut newest: Vec<(&ReleaseId, (&Release, i64))> = all.into_iter().collect();
    newest.sort_by(|(a_id, (_, a)), (b_id, (_, b))| (b, b_id).cmp(&(a, a_id)));
    let more = newest.len().saturating_sub(most);
    let rows = newest.into_iter().take(most).map(|(id, (release, _))| Known {
        release: id.clone(),
        revision: release.revision.clone(),
        packed: release.packed,
        signed: release.signed.clone(),
        kept: artifacts.path(release).is_file(),
        judged: scopes.iter().map(|(_, scope)| judged(scope, id)).collect(),
    });
    (rows.collect(), more)
}

fn judged(scope: &Scope, id: &ReleaseId) -> Option<Judged> {
    let known = scope.releases.get(id)?;
    Some(Judged {
        status: known.status,
        current: scope.current.as_ref() == Some(id),
        at: known.at,
        deployment: known.deployment,
        because: known.because.clone(),
    })
}

/// A release of a service by its name, from any of these scopes.
pub(crate) fn release<'a>(scopes: &'a [(ScopeName, Scope)], id: &ReleaseId) -> Option<&'a Release> {
    scopes.iter().find_map(|(_, scope)| scope.releases.get(id)).map(|known| &known.release)
}

/// The whole scopes of a service, in the order of their names.
pub(crate) async fn scopes_of(
    records: &Records,
    line: Option<&LineOnDisk>,
    service: &ServiceName,
) -> Result<Vec<(ScopeName, Scope)>, RecordsError> {
    let mut names: BTreeSet<ScopeName> = records.scopes().await?.into_iter().map(|(name, _)| name).collect();
    names.extend(line.iter().flat_map(|line| line.scopes()));
    let mut scopes = Vec::new();
    for name in names.into_iter().filter(|name| name.service == *service) {
        let scope = records.scope(&name).await?.value;
        scopes.push((name, scope));
    }
    Ok(scopes)
}
