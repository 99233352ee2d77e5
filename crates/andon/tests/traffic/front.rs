//! What stands before the shop: one of the balancers that Andon speaks with.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use andon_testbed::balancer::{free_ports, haproxy, nginx};
use andon_testbed::{Backend, Haproxy, Nginx, Proxy, Retries};

/// The pool of the built-in proxy.
const POOL: &str = "www";

/// A running balancer.
pub(crate) enum Front {
    Haproxy(Haproxy),
    Nginx(Nginx),
    /// With what keeps its port from other tests.
    Proxy {
        proxy: Proxy,
        _held: TcpListener,
    },
}

impl Front {
    pub(crate) fn haproxy(backends: &[Backend]) -> Self {
        Self::Haproxy(Haproxy::start(backends, Retries::None).unwrap())
    }

    pub(crate) fn nginx(backends: &[Backend]) -> Self {
        Self::Nginx(Nginx::start(backends, Retries::None).unwrap())
    }

    pub(crate) fn proxy(backends: &[Backend]) -> Self {
        let (held, port) = free_ports(1).unwrap();
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let program = Path::new(env!("CARGO_BIN_EXE_andon"));
        let proxy = Proxy::start(program, free, |place| proxy_config(place, free, backends));
        Self::Proxy { proxy: proxy.unwrap(), _held: held }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Front::Haproxy(_) => "haproxy",
            Front::Nginx(_) => "nginx",
            Front::Proxy { .. } => "proxy",
        }
    }

    /// The control socket of the built-in proxy.
    pub(crate) fn control(&self) -> Option<PathBuf> {
        match self {
            Front::Proxy { proxy, .. } => Some(control(&proxy.directory())),
            Front::Haproxy(_) | Front::Nginx(_) => None,
        }
    }

    /// Where users reach it.
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Front::Haproxy(haproxy) => haproxy.address(),
            Front::Nginx(nginx) => nginx.address(),
            Front::Proxy { proxy, .. } => proxy.address(),
        }
    }

    /// The balancer of the line, on the host that the expression `host` names.
    pub(crate) fn expression(&self, host: &str) -> String {
        match self {
            Front::Haproxy(it) => haproxy_on(host, &it.socket()),
            Front::Nginx(it) => format!(
                "nginx({host}, upstream = {upstream:?}, include = {include:?}, program = {program:?}, \
                 access_log = {log:?})",
                upstream = nginx::UPSTREAM,
                include = it.include(),
                program = it.program(),
                log = it.access_log(),
            ),
            Front::Proxy { proxy: it, .. } => {
                format!("proxy({host}, pool = {POOL:?}, control = {:?})", control(&it.directory()))
            }
        }
    }
}

/// HAProxy in a line, with its runtime API at `socket`.
pub(crate) fn haproxy_on(host: &str, socket: &Path) -> String {
    format!("haproxy({host}, backend = {:?}, socket = {socket:?})", haproxy::BACKEND)
}

fn control(place: &Path) -> PathBuf {
    place.join("control.sock")
}

fn proxy_config(place: &Path, address: SocketAddr, backends: &[Backend]) -> String {
    let servers: Vec<String> = backends
        .iter()
        .map(|Backend { name, address }| format!("  {{ name = \"{name}\", address = \"{address}\" }},\n"))
        .collect();
    format!(
        "control = {control:?}\n\n[[listen]]\naddress = \"{address}\"\npool = \"{POOL}\"\n\n\
         [pools.{POOL}]\nretries = 0\nservers = [\n{servers}]\n\n\
         [pools.{POOL}.health_check]\npath = \"/healthz\"\ninterval = \"200ms\"\n\
         healthy_after = 1\nunhealthy_after = 2\n",
        control = control(place),
        servers = servers.concat(),
    )
}
