//! `service(...)`: something that runs on hosts and is released as one.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use andon_core::line::{Health, Probe, ProductionTest, Rollout, Run, Service};
use andon_core::name::{EnvironmentName, HostName, ServiceName};

use super::group::{HOSTS, Members};
use super::health;
use crate::call::Call;
use crate::kind::{Argument, Given, Kind};
use crate::schema::{Constructor, Default, Parameter};
use crate::source::Place;
use crate::value::{Description, Sort, Thing};

mod traffic;
mod watch;

/// The environment that a bare list of hosts means.
const ONLY_ENVIRONMENT: &str = "production";
/// One balancer.
const BALANCER: Kind = Kind::Made(&[Sort::Balancer]);
/// Time for a production test that names none.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) const SERVICE: Constructor = Constructor {
    name: "service",
    summary: "Something that runs on hosts and is released as one.",
    details: "",
    example: r#"service(
    "www",
    hosts   = {"staging": group("stage", ["stage1"]), "production": group("web", ["web1", "web2"])},
    release = archive("dist/www.tar.gz"),
    run     = systemd(exec = "{release}/bin/www --port {port}", ports = [8080]),
    health  = http("/healthz"),
    tests   = [http("/", contains = "Welcome")],
    balancer = {"production": haproxy(group("lb", ["lb1", "lb2"]))},
    rollout = rollout(bake = "2m"),
    watch   = [errors(), latency(), pushed("orders", worse = "lower", critical = True)],
)"#,
    positional: 1,
    parameters: &[
        Parameter {
            name: "name",
            kind: Kind::Name,
            default: Default::Required,
            doc: "The name of the service; unique in the line.",
        },
        Parameter {
            name: "hosts",
            kind: Kind::Either(&[
                Kind::Made(&[Sort::Group, Sort::Host]),
                Kind::List(&Kind::Either(&[Kind::Name, Kind::Made(&[Sort::Host, Sort::Group])])),
                Kind::Map(&HOSTS),
            ]),
            default: Default::Required,
            doc: "The hosts of each environment, by its name. Hosts without one are those of `production`.",
        },
        Parameter {
            name: "release",
            kind: Kind::Made(&[Sort::Release]),
            default: Default::Required,
            doc: "Where releases come from.",
        },
        Parameter {
            name: "run",
            kind: Kind::Made(&[Sort::Run]),
            default: Default::Required,
            doc: "How it runs.",
        },
        Parameter {
            name: "root",
            kind: Kind::Text,
            default: Default::Absent,
            doc: "The directory on the host that holds releases: absolute, or below the home of the user there, as in `~/www`. Otherwise `/srv/` and the name.",
        },
        Parameter {
            name: "health",
            kind: Kind::Made(&[Sort::Health, Sort::Probe]),
            default: Default::Absent,
            doc: "Is an instance up? Without it, only that its process stays alive is checked.",
        },
        Parameter {
            name: "tests",
            kind: Kind::List(&Kind::Made(&[Sort::Probe])),
            default: Default::Is("[]"),
            doc: "Does an instance do its job? Asked of every one after it is healthy.",
        },
        Parameter {
            name: "balancer",
            kind: Kind::Either(&[
                Kind::Made(&[Sort::Balancer]),
                Kind::List(&BALANCER),
                Kind::Map(&Kind::Either(&[BALANCER, Kind::List(&BALANCER)])),
            ]),
            default: Default::Absent,
            doc: "What stands between users and the instances: one balancer or several, for all environments or by the name of each. A host is changed only while it is taken out of them.",
        },
        Parameter {
            name: "blue_green",
            kind: Kind::Made(&[Sort::BlueGreen]),
            default: Default::Absent,
            doc: "A second set of instances, to which releases go while the other one serves.",
        },
        Parameter {
            name: "rollout",
            kind: Kind::Made(&[Sort::Rollout]),
            default: Default::Absent,
            doc: "How a release spreads. Otherwise `rollout()`.",
        },
        watch::WATCH,
        watch::JUDGE,
        Parameter {
            name: "tell",
            kind: Kind::Made(&[Sort::Tell]),
            default: Default::Absent,
            doc: "Who is told when something needs people. Services may share one: `team = tell(...)`.",
        },
    ],
    build,
};

fn build(call: &Call<'_>) -> Option<Thing> {
    let name = call.text("name").and_then(|name| ServiceName::new(name).ok());
    let environments = environments(call);
    let root = root(call, name.as_ref());
    let tests = tests(call);
    let health = call.made("health").and_then(health_of);
    if let Some(given) = call.given("health").filter(|_| health.as_ref().is_some_and(names_secrets)) {
        let error = call.error_at(given.place, "a health check takes no secrets");
        call.notebook
            .record(error.help("make the probe a production test: `tests = [script(..., secrets = ...)]`"));
    }
    let run = call.made("run").and_then(run_of);
    if let Some(run) = run {
        need_a_port(call, run);
        traffic::balancers_need_ports(call, run);
    }
    let rollout = match call.made("rollout").map(|made| &made.thing) {
        Some(Thing::Rollout(rollout)) => rollout.clone(),
        _ => Rollout::default(),
    };
    let tell = match call.made("tell").map(|made| &made.thing) {
        Some(Thing::Tell(tell)) => Some(tell.clone()),
        _ => None,
    };
    let blue_green = traffic::blue_green(call, run, environments.as_ref(), &rollout);
    let several = run.is_some_and(|run| run.ports.len() > 1);
    let balancers = match (&name, &environments) {
        (Some(name), Some(environments)) => traffic::balancers(call, name, several, environments),
        _ => Vec::new(),
    };
    let watch = watch::watch(call, &balancers);
    let Thing::Release(release) = &call.made("release")?.thing else { return None };
    let (name, environments, run) = (name?, environments?, run?);
    let service = Service {
        name,
        environments,
        release: release.clone(),
        root: root?,
        run: run.clone(),
        health,
        tests,
        balancers: balancers.iter().map(|named| named.balancer.clone()).collect(),
        blue_green,
        rollout,
        watch,
        tell,
    };
    call.notebook.charge(weight(&service));
    if call.notebook.is_overweight() {
        // The evaluation ends here; what it has so far must stay small enough to be checked.
        return None;
    }
    add(call, service, &balancers).then_some(Thing::Service)
}

/// What the servers of a service weigh in all of its balancers.
fn weight(service: &Service) -> usize {
    let hosts: usize = service.environments.values().map(Vec::len).sum();
    64 * service.balancers.len() * hosts * service.run.ports.len()
}

fn run_of(made: &Arc<Description>) -> Option<&Run> {
    match &made.thing {
        Thing::Run(run) => Some(run),
        _ => None,
    }
}

/// A health check is asked by hosts on their own, when no controller is there to bring a secret.
fn names_secrets(health: &Health) -> bool {
    health.probe.secrets().next().is_some()
}

fn health_of(made: &Arc<Description>) -> Option<Health> {
    match &made.thing {
        Thing::Health(health) => Some(health.clone()),
        Thing::Probe(question) => health::bare(question),
        _ => None,
    }
}

fn environments(call: &Call<'_>) -> Option<BTreeMap<EnvironmentName, Vec<HostName>>> {
    let hosts = call.given("hosts")?;
    let mut environments = BTreeMap::new();
    let mut whole = true;
    let mut insert = |name: &str, place: Place, given: &Given| match EnvironmentName::new(name) {
        Ok(environment) => match hosts_of(call, given) {
            Some(hosts) => {
                environments.insert(environment, hosts);
            }
            None => whole = false,
        },
        Err(error) => {
            call.error(place, error.to_string());
            whole = false;
        }
    };
    match &hosts.argument {
        Argument::Map(entries) => {
            if entries.is_empty() {
                call.error(hosts.place, "a service has at least one environment");
            }
            for (place, name, given) in entries {
                insert(name, *place, given);
            }
        }
        _ => insert(ONLY_ENVIRONMENT, hosts.place, hosts),
    }
    let whole = whole && !environments.is_empty();
    in_one_environment(call, &environments);
    whole.then_some(environments)
}

fn hosts_of(call: &Call<'_>, given: &Given) -> Option<Vec<HostName>> {
    match &given.argument {
        Argument::List(members) if members.is_empty() => {
            call.error(given.place, "this environment has no hosts");
            None
        }
        Argument::List(members) => Members::of(call, members, None).map(|members| members.hosts),
        Argument::Made(_) => {
            Members::of(call, std::slice::from_ref(given), None).map(|members| members.hosts)
        }
        _ => None,
    }
}

/// Two environments of a service on one host would take each other's releases away.
fn in_one_environment(call: &Call<'_>, environments: &BTreeMap<EnvironmentName, Vec<HostName>>) {
    let mut first: BTreeMap<&HostName, &EnvironmentName> = BTreeMap::new();
    for (environment, hosts) in environments {
        for host in hosts {
            if let Some(other) = first.insert(host, environment) {
                let message = format!("the host {host} is in two environments, {other} and {environment}");
                let error = call.error_at(call.place_of("hosts"), message);
                call.notebook.record(
                    error.help("a host runs one release of a service; use two hosts or two services"),
                );
            }
        }
    }
}

fn root(call: &Call<'_>, name: Option<&ServiceName>) -> Option<PathBuf> {
    if !call.says("root") {
        return Some(Path::new("/srv").join(name?.as_str()));
    }
    let text = call.text("root")?;
    let root = Path::new(text);
    let place = call.place_of("root");
    let home = text.starts_with("~/");
    if !root.is_absolute() && !home {
        let error = call.error_at(place, format!("the root of a service is an absolute path, got {text:?}"));
        call.notebook.record(error.help("it is a directory on the hosts, for example `/srv/www` or `~/www`"));
        return None;
    }
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let nameless = root.parent().is_none() || root == Path::new("~");
    if !root.components().all(plain) || nameless || text.chars().any(char::is_control) {
        call.error(place, format!("{text:?} cannot be the root of a service"));
        return None;
    }
    Some(root.components().collect())
}

fn tests(call: &Call<'_>) -> Vec<ProductionTest> {
    let mut tests = Vec::new();
    let mut first: BTreeMap<String, Place> = BTreeMap::new();
    for given in call.list("tests") {
        let Some(Thing::Probe(question)) = given.made().map(|made| &made.thing) else { continue };
        let name = question.name.clone().unwrap_or_else(|| question.probe.title());
        if let Some(other) = first.insert(name.clone(), given.place) {
            let error = call.error_at(given.place, format!("two tests are called {name:?}"));
            let related = call.notebook.location(other);
            call.notebook
                .record(error.related(related, "the other one").help("tell them apart with `name = ...`"));
        }
        let timeout = question.timeout.unwrap_or(TEST_TIMEOUT);
        tests.push(ProductionTest { name, probe: question.probe.clone(), timeout });
    }
    tests
}

/// A probe without a port of its own asks at the port of the instance.
fn need_a_port(call: &Call<'_>, run: &Run) {
    if !run.ports.is_empty() || call.is_broken("run") {
        return;
    }
    let health = call.given("health").into_iter();
    for given in health.chain(call.list("tests")) {
        let probe = match given.made().map(|made| &made.thing) {
            Some(Thing::Probe(question)) => &question.probe,
            Some(Thing::Health(health)) => &health.probe,
            _ => continue,
        };
        if matches!(probe, Probe::Http { port: None, .. } | Probe::Tcp { port: None }) {
            let error =
                call.error_at(given.place, "this probe has no port to ask, because the service has no ports");
            call.notebook.record(error.help("add `port = ...` to the probe or `ports = [...]` to what runs"));
        }
    }
}

/// Adds a service to the line, and where each part of it was written.
fn add(call: &Call<'_>, service: Service, balancers: &[traffic::Named]) -> bool {
    if call.claim(format!("service {}", service.name)).is_none() {
        return false;
    }
    let mut draft = call.notebook.draft.borrow_mut();
    for parameter in call.constructor.parameters {
        let attribute = format!("{}.{}", service.name, parameter.name);
        match call.made(parameter.name) {
            Some(made) => draft.explain(&attribute, made),
            None => drop(draft.origins.insert(attribute, call.place_of(parameter.name))),
        }
    }
    for (index, made) in call.list("watch").iter().filter_map(Given::made).enumerate() {
        draft.explain(&format!("{}.watch[{index}]", service.name), made);
    }
    for named in balancers {
        draft.explain(&named.key, &named.made);
    }
    let keys = balancers.iter().map(|named| named.key.clone()).collect();
    draft.balancers.insert(service.name.clone(), keys);
    draft.services.insert(service.name.clone(), service);
    true
}
