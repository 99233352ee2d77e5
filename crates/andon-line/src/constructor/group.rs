//! `group(...)`: named hosts, and what a list of hosts may consist of.

use std::collections::BTreeMap;

use andon_core::line::{Host, Transport};
use andon_core::name::{GroupName, HostName};
use andon_core::suggest;

use super::host::{self, LOCAL, SSH_PORT, SUDO, USER};
use super::site;
use crate::call::Call;
use crate::kind::{Argument, Given, Kind};
use crate::schema::{Constructor, Default, Parameter};
use crate::source::Place;
use crate::value::{Sort, Thing};

/// One member of a list of hosts.
const MEMBER: Kind = Kind::Either(&[Kind::Name, Kind::Made(&[Sort::Host, Sort::Group])]);
/// A list of hosts, written out or made before.
pub(super) const HOSTS: Kind = Kind::Either(&[Kind::Made(&[Sort::Group, Sort::Host]), Kind::List(&MEMBER)]);

pub(crate) const GROUP: Constructor = Constructor {
    name: "group",
    summary: "Named hosts.",
    details: "A text in the list is a host of that name; `user`, `port`, `sudo` and `local` hold for the hosts that \
              the group creates in this way, `site` for all of its members. A group may be a member of another one.",
    example: "group(\"web\", [\"web%d.example.com\" % n for n in range(1, 9)], user = \"deploy\")",
    positional: 2,
    parameters: &[
        Parameter {
            name: "name",
            kind: Kind::Name,
            default: Default::Required,
            doc: "The name of the group; unique in the line.",
        },
        Parameter {
            name: "hosts",
            kind: Kind::List(&MEMBER),
            default: Default::Required,
            doc: "The members: names of hosts, hosts and groups. The order is the order of deployments.",
        },
        USER,
        SSH_PORT,
        SUDO,
        LOCAL,
        Parameter {
            name: "site",
            kind: Kind::Made(&[Sort::Site]),
            default: Default::Absent,
            doc: "The site that its members stand in.",
        },
    ],
    build,
};

fn build(call: &Call<'_>) -> Option<Thing> {
    let transport = host::transport(call);
    let name = call.text("name").and_then(|name| GroupName::new(name).ok());
    if call.given("hosts").is_some() && call.list("hosts").is_empty() {
        call.error(call.place_of("hosts"), "this group has no hosts");
    }
    let members = Members::of(call, call.list("hosts"), Some(&transport));
    if let (Some(site), Some(members)) = (site::named(call), &members) {
        for (host, place) in &members.places {
            site::stands_in(call, host, &site, *place);
        }
    }
    let (name, members) = (name?, members?);
    call.claim(format!("group {name}"))?;
    let mut draft = call.notebook.draft.borrow_mut();
    draft.groups.insert(name, members.hosts.clone());
    Some(Thing::Group(members.hosts))
}

/// Hosts in the order in which they were listed, none of them twice.
#[derive(Default)]
pub(super) struct Members {
    pub(super) hosts: Vec<HostName>,
    places: BTreeMap<HostName, Place>,
    broken: bool,
}

impl Members {
    /// Flattens a list. Texts that name no host yet make one if there is a `transport` for it.
    /// `None` after an error was recorded.
    pub(super) fn of(call: &Call<'_>, list: &[Given], transport: Option<&Transport>) -> Option<Self> {
        let mut members = Self::default();
        for given in list {
            match &given.argument {
                Argument::Text(name) => members.add_name(call, name, given.place, transport),
                Argument::Made(made) => match &made.thing {
                    Thing::Host(name) => members.add(call, name.clone(), given.place),
                    Thing::Group(hosts) => {
                        for name in hosts {
                            members.add(call, name.clone(), given.place);
                        }
                    }
                    _ => members.broken = true,
                },
                _ => members.broken = true,
            }
        }
        (!members.broken && !members.hosts.is_empty()).then_some(members)
    }

    fn add(&mut self, call: &Call<'_>, name: HostName, place: Place) {
        call.notebook.charge(64);
        match self.places.insert(name.clone(), place) {
            None => self.hosts.push(name),
            Some(first) => {
                let error = call.error_at(place, format!("the host {name} is in this list twice"));
                let first_place = call.notebook.location(first);
                call.notebook.record(if first == place {
                    error
                } else {
                    error.related(first_place, "here first")
                });
                self.broken = true;
            }
        }
    }

    fn add_name(&mut self, call: &Call<'_>, name: &str, place: Place, transport: Option<&Transport>) {
        let Ok(name) = HostName::new(name) else {
            self.broken = true;
            return;
        };
        let known = call.notebook.draft.borrow().hosts.get(&name).cloned();
        match (known, transport) {
            (None, Some(transport)) => {
                let mut transport = transport.clone();
                if let Transport::Ssh { address, .. } = &mut transport {
                    *address = name.to_string();
                }
                host::add(call, Host::new(name.clone(), transport), place);
            }
            (None, None) => {
                self.broken = true;
                unknown_host(call, &name, place);
                return;
            }
            (Some(known), Some(transport)) => differs(call, &known, transport, place),
            (Some(_), None) => {}
        }
        self.add(call, name, place);
    }
}

/// A host that exists already cannot take the defaults of a group without being changed behind its back.
fn differs(call: &Call<'_>, known: &Host, transport: &Transport, place: Place) {
    if !["user", "port", "sudo", "local"].iter().any(|name| call.says(name)) {
        return;
    }
    let mut wanted = transport.clone();
    if let (Transport::Ssh { address, .. }, Transport::Ssh { address: known, .. }) =
        (&mut wanted, &known.transport)
    {
        address.clone_from(known);
    }
    if wanted == known.transport {
        return;
    }
    let mut error = call
        .error_at(place, format!("the host {} exists already, and is reached in another way", known.name))
        .help(
            "what a group says about `user`, `port`, `sudo` and `local` holds only for hosts that it creates",
        );
    if let Some(first) = call.notebook.draft.borrow().origins.get(&format!("host {}", known.name)) {
        error = error.related(call.notebook.location(*first), "described here");
    }
    call.notebook.record(error);
}

fn unknown_host(call: &Call<'_>, name: &HostName, place: Place) {
    let draft = call.notebook.draft.borrow();
    let nearest = suggest::nearest(name.as_str(), draft.hosts.keys().map(HostName::as_str));
    let error = call.error_at(place, format!("there is no host {name}")).suggest(nearest);
    call.notebook.record(error.help("describe it before, with `host(...)` or in a `group(...)`"));
}
