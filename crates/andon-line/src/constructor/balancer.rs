//! `haproxy(...)`, `agent_check(...)`, `nginx(...)` and `proxy(...)`: what stands between users and a service.
//!
//! A balancer is described before the service that it belongs to, which decides what was left open: the name of the
//! pool, and what an instance is called there.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use andon_core::line::run::TemplateError;
use andon_core::line::{Balancer, BalancerKind, HaproxyApi, Template};
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use andon_core::suggest;

use super::group::{HOSTS, Members};
use crate::call::Call;
use crate::kind::{Argument, Kind};
use crate::schema::{Default, Parameter};

pub(crate) use haproxy::{AGENT_CHECK, HAPROXY};
pub(crate) use nginx::NGINX;
pub(crate) use proxy::PROXY;

mod haproxy;
mod nginx;
mod proxy;

/// What the name of a server may be made of.
const PLACEHOLDERS: [&str; 3] = ["host", "port", "instance"];
/// The longest path that a UNIX socket can have on Linux, in bytes.
const LONGEST_SOCKET: usize = 107;

const ON_HOSTS: Parameter = Parameter {
    name: "hosts",
    kind: HOSTS,
    default: Default::Required,
    doc: "The hosts that it runs on: any hosts of the line, those of the service included. All of them have to agree before a drain counts.",
};
const SERVER: Parameter = Parameter {
    name: "server",
    kind: Kind::Text,
    default: Default::Absent,
    doc: "What an instance is called there; may name {host}, {port} and {instance}. Otherwise `{host}`, and `{host}-{port}` for a service with several ports.",
};

/// A balancer that no service has taken yet.
#[derive(Debug)]
pub(crate) struct Unassigned {
    reach: Reach,
    hosts: Vec<HostName>,
    /// The name of its pool; otherwise that of the service.
    pool: Option<String>,
    /// What it calls an instance; otherwise that depends on how many a host has.
    server: Option<Template>,
}

/// How a balancer is reached, without the name of its pool.
#[derive(Debug)]
enum Reach {
    Haproxy(HaproxyApi),
    AgentCheck(u16),
    Nginx {
        /// Otherwise a file with the name of the upstream.
        include: Option<PathBuf>,
        program: Vec<String>,
        access_log: Option<PathBuf>,
        log_format: Option<String>,
    },
    Proxy(PathBuf),
}

impl Unassigned {
    /// The balancer of a service; `several` says whether it has more than one port.
    pub(super) fn assign(
        &self,
        service: &ServiceName,
        several: bool,
        environments: BTreeSet<EnvironmentName>,
    ) -> Option<Balancer> {
        let pool = self.pool.clone().unwrap_or_else(|| service.to_string());
        let kind = match &self.reach {
            Reach::Haproxy(api) => BalancerKind::Haproxy { api: api.clone(), backend: pool },
            Reach::AgentCheck(port) => BalancerKind::AgentCheck { port: *port },
            Reach::Nginx { include, program, access_log, log_format } => BalancerKind::Nginx {
                include: include.clone().unwrap_or_else(|| format!("/etc/nginx/andon/{pool}.conf").into()),
                upstream: pool,
                program: program.clone(),
                access_log: access_log.clone(),
                log_format: log_format.clone(),
            },
            Reach::Proxy(control) => BalancerKind::Proxy { control: control.clone(), pool },
        };
        let usual = if several { "{host}-{port}" } else { "{host}" };
        let server = self.server.clone().map_or_else(|| Template::new(usual).ok(), Some)?;
        Some(Balancer { kind, hosts: self.hosts.clone(), server, environments })
    }
}

fn hosts(call: &Call<'_>) -> Option<Vec<HostName>> {
    let given = call.given("hosts")?;
    match &given.argument {
        Argument::List(members) if members.is_empty() => {
            let error = call.error_at(given.place, "this balancer has no hosts");
            call.notebook.record(error.help("name the hosts that it runs on; Andon reaches it there"));
            None
        }
        Argument::List(members) => Members::of(call, members, None).map(|members| members.hosts),
        _ => Members::of(call, std::slice::from_ref(given), None).map(|members| members.hosts),
    }
}

/// The template of the names of servers: `Ok(None)` if there is none, `Err` after what is wrong was recorded.
fn server(call: &Call<'_>) -> Result<Option<Template>, ()> {
    let Some(given) = call.given("server") else {
        return if call.is_broken("server") { Err(()) } else { Ok(None) };
    };
    let text = given.text().unwrap_or_default();
    let template = Template::new(text);
    let foreign = |template: &Template| {
        let known = andon_core::line::run::PLACEHOLDERS;
        known.into_iter().find(|name| !PLACEHOLDERS.contains(name) && template.names(name)).map(str::to_owned)
    };
    let unknown = match &template {
        Ok(template) => foreign(template),
        Err(TemplateError::Unknown(name)) => Some(name.clone()),
        Err(TemplateError::Unbalanced) => None,
    };
    if let Some(name) = unknown {
        let message = format!(
            "a balancer knows no {{{name}}}: the name of a server may hold {{host}}, {{port}} and {{instance}}"
        );
        let nearest = suggest::nearest(&name, PLACEHOLDERS).map(|name| format!("{{{name}}}"));
        call.notebook.record(call.error_at(given.place, message).suggest(nearest.as_deref()));
        return Err(());
    }
    template.map(Some).map_err(|error| call.error(given.place, error.to_string()))
}

/// An absolute path on the balancer's host, called `what` in messages. `None` if there is none, or after what is
/// wrong with it was recorded.
fn absolute(call: &Call<'_>, name: &str, what: &str) -> Option<PathBuf> {
    let given = call.given(name)?;
    let text = given.text()?;
    let path = Path::new(text);
    if !path.is_absolute() {
        let message = format!("{what} is an absolute path, got {}", crate::kind::quoted(text));
        let suggestion = format!("/{text}");
        let simple = text.len() < 60 && text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let error = call.error_at(given.place, message);
        call.notebook.record(error.suggest(simple.then_some(suggestion.as_str())));
        return None;
    }
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let is_file = path.parent().is_some() && !text.ends_with('/');
    if !is_file || !path.components().all(plain) || text.chars().any(char::is_control) {
        call.error(given.place, format!("{} cannot be {what}", crate::kind::quoted(text)));
        return None;
    }
    Some(path.components().collect())
}

/// [`absolute`] for a UNIX socket.
fn socket(call: &Call<'_>, name: &str, what: &str) -> Option<PathBuf> {
    let path = absolute(call, name, what)?;
    let length = path.as_os_str().len();
    if length > LONGEST_SOCKET {
        let message =
            format!("the path of a socket has at most {LONGEST_SOCKET} characters, this one has {length}");
        call.error(call.place_of(name), message);
        return None;
    }
    Some(path)
}
