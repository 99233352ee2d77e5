//! `host(...)`: one machine and the way to it.

use std::net::IpAddr;

use andon_core::line::{Host, Transport};
use andon_core::name::HostName;

use super::site;
use crate::call::Call;
use crate::kind::{Kind, PORT, quoted};
use crate::schema::{Constructor, Default, Parameter};
use crate::source::Place;
use crate::value::{Sort, Thing};

pub(crate) const HOST: Constructor = Constructor {
    name: "host",
    summary: "One machine and the way to it.",
    details: "Machines that need nothing but a name can be written as texts in a `group`.",
    example: "host(\"web1\", address = \"10.0.0.11\", user = \"deploy\", sudo = True)",
    positional: 1,
    parameters: &[
        Parameter {
            name: "name",
            kind: Kind::Name,
            default: Default::Required,
            doc: "The name by which Andon speaks of the host; unique in the line.",
        },
        Parameter {
            name: "address",
            kind: Kind::Word,
            default: Default::Absent,
            doc: "What `ssh` is asked to reach: a name, an address or an alias of `~/.ssh/config`. Otherwise the name.",
        },
        USER,
        SSH_PORT,
        SUDO,
        LOCAL,
        Parameter {
            name: "port_offset",
            kind: Kind::Number { min: 0, max: 65_534 },
            default: Default::Is("0"),
            doc: "Added to every port of every service here, so that one machine can stand in for several.",
        },
        Parameter {
            name: "site",
            kind: Kind::Made(&[Sort::Site]),
            default: Default::Absent,
            doc: "The site that it stands in.",
        },
        Parameter {
            name: "serves_at",
            kind: Kind::Word,
            default: Default::Absent,
            doc: "The name or address at which balancers reach it. Otherwise the one that `ssh` reaches, and `127.0.0.1` for a local host.",
        },
    ],
    build,
};

pub(super) const USER: Parameter = Parameter {
    name: "user",
    kind: Kind::Word,
    default: Default::Absent,
    doc: "The remote user. Otherwise `ssh` decides.",
};
pub(super) const SSH_PORT: Parameter = Parameter {
    name: "port",
    kind: PORT,
    default: Default::Absent,
    doc: "The port of the SSH server. Otherwise `ssh` decides.",
};
pub(super) const SUDO: Parameter = Parameter {
    name: "sudo",
    kind: Kind::Flag,
    default: Default::Is("False"),
    doc: "Run Andon's part on the host as root, through `sudo -n`.",
};
pub(super) const LOCAL: Parameter = Parameter {
    name: "local",
    kind: Kind::Flag,
    default: Default::Is("False"),
    doc: "Not a remote host but the machine that runs Andon, below a directory of its own. For trying things out.",
};

fn build(call: &Call<'_>) -> Option<Thing> {
    let transport = transport(call);
    let name = HostName::new(call.text("name")?).ok()?;
    let transport = match transport {
        Transport::Ssh { address, user, port, sudo } if address.is_empty() => {
            Transport::Ssh { address: name.to_string(), user, port, sudo }
        }
        other => other,
    };
    let port_offset = call.port("port_offset").unwrap_or_default();
    let site = site::named(call);
    let host = Host { port_offset, site, serves_at: serves_at(call), ..Host::new(name.clone(), transport) };
    add(call, host, call.place_of("name")).then_some(Thing::Host(name))
}

fn serves_at(call: &Call<'_>) -> Option<String> {
    let text = call.text("serves_at")?;
    if is_address(text) {
        return Some(text.to_owned());
    }
    let message = format!("{} is neither a name nor an address", quoted(text));
    let error = call.error_at(call.place_of("serves_at"), message);
    call.notebook
        .record(error.help("write it without a port, as in \"10.0.0.1\"; the ports are those of `run`"));
    None
}

/// Whether balancers can be told to reach something at `text`.
pub(crate) fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || HostName::new(text).is_ok()
}

/// The transport that the arguments of a host or a group describe; the address may still be empty.
pub(super) fn transport(call: &Call<'_>) -> Transport {
    if call.flag("local").unwrap_or_default() {
        for remote in ["address", "user", "port", "sudo"] {
            if call.says(remote) && call.flag(remote) != Some(false) {
                let message = format!("`{remote}` has no meaning for a local host");
                let help = "a local host is this machine and this user; leave out either `local` or this";
                call.notebook.record(call.error_at(call.place_of(remote), message).help(help));
            }
        }
        return Transport::Local;
    }
    Transport::Ssh {
        address: call.text("address").unwrap_or_default().to_owned(),
        user: call.text("user").map(str::to_owned),
        port: call.port("port"),
        sudo: call.flag("sudo").unwrap_or_default(),
    }
}

/// Adds a host to the line; records an error and says `false` if there is one of that name.
pub(super) fn add(call: &Call<'_>, host: Host, place: Place) -> bool {
    let key = format!("host {}", host.name);
    let mut draft = call.notebook.draft.borrow_mut();
    if let Some(first) = draft.origins.get(&key) {
        let first = call.notebook.location(*first);
        let error = call
            .error_at(place, format!("the {key} is described twice"))
            .related(first, "described here first")
            .help("describe a host once, before the groups that name it, or give this one another name");
        drop(draft);
        call.notebook.record(error);
        return false;
    }
    draft.origins.insert(key, place);
    draft.hosts.insert(host.name.clone(), host);
    true
}
