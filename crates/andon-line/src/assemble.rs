//! The checks that need the whole line: services that get in each other's way on a host or in a balancer, and what
//! they ask of their hosts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use andon_core::line::{Balancer, Host, Line, Service, Transport};
use andon_core::name::{EnvironmentName, HostName};

use crate::diagnostic::{Diagnostic, Location};
use crate::notebook::Draft;
use crate::source::Sources;

mod balancers;
mod environments;
mod ports;
mod sites;
mod twins;

/// What tells machines apart: hosts that are the same machine share its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Machine<'a> {
    ThisOne,
    Remote(&'a str, Option<u16>),
}

impl<'a> Machine<'a> {
    fn of(host: &'a Host) -> Self {
        match &host.transport {
            Transport::Local => Machine::ThisOne,
            Transport::Ssh { address, port, .. } => Machine::Remote(address, *port),
        }
    }
}

/// Makes the line out of what the constructors wrote down, and says what does not fit together.
pub(crate) fn assemble(draft: Draft, sources: &Sources) -> (Line, Vec<Diagnostic>) {
    let mut check = Check { draft: &draft, sources, diagnostics: Vec::new() };
    check.ports();
    check.roots();
    check.twins();
    check.servers();
    check.pools();
    check.sites();
    check.guards();
    let diagnostics = check.diagnostics;
    let Draft { hosts, groups, sites, services, environments, server, .. } = draft;
    let mut line = Line { hosts, groups, sites, services, environments, server };
    line.add_twins();
    (line, diagnostics)
}

struct Check<'a> {
    draft: &'a Draft,
    sources: &'a Sources,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Check<'a> {
    /// Two services with one root would take each other's releases away.
    fn roots(&mut self) {
        let mut taken: BTreeMap<(&'a HostName, Cow<'a, Path>), &'a Service> = BTreeMap::new();
        let draft = self.draft;
        for (service, _, host) in placements(draft) {
            for root in twins::roots(service) {
                let shown = root.display().to_string();
                let other = *taken.entry((&host.name, root)).or_insert(service);
                if other.name == service.name {
                    continue;
                }
                let message = format!(
                    "services {} and {} have the same root {shown} on host {}",
                    other.name, service.name, host.name
                );
                let related = self.location(&format!("{}.root", other.name));
                let error = Diagnostic::error(self.location(&format!("{}.root", service.name)), message);
                self.diagnostics
                    .push(error.related(related, "the other one").help("give one of them another `root`"));
            }
        }
    }

    /// The balancers of a service, each with the key of its origin.
    fn balancers(&self, service: &'a Service) -> impl Iterator<Item = (&'a str, &'a Balancer)> + use<'a> {
        let keys = self.draft.balancers.get(&service.name).into_iter().flatten();
        keys.map(String::as_str).zip(&service.balancers)
    }

    fn location(&self, key: &str) -> Location {
        let place = self.draft.origins.get(key).or_else(|| {
            let parent = key.rsplit_once('.').map_or(key, |(parent, _)| parent);
            self.draft.origins.get(parent)
        });
        match place.and_then(|place| Some((self.sources.get(place.source)?, place))) {
            Some((source, place)) => Location::within(&source, place.begin, place.end),
            None => Location::file("line.star"),
        }
    }
}

/// Every service with each of its hosts, by environment.
fn placements(draft: &Draft) -> impl Iterator<Item = (&Service, &EnvironmentName, &Host)> {
    draft.services.values().flat_map(move |service| {
        service.environments.iter().flat_map(move |(environment, hosts)| {
            hosts.iter().filter_map(move |name| Some((service, environment, draft.hosts.get(name)?)))
        })
    })
}
