//! `proxy(...)`: Andon's own balancer, told through its control socket.

use super::{ON_HOSTS, Reach, SERVER, Unassigned, hosts, server, socket};
use crate::call::Call;
use crate::kind::Kind;
use crate::schema::{Constructor, Default, Parameter};
use crate::value::Thing;

pub(crate) const PROXY: Constructor = Constructor {
    name: "proxy",
    summary: "Andon's own balancer, for teams that have none.",
    details: "It is started with `andon proxy` and a file of its own; Andon only says how much traffic each server gets.",
    example: "proxy(host(\"edge1\"), pool = \"www\")",
    positional: 1,
    parameters: &[
        ON_HOSTS,
        Parameter {
            name: "pool",
            kind: Kind::Name,
            default: Default::Absent,
            doc: "The pool that holds the servers. Otherwise the name of the service.",
        },
        Parameter {
            name: "control",
            kind: Kind::Text,
            default: Default::Is("\"/run/andon/proxy.sock\""),
            doc: "Its control socket, on its hosts.",
        },
        SERVER,
    ],
    build,
};

fn build(call: &Call<'_>) -> Option<Thing> {
    let hosts = hosts(call);
    let server = server(call);
    let control = socket(call, "control", "the control socket");
    Some(Thing::Balancer(Unassigned {
        reach: Reach::Proxy(control?),
        hosts: hosts?,
        pool: call.text("pool").map(str::to_owned),
        server: server.ok()?,
    }))
}
