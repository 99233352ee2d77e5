//! What stands between users and the instances of a service.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Host, Template, Transport};
use crate::balance::Server;
use crate::line::Instance;
use crate::name::{EnvironmentName, HostName, ServerName};

/// A balancer of a service: one configuration, on one host or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balancer {
    /// What kind it is, and how it is reached on its hosts.
    pub kind: BalancerKind,
    /// The hosts that it runs on. For [`BalancerKind::AgentCheck`], which is answered where the service runs, none.
    pub hosts: Vec<HostName>,
    /// The name by which it knows an instance; `{host}`, `{port}` and `{instance}` are filled in.
    pub server: Template,
    /// The environments whose instances it serves; empty for all of the service's.
    #[serde(default)]
    pub environments: BTreeSet<EnvironmentName>,
}

/// The kinds of balancers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BalancerKind {
    /// HAProxy 2.6 or newer, through its runtime API.
    Haproxy {
        /// Where the runtime API listens, seen from the balancer's host.
        api: HaproxyApi,
        /// The backend that holds the servers.
        backend: String,
    },
    /// HAProxy without access to it: every host of the service answers its `agent-check`.
    AgentCheck {
        /// The port that is answered.
        port: u16,
    },
    /// nginx, open source, through an included file that Andon writes.
    Nginx {
        /// The name of the upstream.
        upstream: String,
        /// The file with the upstream's servers, included by nginx's own configuration inside of `upstream {}`.
        include: PathBuf,
        /// The program, with the options that every call of it needs, word by word.
        program: Vec<String>,
        /// The access log to count from; `None` counts nothing.
        access_log: Option<PathBuf>,
        /// The `log_format` of that log, as nginx has it; `None` detects it.
        log_format: Option<String>,
    },
    /// Andon's own.
    Proxy {
        /// Its control socket.
        control: PathBuf,
        /// The pool that holds the servers.
        pool: String,
    },
}

/// Where HAProxy's runtime API listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaproxyApi {
    /// A UNIX socket with `level admin`.
    Socket(PathBuf),
    /// A TCP address with `level admin`, as `host:port`.
    Tcp(String),
}

impl BalancerKind {
    /// What people call it: `haproxy`, `agent-check`, `nginx`, `proxy`.
    pub fn name(&self) -> &'static str {
        match self {
            BalancerKind::Haproxy { .. } => "haproxy",
            BalancerKind::AgentCheck { .. } => "agent-check",
            BalancerKind::Nginx { .. } => "nginx",
            BalancerKind::Proxy { .. } => "proxy",
        }
    }

    /// Whether it counts requests. Who only answers an agent-check sees none, nor does who reads no log of nginx.
    pub fn counts(&self) -> bool {
        match self {
            BalancerKind::Haproxy { .. } | BalancerKind::Proxy { .. } => true,
            BalancerKind::Nginx { access_log, .. } => access_log.is_some(),
            BalancerKind::AgentCheck { .. } => false,
        }
    }

    /// The name of the servers' set in the balancer; none for an agent-check.
    pub fn pool(&self) -> &str {
        match self {
            BalancerKind::Haproxy { backend, .. } => backend,
            BalancerKind::AgentCheck { .. } => "",
            BalancerKind::Nginx { upstream, .. } => upstream,
            BalancerKind::Proxy { pool, .. } => pool,
        }
    }
}

impl Balancer {
    /// Whether the instances of `environment` are behind it.
    pub fn serves(&self, environment: &EnvironmentName) -> bool {
        self.environments.is_empty() || self.environments.contains(environment)
    }

    /// The instance of `host` as this balancer knows it. `None` for one without a port, which no balancer reaches.
    pub fn server(&self, host: &Host, instance: &Instance) -> Option<Server> {
        let port = instance.port?;
        let name = self.server.fill(|placeholder| match placeholder {
            "host" => Some(host.name.to_string()),
            "port" => Some(port.to_string()),
            "instance" => Some(instance.name.to_string()),
            _ => None,
        });
        let name = ServerName::new(name).ok()?;
        Some(Server { name, host: host.name.clone(), address: host.serves_at().to_owned(), port })
    }
}

impl Host {
    /// The name or address at which balancers reach this host.
    pub fn serves_at(&self) -> &str {
        match (&self.serves_at, &self.transport) {
            (Some(address), _) => address,
            (None, Transport::Ssh { address, .. }) => address,
            (None, Transport::Local) => "127.0.0.1",
        }
    }
}
