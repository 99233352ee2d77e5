//! What pages and programs are told of the deployments and the hosts as a whole: gathered here once, shown as HTML or JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use andon_core::chronicle::dna::{Sighting, Strip, strip};
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use andon_page::dna::{Asked, Dna};

use super::Desk;
use crate::census::Counted;
use crate::chronicles::Known;
use crate::lines::LineOnDisk;

pub(super) mod days;
pub(super) mod dora;
pub(super) mod hosts;

/// Why nobody can be asked, where the line cannot be read: one line.
fn unasked(desk: &Desk) -> Option<String> {
    desk.line.current().err().map(|why| why.lines().next().unwrap_or_default().to_owned())
}

/// What is known, all at the same moment.
struct Sight {
    known: Arc<Known>,
    counted: Arc<Counted>,
    line: Option<Arc<LineOnDisk>>,
}

impl Sight {
    /// Takes what there is, and has hosts asked again that were not a moment ago: somebody looks.
    async fn take(desk: &Desk) -> Self {
        let known = desk.chronicle.fresh().await;
        let line = desk.line.current().ok();
        let scopes: Vec<ScopeName> = line.iter().flat_map(|line| line.scopes()).collect();
        desk.census.look(&scopes);
        Self { known, counted: desk.census.now(), line }
    }

    fn scopes(&self) -> impl Iterator<Item = ScopeName> {
        self.line.iter().flat_map(|line| line.scopes())
    }

    fn sightings(&self, scope: &ScopeName) -> Option<&BTreeMap<HostName, Sighting>> {
        self.counted.scopes.get(scope).map(|count| &count.sightings)
    }

    fn asked(&self, scope: &ScopeName) -> Option<Time> {
        self.counted.scopes.get(scope).map(|count| count.asked)
    }

    fn strip(&self, scope: &ScopeName) -> Strip {
        let sightings = self.sightings(scope);
        let hosts = self.line.as_ref().and_then(|line| line.parts(scope)).map(|(_, hosts)| hosts);
        let hosts = hosts.unwrap_or_default();
        let said = hosts.iter().map(|host| (&host.name, sightings.and_then(|said| said.get(&host.name))));
        let current = self.known.scopes.get(scope).and_then(|known| known.scope.current.as_ref());
        strip(self.known.ages(), scope, current, said)
    }
}

/// Version DNA, of one service or of all.
pub(super) async fn dna(desk: &Desk, service: Option<ServiceName>) -> Dna {
    let sight = Sight::take(desk).await;
    let wanted = |scope: &ScopeName| service.as_ref().is_none_or(|service| scope.service == *service);
    let strips = sight.scopes().filter(wanted);
    let strips = strips.map(|scope| Asked { at: sight.asked(&scope), strip: sight.strip(&scope) });
    Dna { strips: strips.collect(), service, unasked: unasked(desk) }
}

/// The environment that is measured unless somebody says otherwise: `production` where there is one, else all.
fn usual_environment(known: &Known) -> Option<EnvironmentName> {
    let production = |scope: &&ScopeName| scope.environment.as_str() == "production";
    known.deployments.scopes().find(production).map(|scope| scope.environment.clone())
}
