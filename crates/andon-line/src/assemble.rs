//! The checks that need the whole line: services that get in each other's way on a host.

use std::collections::BTreeMap;
use std::path::Path;

use andon_core::line::{Host, Line, Service, Transport};
use andon_core::name::HostName;

use crate::diagnostic::{Diagnostic, Location};
use crate::notebook::Draft;
use crate::source::Sources;

/// What tells machines apart: hosts that are the same machine share its ports.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
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
    let diagnostics = check.diagnostics;
    let Draft { hosts, groups, services, .. } = draft;
    (Line { hosts, groups, sites: std::collections::BTreeMap::new(), services }, diagnostics)
}

struct Check<'a> {
    draft: &'a Draft,
    sources: &'a Sources,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Check<'a> {
    /// Every port of a machine belongs to one instance.
    fn ports(&mut self) {
        let mut taken: BTreeMap<(Machine<'a>, u16), (&'a Service, &'a HostName)> = BTreeMap::new();
        let draft = self.draft;
        for (service, host) in placements(draft) {
            for port in &service.run.ports {
                let Some(actual) = port.checked_add(host.port_offset) else {
                    self.overflow(service, host, *port);
                    continue;
                };
                let key = (Machine::of(host), actual);
                match taken.get(&key) {
                    // One host in two environments of a service is told where that is written.
                    Some((other, other_host)) if other.name == service.name && **other_host == host.name => {}
                    Some((other, other_host)) => {
                        self.clash((service, &host.name), (other, other_host), actual)
                    }
                    None => {
                        taken.insert(key, (service, &host.name));
                    }
                }
            }
        }
    }

    fn overflow(&mut self, service: &Service, host: &Host, port: u16) {
        let message = format!(
            "the port {port} of service {} becomes {} on host {}, which is beyond 65535",
            service.name,
            u32::from(port) + u32::from(host.port_offset),
            host.name
        );
        let error = Diagnostic::error(self.location(&format!("{}.run.ports", service.name)), message);
        let host = self.location(&format!("host {}", host.name));
        self.diagnostics.push(error.related(host, "this host has the port_offset"));
    }

    fn clash(&mut self, one: (&Service, &HostName), other: (&Service, &HostName), port: u16) {
        let (a, b) = (&other.0.name, &one.0.name);
        let (message, help) = if one.1 != other.1 {
            let message = format!(
                "the hosts {} and {} are one machine, and its port {port} is used by both",
                other.1, one.1
            );
            (format!("{message} (services {a} and {b})"), "give one of the hosts a `port_offset`")
        } else {
            let message = format!("the port {port} on host {} is used by two services, {a} and {b}", one.1);
            (message, "give one of them another port")
        };
        let error = Diagnostic::error(self.location(&format!("{b}.run.ports")), message).help(help);
        let related = self.location(&format!("{a}.run.ports"));
        self.diagnostics.push(if a == b { error } else { error.related(related, "the other one") });
    }

    /// Two services with one root would take each other's releases away.
    fn roots(&mut self) {
        let mut taken: BTreeMap<(&'a HostName, &'a Path), &'a Service> = BTreeMap::new();
        let draft = self.draft;
        for (service, host) in placements(draft) {
            let other = taken.entry((&host.name, &service.root)).or_insert(service);
            if other.name == service.name {
                continue;
            }
            let root = service.root.display();
            let message = format!(
                "services {} and {} have the same root {root} on host {}",
                other.name, service.name, host.name
            );
            let related = self.location(&format!("{}.root", other.name));
            let error = Diagnostic::error(self.location(&format!("{}.root", service.name)), message);
            self.diagnostics
                .push(error.related(related, "the other one").help("give one of them another `root`"));
        }
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

/// Every service with each of its hosts.
fn placements(draft: &Draft) -> impl Iterator<Item = (&Service, &Host)> {
    draft.services.values().flat_map(move |service| {
        let hosts = service.environments.values().flatten();
        hosts.filter_map(move |name| Some((service, draft.hosts.get(name)?)))
    })
}
