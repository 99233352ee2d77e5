//! `host(...)`: one machine and the way to it.

use andon_core::line::{Host, Transport};
use andon_core::name::HostName;

use crate::call::Call;
use crate::kind::{Kind, PORT};
use crate::schema::{Constructor, Default, Parameter};
use crate::source::Place;
use crate::value::Thing;

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
    let host = Host { port_offset, ..Host::new(name.clone(), transport) };
    add(call, host, call.place_of("name")).then_some(Thing::Host(name))
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
