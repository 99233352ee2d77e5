//! `blue_green(...)`: two sets of instances, of which one serves.

use std::collections::BTreeSet;

use andon_core::line::{BlueGreen, Green};
use andon_core::quantity::Share;

use super::group::Members;
use crate::call::Call;
use crate::kind::{Argument, Given, Kind, PORT};
use crate::schema::{Constructor, Default, Parameter};
use crate::source::Place;
use crate::value::{Sort, Thing};

pub(crate) const BLUE_GREEN: Constructor = Constructor {
    name: "blue_green",
    summary: "A second set of instances: releases go to the set that is idle, then traffic moves to it.",
    details: "The set that the service describes is blue. Green is either a second instance beside each one, on other \
              ports of the same hosts, as if on a host of its own called `HOST.green`; or hosts of their own, which an \
              environment of the service lists, too. The set that was left goes on running what it ran until the next \
              release, so that traffic can go back to it at once. A service with `blue_green` needs a `balancer`.",
    example: "blue_green(green = [9080], steps = [\"10%\", \"50%\", \"100%\"], step_time = \"1m\")",
    positional: 0,
    parameters: &[
        Parameter {
            name: "green",
            kind: Kind::Either(&[
                Kind::Made(&[Sort::Group, Sort::Host]),
                Kind::List(&Kind::Either(&[PORT, Kind::Name, Kind::Made(&[Sort::Host, Sort::Group])])),
            ]),
            default: Default::Required,
            doc: "The green set: as many ports as the service has, or hosts.",
        },
        Parameter {
            name: "steps",
            kind: Kind::List(&Kind::Percentage),
            default: Default::Is("[\"100%\"]"),
            doc: "The shares of traffic that the new set gets one after another. They grow, and the last is 100%.",
        },
        Parameter {
            name: "step_time",
            kind: Kind::Span { zero: true },
            default: Default::Is("\"30s\""),
            doc: "How long each share but the last stays.",
        },
    ],
    build,
};

fn build(call: &Call<'_>) -> Option<Thing> {
    let steps = steps(call);
    let green = green(call);
    Some(Thing::BlueGreen(BlueGreen { green: green?, steps: steps?, step_time: call.span("step_time")? }))
}

fn green(call: &Call<'_>) -> Option<Green> {
    let given = call.given("green")?;
    let list = match &given.argument {
        Argument::List(elements) if elements.is_empty() => {
            let error = call.error_at(given.place, "the green set is empty");
            call.notebook.record(error.help("list its ports, as many as the service has, or its hosts"));
            return None;
        }
        Argument::List(elements) => elements.as_slice(),
        _ => std::slice::from_ref(given),
    };
    let is_port = |given: &&Given| matches!(given.argument, Argument::Number(_));
    if !list.iter().any(|given| is_port(&given)) {
        return Members::of(call, list, None).map(|members| Green::Hosts(members.hosts));
    }
    if let Some(host) = list.iter().find(|given| !is_port(given)) {
        if !matches!(host.argument, Argument::Broken) {
            let error = call.error_at(host.place, "the green set is either ports or hosts, not both");
            call.notebook.record(error.help("with ports, each host runs a second instance beside each one"));
        }
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut ports = Vec::new();
    for given in list {
        let Argument::Number(number) = given.argument else { continue };
        let Ok(port) = u16::try_from(number) else { continue };
        if seen.insert(port) {
            ports.push(port);
        } else {
            call.error(given.place, format!("the port {port} is listed twice"));
        }
    }
    Some(Green::Ports(ports))
}

fn steps(call: &Call<'_>) -> Option<Vec<u8>> {
    let given = call.given("steps")?;
    let shares: Vec<(u8, Place)> = call
        .list("steps")
        .iter()
        .filter_map(|step| match step.share() {
            Some(Share::Percent(percent)) => Some((percent, step.place)),
            _ => None,
        })
        .collect();
    if shares.len() < call.list("steps").len() {
        return None;
    }
    for pair in shares.windows(2) {
        let [(before, _), (after, place)] = pair else { continue };
        if after <= before {
            let error = call.error_at(*place, format!("{after}% is not more than the {before}% before it"));
            call.notebook.record(error.help("the shares grow from step to step, and the last is 100%"));
            return None;
        }
    }
    match shares.last() {
        Some((100, _)) => Some(shares.into_iter().map(|(share, _)| share).collect()),
        Some((last, place)) => {
            let error = call.error_at(*place, format!("the last step is 100%, not {last}%"));
            call.notebook.record(error.help("in the end all traffic goes to the new set: add \"100%\""));
            None
        }
        None => {
            let error = call.error_at(given.place, "there is at least one step");
            call.notebook.record(error.help("write `steps = [\"100%\"]` to move all traffic at once"));
            None
        }
    }
}
