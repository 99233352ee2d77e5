//! `site(...)`: a place where hosts stand, that can be taken out of traffic as a whole.

use andon_core::line::Site;
use andon_core::name::{HostName, SiteName};

use super::command::{COMMAND, bare_words};
use crate::call::Call;
use crate::kind::Kind;
use crate::schema::{Constructor, Default, Parameter};
use crate::source::Place;
use crate::value::Thing;

pub(crate) const SITE: Constructor = Constructor {
    name: "site",
    summary: "A place where hosts stand: a datacenter, a room, a zone.",
    details: "Hosts and groups name it with `site = ...`; `rollout(by_site = True)` goes through the sites one after \
              another. Where more than the balancers leads users to a site, say how to keep them away from it and how \
              to bring them back. Both commands are run on the machine of Andon, in the directory of the line, without \
              a shell, and may be repeated.",
    example: "site(\"ams\", out = \"dns/weight ams 0\", back = \"dns/weight ams 100\")",
    positional: 1,
    parameters: &[
        Parameter {
            name: "name",
            kind: Kind::Name,
            default: Default::Required,
            doc: "The name of the site; unique in the line.",
        },
        Parameter {
            name: "out",
            kind: COMMAND,
            default: Default::Absent,
            doc: "The command that keeps users away from the site: a text split like a shell would, or a list of words.",
        },
        Parameter {
            name: "back",
            kind: COMMAND,
            default: Default::Absent,
            doc: "The command that brings them back.",
        },
    ],
    build,
};

fn build(call: &Call<'_>) -> Option<Thing> {
    let name = call.text("name").and_then(|name| SiteName::new(name).ok());
    for (said, missing, why) in [
        ("out", "back", "nothing would bring users back to this site"),
        ("back", "out", "nothing keeps users away from this site, so there is nothing to bring back"),
    ] {
        if call.says(said) && !call.says(missing) {
            let error = call.error_at(call.place_of(said), why);
            call.notebook.record(error.help(format!("add `{missing} = ...`")));
        }
    }
    let (out, back) = (bare_words(call, "out"), bare_words(call, "back"));
    let name = name?;
    call.claim(format!("site {name}"))?;
    let mut draft = call.notebook.draft.borrow_mut();
    draft.sites.insert(name.clone(), Site { name: name.clone(), out, back });
    Some(Thing::Site(name))
}

/// The site that a host or a group names.
pub(super) fn named(call: &Call<'_>) -> Option<SiteName> {
    match &call.made("site")?.thing {
        Thing::Site(name) => Some(name.clone()),
        _ => None,
    }
}

/// Notes that a host stands in `site`; records an error if it stands in another one.
pub(super) fn stands_in(call: &Call<'_>, host: &HostName, site: &SiteName, place: Place) {
    let mut draft = call.notebook.draft.borrow_mut();
    let Some(known) = draft.hosts.get_mut(host) else { return };
    match &known.site {
        None => known.site = Some(site.clone()),
        Some(other) if other == site => {}
        Some(other) => {
            let error = call.error_at(place, format!("the host {host} stands in the site {other} already"));
            let first = draft.origins.get(&format!("host {host}")).copied();
            drop(draft);
            let error = match first {
                Some(first) => error.related(call.notebook.location(first), "described here"),
                None => error,
            };
            call.notebook
                .record(error.help("a host stands in one site; describe it in one of the groups only"));
        }
    }
}
