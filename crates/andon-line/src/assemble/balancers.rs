//! What balancers call the instances of a service, where they reach them, and that a pool has one owner.

use std::collections::{BTreeMap, BTreeSet};

use andon_core::line::{Balancer, BalancerKind, Green, HaproxyApi, Host, Service};
use andon_core::name::{HostName, ServerName};

use super::twins::green_name;
use super::{Check, Machine};
use crate::constructor::host::is_address;
use crate::diagnostic::Diagnostic;

/// One pool, wherever it is described: two that are equal are the same.
type PoolKey<'a> = (Machine<'a>, &'a str, &'a str);

impl<'a> Check<'a> {
    /// The name of a server is a name, and that of one instance; and balancers can be told where it is.
    pub(super) fn servers(&mut self) {
        let draft = self.draft;
        let mut told = BTreeSet::new();
        for service in draft.services.values() {
            for (key, balancer) in self.balancers(service) {
                let hosts: Vec<&Host> =
                    hosts_behind(service, balancer).filter_map(|name| draft.hosts.get(name)).collect();
                self.names(service, key, balancer, &hosts);
                if !matches!(balancer.kind, BalancerKind::AgentCheck { .. }) {
                    for host in hosts.into_iter().filter(|host| !is_address(host.serves_at())) {
                        if told.insert(&host.name) {
                            self.unreachable(host, key);
                        }
                    }
                }
            }
        }
    }

    /// Tells the first name that is wrong; the others are so for the same reason.
    fn names(&mut self, service: &Service, key: &str, balancer: &Balancer, hosts: &[&Host]) {
        let mut taken: BTreeMap<String, (String, u16)> = BTreeMap::new();
        let place = format!("{key}.server");
        for (host, port) in hosts.iter().flat_map(|host| instances(service, host)) {
            let name = balancer.server.fill(|placeholder| match placeholder {
                "host" => Some(host.clone()),
                "port" | "instance" => Some(port.to_string()),
                _ => None,
            });
            if let Err(error) = ServerName::new(name.as_str()) {
                let message = format!("{name:?} cannot be the name of a server: {error}");
                self.diagnostics.push(Diagnostic::error(self.location(&place), message));
                return;
            }
            // A host or a port that is listed twice is told where that is written.
            let known = taken.insert(name.clone(), (host.clone(), port));
            if let Some((other, other_port)) = known.filter(|known| *known != (host.clone(), port)) {
                let message = format!(
                    "{name} would be the name of two servers: port {other_port} of {other} and port {port} of {host}"
                );
                let help = "tell them apart, as in `server = \"{host}-{port}\"`";
                self.diagnostics.push(Diagnostic::error(self.location(&place), message).help(help));
                return;
            }
        }
    }

    fn unreachable(&mut self, host: &Host, balancer: &str) {
        let message = format!(
            "balancers cannot be told to reach the host {} at {}, which is neither a name nor an address",
            host.name,
            crate::kind::quoted(host.serves_at())
        );
        let error = Diagnostic::error(self.location(&format!("host {}", host.name)), message);
        let related = self.location(balancer);
        self.diagnostics
            .push(error.related(related, "this one has to").help("add `serves_at = ...` to the host"));
    }

    /// A pool obeys one deployment at a time, and a file of servers has one writer.
    pub(super) fn pools(&mut self) {
        let draft = self.draft;
        let all: Vec<(&'a Service, &'a str, &'a Balancer, String)> = draft
            .services
            .values()
            .flat_map(|service| self.balancers(service).map(move |(key, balancer)| (service, key, balancer)))
            .map(|(service, key, balancer)| (service, key, balancer, endpoint(&balancer.kind)))
            .collect();
        let mut owners: BTreeMap<PoolKey<'_>, (&Service, &str)> = BTreeMap::new();
        for (service, key, balancer, endpoint) in &all {
            self.environments(service, key, balancer);
            let hosts = balancer.hosts.iter().filter_map(|name| draft.hosts.get(name));
            let mut other = None;
            for host in hosts {
                let pool = (Machine::of(host), balancer.kind.name(), endpoint.as_str());
                match owners.get(&pool) {
                    // Two names of one machine.
                    Some((_, first)) if first == key => {}
                    Some((owner, first)) => other = other.or(Some((*owner, *first, host))),
                    None => {
                        owners.insert(pool, (service, key));
                    }
                }
            }
            if let Some((owner, first, host)) = other {
                self.shared(service, (key, balancer), (owner, first), host);
            }
        }
    }

    fn shared(
        &mut self,
        service: &Service,
        (key, balancer): (&str, &Balancer),
        (owner, first): (&Service, &str),
        host: &Host,
    ) {
        let pool = format!("{} {} on {}", balancer.kind.name(), balancer.kind.pool(), host.name);
        let message = if owner.name == service.name {
            format!("the pool {pool} is listed twice")
        } else {
            format!("the pool {pool} belongs to two services, {} and {}", owner.name, service.name)
        };
        let error = Diagnostic::error(self.location(key), message);
        let related = self.location(first);
        let help = "a pool obeys one service; give each its own";
        self.diagnostics.push(error.related(related, "the other one").help(help));
    }

    /// One pool for several environments is a mistake in most lines, and cannot be in those with a file of servers.
    fn environments(&mut self, service: &Service, key: &str, balancer: &Balancer) {
        let served: Vec<String> = service
            .environments
            .keys()
            .filter(|environment| balancer.serves(environment))
            .map(ToString::to_string)
            .collect();
        let ([_, _, ..], pool) = (served.as_slice(), balancer.kind.pool()) else { return };
        let names = served.join(" and ");
        let help = "name the environment, as in `balancer = {\"production\": ...}`";
        let place = self.location(key);
        self.diagnostics.push(
            match &balancer.kind {
                BalancerKind::AgentCheck { .. } => return,
                BalancerKind::Nginx { .. } => Diagnostic::error(
                    place,
                    format!("the upstream {pool} would have two lists of servers, those of {names}"),
                ),
                BalancerKind::Haproxy { .. } | BalancerKind::Proxy { .. } => Diagnostic::warning(
                    place,
                    format!("{names} share the pool {pool}, so users of one reach the other"),
                ),
            }
            .help(help),
        );
    }
}

/// The hosts whose instances are behind a balancer.
fn hosts_behind<'a>(service: &'a Service, balancer: &'a Balancer) -> impl Iterator<Item = &'a HostName> {
    let environments = service.environments.iter().filter(|(name, _)| balancer.serves(name));
    environments.flat_map(|(_, hosts)| hosts)
}

/// The instances on a host: what the core calls the host, and the port. Green ones beside blue ones go by a name of
/// their own.
fn instances(service: &Service, host: &Host) -> Vec<(String, u16)> {
    let green: &[u16] = match service.blue_green.as_ref().map(|both| &both.green) {
        Some(Green::Ports(ports)) => ports,
        Some(Green::Hosts(_)) | None => &[],
    };
    let blue = service.run.ports.iter().map(|port| (host.name.to_string(), port));
    let all = blue.chain(green.iter().map(|port| (green_name(&host.name), port)));
    all.filter_map(|(name, port)| Some((name, port.checked_add(host.port_offset)?))).collect()
}

/// What tells the pools of balancers of one kind on one machine apart.
fn endpoint(kind: &BalancerKind) -> String {
    match kind {
        BalancerKind::Haproxy { api: HaproxyApi::Socket(path), backend } => {
            format!("{} {backend}", path.display())
        }
        BalancerKind::Haproxy { api: HaproxyApi::Tcp(address), backend } => format!("{address} {backend}"),
        // These run where the service does, and are told apart by their ports.
        BalancerKind::AgentCheck { .. } => String::new(),
        BalancerKind::Nginx { include, .. } => include.display().to_string(),
        BalancerKind::Proxy { control, pool } => format!("{} {pool}", control.display()),
    }
}
