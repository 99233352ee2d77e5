//! `haproxy(...)` and `agent_check(...)`: HAProxy, told through its runtime API or by answering its questions.

use andon_core::line::HaproxyApi;

use super::{ON_HOSTS, Reach, SERVER, Unassigned, hosts, server, socket};
use crate::call::Call;
use crate::kind::{Kind, PORT, quoted};
use crate::schema::{Constructor, Default, Parameter};
use crate::value::Thing;

pub(crate) const HAPROXY: Constructor = Constructor {
    name: "haproxy",
    summary: "HAProxy 2.6 or newer, told through its runtime API.",
    details: "The configuration of HAProxy stays yours: it has a backend with one `server` for each instance, and a \
              `stats socket` with `level admin`. Andon only says how much traffic each server gets.",
    example: "haproxy(group(\"lb\", [\"lb1.example.com\", \"lb2.example.com\"]), backend = \"www\")",
    positional: 1,
    parameters: &[
        ON_HOSTS,
        Parameter {
            name: "backend",
            kind: Kind::Name,
            default: Default::Absent,
            doc: "The backend that holds the servers. Otherwise the name of the service.",
        },
        Parameter {
            name: "socket",
            kind: Kind::Text,
            default: Default::Is("\"/run/haproxy/admin.sock\""),
            doc: "The `stats socket` on the hosts of HAProxy, with `level admin`.",
        },
        Parameter {
            name: "api",
            kind: Kind::Word,
            default: Default::Absent,
            doc: "Instead of `socket`, the address of a `stats socket` on TCP as the hosts of HAProxy see it, for example `127.0.0.1:9999`.",
        },
        SERVER,
    ],
    build: haproxy,
};

pub(crate) const AGENT_CHECK: Constructor = Constructor {
    name: "agent_check",
    summary: "HAProxy without any access to it: each host of the service answers its `agent-check`.",
    details: "HAProxy asks and obeys, so only HAProxy itself knows what is under way: a drain is proven by the host's \
              own connections.",
    example: "agent_check(port = 9101)",
    positional: 0,
    parameters: &[
        Parameter {
            name: "port",
            kind: PORT,
            default: Default::Is("9101"),
            doc: "The `agent-port` that is answered on every host of the service. A host's `port_offset` is not added.",
        },
        SERVER,
    ],
    build: agent_check,
};

fn haproxy(call: &Call<'_>) -> Option<Thing> {
    if call.says("socket") && call.says("api") {
        let error = call.error_at(call.place_of("api"), "give either `socket` or `api`, not both");
        call.notebook.record(error.help("both lead to the same runtime API; a socket needs no open port"));
    }
    let hosts = hosts(call);
    let server = server(call);
    let api = if call.says("api") { tcp(call) } else { on_socket(call) };
    Some(Thing::Balancer(Unassigned {
        reach: Reach::Haproxy(api?),
        hosts: hosts?,
        pool: call.text("backend").map(str::to_owned),
        server: server.ok()?,
    }))
}

fn on_socket(call: &Call<'_>) -> Option<HaproxyApi> {
    socket(call, "socket", "the socket of HAProxy").map(HaproxyApi::Socket)
}

fn tcp(call: &Call<'_>) -> Option<HaproxyApi> {
    let text = call.text("api")?;
    let place = call.place_of("api");
    let parts = text.rsplit_once(':');
    let port = parts.and_then(|(_, port)| port.parse::<u16>().ok()).filter(|port| *port > 0);
    let host = parts.map_or(text, |(host, _)| host);
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let named = super::super::host::is_address(bare.unwrap_or(host)) && bare.is_some() == host.contains(':');
    if port.is_none() || !named {
        let error = call.error_at(place, format!("{} is not an address with a port", quoted(text)));
        let example = "write it like \"127.0.0.1:9999\" or \"[::1]:9999\"; a path belongs to `socket`";
        call.notebook.record(error.help(example));
        return None;
    }
    Some(HaproxyApi::Tcp(text.to_owned()))
}

fn agent_check(call: &Call<'_>) -> Option<Thing> {
    let server = server(call);
    Some(Thing::Balancer(Unassigned {
        reach: Reach::AgentCheck(call.port("port")?),
        hosts: Vec::new(),
        pool: None,
        server: server.ok()?,
    }))
}
