//! Every port of a machine belongs to one instance, or to one answer to an agent-check.

use std::collections::BTreeMap;

use andon_core::line::{Balancer, BalancerKind, Green, Host, Service};

use super::{Check, Machine, placements};
use crate::diagnostic::Diagnostic;

/// Who uses a port of a machine.
#[derive(Clone, Copy)]
struct Claim<'a> {
    service: &'a Service,
    host: &'a Host,
    by: By<'a>,
}

/// What of a service uses a port.
#[derive(Clone, Copy)]
enum By<'a> {
    Instance,
    Green,
    /// The key of the balancer's origin.
    AgentCheck(&'a str),
}

impl Claim<'_> {
    /// The key of the origin.
    fn key(&self) -> String {
        match self.by {
            By::Instance => format!("{}.run.ports", self.service.name),
            By::Green => format!("{}.blue_green.green", self.service.name),
            By::AgentCheck(balancer) => format!("{balancer}.port"),
        }
    }

    /// Whether both are of one service on one host: told where that is written.
    fn is_told_elsewhere(&self, other: &Self) -> bool {
        let mixed = matches!((self.by, other.by), (By::AgentCheck(_), By::Instance | By::Green));
        self.service.name == other.service.name && self.host.name == other.host.name && !mixed
    }
}

impl<'a> Check<'a> {
    /// Ports that are used twice, and those beyond the last one.
    pub(super) fn ports(&mut self) {
        let mut taken: BTreeMap<(Machine<'a>, u16), Claim<'a>> = BTreeMap::new();
        for (service, environment, host) in placements(self.draft) {
            let green: &[u16] = match service.blue_green.as_ref().map(|both| &both.green) {
                Some(Green::Ports(ports)) => ports,
                Some(Green::Hosts(_)) | None => &[],
            };
            let blue = service.run.ports.iter().map(|port| (*port, By::Instance));
            for (port, by) in blue.chain(green.iter().map(|port| (*port, By::Green))) {
                let claim = Claim { service, host, by };
                match port.checked_add(host.port_offset) {
                    Some(actual) => self.claim(&mut taken, claim, actual),
                    None => self.overflow(&claim, port),
                }
            }
            let here = |(_, balancer): &(&str, &Balancer)| balancer.serves(environment);
            for (key, balancer) in self.balancers(service).filter(here) {
                if let BalancerKind::AgentCheck { port } = balancer.kind {
                    self.claim(&mut taken, Claim { service, host, by: By::AgentCheck(key) }, port);
                }
            }
        }
    }

    fn claim(&mut self, taken: &mut BTreeMap<(Machine<'a>, u16), Claim<'a>>, claim: Claim<'a>, port: u16) {
        let key = (Machine::of(claim.host), port);
        match taken.get(&key) {
            Some(other) if claim.is_told_elsewhere(other) => {}
            Some(other) => self.clash(&claim, other, port),
            None => {
                taken.insert(key, claim);
            }
        }
    }

    fn overflow(&mut self, claim: &Claim<'_>, port: u16) {
        let (service, host) = (&claim.service.name, claim.host);
        let actual = u32::from(port) + u32::from(host.port_offset);
        let message = format!(
            "the port {port} of service {service} becomes {actual} on host {}, which is beyond 65535",
            host.name
        );
        let error = Diagnostic::error(self.location(&claim.key()), message);
        let host = self.location(&format!("host {}", host.name));
        self.diagnostics.push(error.related(host, "this host has the port_offset"));
    }

    fn clash(&mut self, one: &Claim<'_>, other: &Claim<'_>, port: u16) {
        let (a, b) = (&other.service.name, &one.service.name);
        let (host, other_host) = (&one.host.name, &other.host.name);
        let (message, help) = if host != other_host {
            let message = format!(
                "the hosts {other_host} and {host} are one machine, and its port {port} is used by both (services {a} and {b})"
            );
            let help = match one.by {
                By::Instance | By::Green => "give one of the hosts a `port_offset`",
                By::AgentCheck(_) => "only one of the hosts can answer agent-checks there",
            };
            (message, help)
        } else if a == b {
            let message = format!(
                "the port {port} on host {host} is that of an instance of {b}, and cannot answer agent-checks"
            );
            (message, "give one of them another port")
        } else {
            let message = format!("the port {port} on host {host} is used by two services, {a} and {b}");
            (message, "give one of them another port")
        };
        let error = Diagnostic::error(self.location(&one.key()), message).help(help);
        let (place, related) = (one.key(), other.key());
        let related = (place != related).then(|| self.location(&related));
        self.diagnostics.push(match related {
            Some(related) => error.related(related, "the other one"),
            None => error,
        });
    }
}
