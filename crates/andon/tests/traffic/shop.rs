//! The shop: instances of a web application on local hosts, a line that deploys them, and users who never rest.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use andon_load::{Load, Mix, Tally};
use andon_testbed::Backend;
use andon_testbed::balancer::free_ports;
use andon_testbed::deadline::wait_until;
use serde_json::Value;

use crate::project::{Project, Ran, Running, text};

/// How long a deployment under load may take, on a machine that does much else.
pub(crate) const LIMIT: Duration = Duration::from_secs(200);

/// The host that balancers run on.
pub(crate) const BALANCER_HOST: &str = "host(\"lb1\", local = True)";

/// Quick, but with every safeguard: one host, two, the rest; two at a time.
const ROLLOUT: &str = r#"waves = [1, 2, "100%"], max_parallel = 2, min_healthy_time = "300ms",
    healthy_deadline = "60s", bake = "500ms", drain_timeout = "30s""#;

/// `web1`, `web2`, …, and all that is deployed to them.
pub(crate) struct Shop {
    pub(crate) project: Project,
    backends: Vec<Backend>,
    /// Kept, so that no other test takes the same ports.
    _held: TcpListener,
}

impl Shop {
    /// A shop on so many hosts, without a line and a release.
    pub(crate) fn of(hosts: u16) -> Self {
        Self::in_project(Project::new(), hosts)
    }

    pub(crate) fn in_project(project: Project, hosts: u16) -> Self {
        let (held, first) = free_ports(hosts).unwrap();
        let backend = |number: u16| Backend {
            name: format!("web{number}"),
            address: SocketAddr::from(([127, 0, 0, 1], first + number - 1)),
        };
        Self { project, backends: (1..=hosts).map(backend).collect(), _held: held }
    }

    /// The instances, as balancers name and reach them.
    pub(crate) fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// Writes the line with this balancer, or with a list of them.
    pub(crate) fn write_line(&self, balancer: &str) {
        self.write_line_of(self.backends.len(), balancer, "", "");
    }

    /// The same for the first so many hosts, with more about the service and its rollout.
    pub(crate) fn write_line_of(&self, count: usize, balancer: &str, service: &str, rollout: &str) {
        let base = self.backends[0].address.port() - 1;
        // Deployments here are about traffic, and wait for no verdict.
        let judged = if service.contains("watch =") { "" } else { "watch = []," };
        self.project.write(
            "line.star",
            &format!(
                r#"web = group("web", [host("web%d" % n, local = True, port_offset = n) for n in range(1, {count} + 1)])
service("www", hosts = {{"production": web}}, release = directory("dist"),
    run = process(exec = "sh {{release}}/www --port {{port}}", ports = [{base}], stop_timeout = "5s"),
    health = health(http("/healthz"), interval = "100ms", in_a_row = 2),
    tests = [http("/", contains = "The shop", name = "the shop greets")],
    balancer = {balancer}, {judged} {service}
    rollout = rollout({rollout} {ROLLOUT}))
"#
            ),
        );
    }

    /// Changes some words of the line.
    pub(crate) fn edit_line(&self, from: &str, to: &str) {
        let line = fs::read_to_string(self.project.path().join("line.star")).unwrap();
        assert!(line.contains(from), "{line}");
        self.project.write("line.star", &line.replace(from, to));
    }

    /// Makes a release. Its application ends at once when it is asked to: what is under way then is lost.
    pub(crate) fn release(&self, name: &str) {
        let andon = env!("CARGO_BIN_EXE_andon");
        let start = format!("#!/bin/sh\nexec '{andon}' demo-service --pages \"${{0%/www}}/pages\" \"$@\"\n");
        self.project.write("dist/www", &start);
        self.project.write("dist/pages/index.html", &format!("<h1>The shop</h1> {name}\n"));
    }

    /// Deploys a first release while nobody is there.
    pub(crate) fn open(&self) {
        self.release("zero");
        self.finish(self.deploy()).code(0);
    }

    pub(crate) fn deploy(&self) -> Running {
        self.project.start(&["deploy", "www"])
    }

    /// Waits for the end of a command that drives a deployment, which must not pause.
    pub(crate) fn finish(&self, mut running: Running) -> Ran {
        let ended = wait_until(LIMIT, || running.has_ended() || running.said().contains(" paused"));
        if !ended || !running.has_ended() {
            let story = Self::story(&self.newest()).join("\n");
            running.kill();
            panic!("the deployment stands still:\n{story}");
        }
        running.end()
    }

    /// The newest deployment, as `show` tells it.
    pub(crate) fn newest(&self) -> Value {
        self.project.show(u64::try_from(self.project.recorded()).unwrap())
    }

    /// What has happened in a deployment, one sentence for each event.
    pub(crate) fn story(shown: &Value) -> Vec<&str> {
        shown["events"].as_array().unwrap().iter().map(|event| text(event, "what")).collect()
    }

    /// Waits until an event of a deployment begins with these words.
    pub(crate) fn until_told(&self, number: u64, words: &str) -> Value {
        self.project.until_shown(number, words, |shown| {
            shown["events"].is_array() && Self::story(shown).iter().any(|what| what.starts_with(words))
        })
    }

    /// The processes of the application on a host, by the port that they listen on.
    pub(crate) fn processes(&self, backend: &Backend) -> Vec<u32> {
        let port = backend.address.port().to_string();
        let ours = self.project.path().as_os_str().as_encoded_bytes().to_vec();
        let mut found = andon_testbed::process::all();
        found.retain(|process| {
            let line = fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            words.get(1) == Some(&&b"demo-service"[..])
                && words.contains(&port.as_bytes())
                && words.iter().any(|word| word.starts_with(&ours))
        });
        found.into_iter().map(|process| process.pid).collect()
    }
}

/// Load that has become steady: requests of every kind are under way.
pub(crate) fn steady(target: SocketAddr, mix: Mix) -> Load {
    let enough = u64::from(mix.rate) * 4;
    let load = Load::start(target, mix).unwrap();
    go_on(&load, enough);
    let lap = load.lap();
    assert_eq!(lap.failed, 0, "before anything happened: {lap}");
    load
}

/// Waits for so many more requests.
pub(crate) fn go_on(load: &Load, requests: u64) {
    let before = load.so_far().requests;
    assert!(wait_until(LIMIT, || load.so_far().requests >= before + requests), "{}", load.so_far());
}

/// The ports of the instances that answered with a release.
pub(crate) fn served(tally: &Tally, release: &str) -> BTreeSet<u16> {
    let by = tally.servers.keys().filter_map(|server| server.split_once(' '));
    by.filter(|(_, own)| *own == release).map(|(port, _)| port.parse().unwrap()).collect()
}
