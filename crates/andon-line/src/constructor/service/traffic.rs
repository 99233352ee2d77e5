//! What a service says about its users: the balancers before it, and a second set of instances beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use andon_core::line::{Balancer, BlueGreen, Green, Rollout, Run, Supervision, SystemdUnit};
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use andon_core::suggest;

use super::super::run::tells_instances_apart;
use crate::call::Call;
use crate::kind::{Argument, Given};
use crate::source::Place;
use crate::value::{Description, Thing};

/// The hosts of each environment of a service.
pub(super) type Environments = BTreeMap<EnvironmentName, Vec<HostName>>;

/// A balancer as a service names it.
pub(super) struct Named {
    /// Where it was written, as `andon explain` asks for it: `www.balancer`, `www.balancer[1]`.
    pub(super) key: String,
    pub(super) made: Arc<Description>,
    pub(super) balancer: Balancer,
}

/// The balancers of a service, in the order of the file.
pub(super) fn balancers(
    call: &Call<'_>,
    service: &ServiceName,
    several: bool,
    environments: &Environments,
) -> Vec<Named> {
    let mut all = Vec::new();
    let mut add = |key: &str, given: &Given, serves: &BTreeSet<EnvironmentName>| {
        let mut one = |key: String, given: &Given| {
            let Some(made) = given.made() else { return };
            let Thing::Balancer(unassigned) = &made.thing else { return };
            if let Some(balancer) = unassigned.assign(service, several, serves.clone()) {
                call.notebook.charge(64 * balancer.hosts.len());
                all.push(Named { key, made: Arc::clone(made), balancer });
            }
        };
        match &given.argument {
            Argument::List(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    one(format!("{key}[{index}]"), element);
                }
            }
            _ => one(key.to_owned(), given),
        }
    };
    let key = format!("{service}.balancer");
    match call.given("balancer") {
        Some(Given { argument: Argument::Map(entries), .. }) => {
            for (place, name, given) in entries {
                if let Some(environment) = environment(call, environments, name, *place) {
                    add(&format!("{key}.{name}"), given, &BTreeSet::from([environment]));
                }
            }
        }
        Some(given) => add(&key, given, &BTreeSet::new()),
        None => {}
    }
    all
}

fn environment(call: &Call<'_>, known: &Environments, name: &str, place: Place) -> Option<EnvironmentName> {
    let found = known.keys().find(|environment| environment.as_str() == name);
    if found.is_none() {
        let nearest = suggest::nearest(name, known.keys().map(EnvironmentName::as_str));
        let message = format!("the service has no environment {}", crate::kind::quoted(name));
        call.notebook.record(call.error_at(place, message).suggest(nearest));
    }
    found.cloned()
}

/// Whether a service names any balancer, rightly or wrongly.
pub(super) fn has_balancer(call: &Call<'_>) -> bool {
    match call.given("balancer").map(|given| &given.argument) {
        Some(Argument::List(none)) => !none.is_empty(),
        Some(Argument::Map(none)) => !none.is_empty(),
        Some(_) => true,
        None => call.is_broken("balancer"),
    }
}

/// A balancer sends users to ports.
pub(super) fn balancers_need_ports(call: &Call<'_>, run: &Run) {
    if !run.ports.is_empty() || call.is_broken("run") || !has_balancer(call) {
        return;
    }
    let message = "there is nothing to balance, because the service has no ports";
    let error = call.error_at(call.place_of("balancer"), message);
    call.notebook.record(error.help("add `ports = [8080]` to what runs, one port for each instance"));
}

/// The second set of a service, after what does not fit to the rest of it was recorded.
pub(super) fn blue_green(
    call: &Call<'_>,
    run: Option<&Run>,
    environments: Option<&Environments>,
    rollout: &Rollout,
) -> Option<BlueGreen> {
    let made = call.made("blue_green")?;
    let Thing::BlueGreen(blue_green) = &made.thing else { return None };
    if !has_balancer(call) {
        let error = call.error_at(
            call.place_of("blue_green"),
            "there is no balancer that could move traffic to the green set",
        );
        call.notebook.record(error.help("add `balancer = ...`, or leave out `blue_green`"));
    }
    if rollout.by_site {
        let by_site = call.made("rollout").map_or(call.place, |made| place_in(made, "by_site"));
        let message = "`by_site` cannot be combined with `blue_green`";
        let why = "one empties a whole site to change it, the other changes a set that serves nobody, and moves all \
                   traffic at the end: say which of them you want";
        let related = call.notebook.location(call.place_of("blue_green"));
        call.notebook.record(call.error_at(by_site, message).related(related, "here").help(why));
    }
    let place = place_in(made, "green");
    match &blue_green.green {
        Green::Ports(ports) => {
            if let Some(run) = run.filter(|run| !run.ports.is_empty())
                && !green_ports(call, run, ports, place)
            {
                return None;
            }
        }
        Green::Hosts(hosts) => {
            if let Some(environments) = environments {
                green_hosts(call, environments, hosts, place);
            }
        }
    }
    Some(blue_green.clone())
}

/// Whether the green ports could be those of a second set; says `false` after an error was recorded.
fn green_ports(call: &Call<'_>, run: &Run, green: &[u16], place: Place) -> bool {
    let before = call.notebook.recorded();
    if green.len() != run.ports.len() {
        let count = |n: usize| format!("{n} port{}", if n == 1 { "" } else { "s" });
        let message =
            format!("the green set has {}, and the service has {}", count(green.len()), run.ports.len());
        let error = call.error_at(place, message);
        call.notebook.record(error.help("each instance has one beside it: list as many ports as `run` does"));
    }
    if let Some(port) = green.iter().find(|port| run.ports.contains(port)) {
        let error = call.error_at(place, format!("the port {port} belongs to the blue set already"));
        call.notebook.record(error.help("the two sets run beside each other, on ports of their own"));
    }
    if matches!(run.by, Supervision::Systemd(SystemdUnit::Existing(_))) {
        let message = "a unit that exists already has no second instance on other ports";
        let error = call.error_at(place, message);
        call.notebook
            .record(error.help("give `exec` and let Andon write the unit, or make green a group of hosts"));
    }
    let fits = call.notebook.recorded() == before;
    if fits && run.ports.len() == 1 && !tells_instances_apart(run) {
        let exec = call.made("run").map_or(call.place, |made| place_in(made, "exec"));
        let message = "the green instance runs the same command as the blue one, which does not name {port}";
        call.notebook.record(call.notebook.warning_at(exec, message).help("pass the port to the program"));
    }
    fits
}

fn green_hosts(call: &Call<'_>, environments: &Environments, green: &[HostName], place: Place) {
    let known: BTreeSet<&HostName> = environments.values().flatten().collect();
    for stranger in green.iter().filter(|host| !known.contains(host)) {
        let message = format!("the green host {stranger} is in no environment of the service");
        let help = "list it in `hosts`, too: the hosts of an environment that are not green are blue";
        call.notebook.record(call.error_at(place, message).help(help));
    }
    let green: BTreeSet<&HostName> = green.iter().collect();
    for (environment, hosts) in environments {
        if hosts.iter().all(|host| green.contains(host)) {
            let message = format!("all hosts of {environment} are green, which leaves none to be blue");
            let help = "list the hosts of both sets in `hosts`, and as green those of one set only";
            call.notebook.record(call.error_at(place, message).help(help));
        }
    }
}

/// Where an argument of something that was made was written; its constructor if it was not.
fn place_in(made: &Description, argument: &str) -> Place {
    let written = made.arguments.iter().find(|(name, _)| *name == argument);
    written.map_or(made.place, |(_, place)| *place)
}
