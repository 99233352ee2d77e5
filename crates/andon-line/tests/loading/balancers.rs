//! Balancers, second sets of instances and sites: what they become, and what is left to be said.

use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_core::line::{Balancer, BalancerKind, BlueGreen, Green, HaproxyApi, Service};
use andon_core::name::{EnvironmentName, SiteName};
use andon_line::{Loaded, load_source};

fn read(line: &str) -> Loaded {
    load_source("line.star", line, Path::new(".")).unwrap_or_else(|error| panic!("{error}"))
}

/// The service `www` with these arguments, on two hosts and one port unless they say otherwise.
fn www(arguments: &str) -> Service {
    let run =
        if arguments.contains("run =") { "" } else { "run = process(exec = \"x {port}\", ports = [8080])," };
    let line = format!(
        "lb = group(\"lb\", [\"lb1\", \"lb2\"])\nweb = group(\"web\", [\"web1\", \"web2\"])\n\
         service(\"www\", hosts = {{\"staging\": host(\"s\"), \"production\": web}}, release = directory(\"b\"), {run} {arguments})"
    );
    let mut loaded = read(&line);
    assert_eq!(loaded.warnings, []);
    loaded.line.services.remove("www").unwrap()
}

fn balancer(balancer: &str) -> Balancer {
    www(&format!("balancer = {{\"production\": {balancer}}}")).balancers.remove(0)
}

#[test]
fn what_a_balancer_does_not_say_comes_from_its_service() {
    let haproxy = balancer("haproxy(lb)");
    let socket = HaproxyApi::Socket("/run/haproxy/admin.sock".into());
    assert_eq!(haproxy.kind, BalancerKind::Haproxy { api: socket, backend: "www".into() });
    assert_eq!(haproxy.hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>(), ["lb1", "lb2"]);
    assert_eq!(haproxy.server.as_str(), "{host}");
    assert_eq!(
        balancer("nginx(lb)").kind,
        BalancerKind::Nginx {
            upstream: "www".into(),
            include: "/etc/nginx/andon/www.conf".into(),
            program: vec!["nginx".into()],
            access_log: Some("/var/log/nginx/access.log".into()),
            log_format: None,
        }
    );
    assert_eq!(
        balancer("proxy(lb)").kind,
        BalancerKind::Proxy { control: "/run/andon/proxy.sock".into(), pool: "www".into() }
    );
    let check = balancer("agent_check()");
    assert_eq!((check.kind, check.hosts), (BalancerKind::AgentCheck { port: 9101 }, Vec::new()));
}

#[test]
fn what_a_balancer_says_is_kept() {
    let haproxy =
        balancer("haproxy(web, backend = \"be.1\", api = \"[::1]:9999\", server = \"{host}_{instance}\")");
    assert_eq!(
        haproxy.kind,
        BalancerKind::Haproxy { api: HaproxyApi::Tcp("[::1]:9999".into()), backend: "be.1".into() }
    );
    assert_eq!(haproxy.server.as_str(), "{host}_{instance}");
    let nginx =
        balancer("nginx(lb, upstream = \"u\", program = \"sudo nginx -c '/opt/n x'\", access_log = None)");
    let BalancerKind::Nginx { include, program, access_log, .. } = nginx.kind else { panic!() };
    assert_eq!(include, PathBuf::from("/etc/nginx/andon/u.conf"));
    assert_eq!(
        (program, access_log),
        (["sudo", "nginx", "-c", "/opt/n x"].map(str::to_owned).to_vec(), None)
    );
}

#[test]
fn servers_carry_their_port_where_a_service_has_several() {
    let two = "run = process(exec = \"x {port}\", ports = [8080, 8081])";
    let named = |arguments: &str| www(arguments).balancers[0].server.as_str().to_owned();
    assert_eq!(named(&format!("{two}, balancer = agent_check()")), "{host}-{port}");
    assert_eq!(named("balancer = agent_check(), blue_green = blue_green(green = [9080])"), "{host}");
}

#[test]
fn balancers_serve_the_environments_that_they_are_listed_under() {
    let all =
        www("balancer = {\"production\": [nginx(lb), agent_check()], \"staging\": nginx(host(\"lab\"))}");
    let serving = |environment: &str| {
        let environment = EnvironmentName::new(environment).unwrap();
        let serving = all.balancers.iter().filter(move |balancer| balancer.serves(&environment));
        serving.map(|balancer| balancer.kind.name()).collect::<Vec<_>>()
    };
    assert_eq!(serving("production"), ["nginx", "agent-check"]);
    assert_eq!(serving("staging"), ["nginx"]);
    let everywhere = &www("balancer = agent_check()").balancers[0];
    assert!(everywhere.serves(&EnvironmentName::new("staging").unwrap()));
    assert_eq!(www("").balancers, []);
}

#[test]
fn a_second_set_is_ports_or_hosts() {
    let set = |arguments: &str| {
        www(&format!("balancer = agent_check(), blue_green = blue_green({arguments})")).blue_green.unwrap()
    };
    assert_eq!(
        set("green = [9080]"),
        BlueGreen { green: Green::Ports(vec![9080]), steps: vec![100], step_time: Duration::from_secs(30) }
    );
    let hosts = set("green = [\"web2\"], steps = [\"10%\", \"50%\", \"100%\"], step_time = \"0s\"");
    assert!(matches!(&hosts.green, Green::Hosts(hosts) if hosts[0].as_str() == "web2" && hosts.len() == 1));
    assert_eq!((hosts.steps, hosts.step_time), (vec![10, 50, 100], Duration::ZERO));
}

#[test]
fn hosts_stand_where_they_or_their_group_say() {
    let Loaded { line, .. } = read(
        "ams = site(\"ams\", out = \"dns 'ams x' 0\", back = [\"dns\", \"ams\"])\nfra = site(\"fra\")\n\
         group(\"a\", [\"a1\", host(\"a2\"), host(\"a3\", site = ams, serves_at = \"10.0.0.3\")], site = ams)\n\
         group(\"all\", [\"a1\", \"f1\"])\ngroup(\"f\", [\"f1\"], site = fra)\nhost(\"nowhere\")",
    );
    let site = |host: &str| line.hosts[host].site.as_ref().map(SiteName::as_str);
    assert_eq!(["a1", "a2", "a3", "f1"].map(site), [Some("ams"), Some("ams"), Some("ams"), Some("fra")]);
    assert_eq!(site("nowhere"), None);
    assert_eq!((line.hosts["a3"].serves_at(), line.hosts["a2"].serves_at()), ("10.0.0.3", "a2"));
    let ams = &line.sites["ams"];
    assert_eq!(ams.out.as_deref(), Some(["dns", "ams x", "0"].map(str::to_owned).as_slice()));
    assert_eq!(ams.back.as_deref(), Some(["dns", "ams"].map(str::to_owned).as_slice()));
    assert_eq!((line.sites.len(), &line.sites["fra"].out), (2, &None));
}

#[test]
fn a_rollout_says_how_hosts_leave_and_come_back() {
    let rollout = www("rollout = rollout(drain_timeout = \"1h\", slow_start = \"90s\")").rollout;
    assert_eq!(
        (rollout.drain_timeout.as_secs(), rollout.slow_start.as_secs(), rollout.by_site),
        (3600, 90, false)
    );
    assert_eq!(www("rollout = rollout(drain_timeout = \"0s\")").rollout.drain_timeout, Duration::ZERO);
}

#[test]
fn balancers_and_sites_know_where_they_were_written() {
    let loaded = read(
        "lb = host(\"lb1\")\nfront = haproxy(lb, backend = \"b\")\nsite(\"ams\")\n\
         def one(name, port, balancer): service(name, hosts = [\"lb1\"], release = directory(\"b\"),\n\
         \x20   run = process(exec = \"x {port}\", ports = [port]), balancer = balancer)\n\
         one(\"a\", 80, front)\none(\"b\", 81, [proxy(lb), agent_check(port = 9)])\n\
         one(\"c\", 82, {\"production\": nginx(lb,\n  upstream = \"u\")})",
    );
    let at = |key: &str| loaded.origins.get(key).unwrap_or_else(|| panic!("{key}")).to_string();
    assert_eq!(at("site ams"), "line.star:3:6");
    assert_eq!(at("a.balancer"), "line.star:2:9");
    assert_eq!(at("a.balancer.backend"), "line.star:2:31");
    assert_eq!(at("b.balancer[0]"), "line.star:7:15");
    assert_eq!(at("b.balancer[1].port"), "line.star:7:45");
    assert_eq!(at("c.balancer.production.upstream"), "line.star:9:14");
}

#[test]
fn a_line_of_a_thousand_hosts_behind_balancers_loads() {
    let line = r#"
ams, fra = site("ams"), site("fra")
web = [group("web-%d" % i, ["web%d-%d" % (i, n) for n in range(500)], site = s) for i, s in enumerate([ams, fra])]
lb = group("lb", ["lb%d" % n for n in range(20)])
[service("s%d" % n, hosts = web, release = archive("s.tar"), run = process(exec = "x {port}", ports = [8000 + n]),
         balancer = [haproxy(lb), nginx(lb), proxy(lb), agent_check(port = 9000 + n)], rollout = rollout(by_site = True))
 for n in range(10)]
"#;
    let loaded = read(line);
    assert!(loaded.line.services.values().all(|service| service.balancers.len() == 4));
}
