//! Lines that are right: what they become, where their parts come from, which files they are read from.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use andon_core::line::{Health, Probe, ReleaseSource, Rollout, Supervision, SystemdUnit, Transport};
use andon_core::name::HostName;
use andon_core::quantity::Share;
use andon_line::{Diagnostics, Loaded, load, load_source};
use tempfile::TempDir;

#[path = "loading/balancers.rs"]
mod balancers;
#[path = "loading/watch.rs"]
mod watch;

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

fn loaded(files: &[(&str, &str)]) -> Result<Loaded, Diagnostics> {
    load(&directory(files).path().join("line.star"))
}

fn messages(result: Result<Loaded, Diagnostics>) -> Vec<String> {
    result.unwrap_err().0.into_iter().map(|one| one.message).collect()
}

const WWW: &str = r#"
web = group("web", ["web%d" % n for n in range(1, 4)], user = "deploy", sudo = True)
lab = host("lab", address = "10.0.0.9", port = 2222)

service(
    "www",
    hosts   = {"production": group("all", [web, "spare"]), "staging": lab},
    release = archive("dist/www.tar.gz"),
    run     = systemd(
        exec = "{release}/bin/www --port {port} --title 'a b'",
        ports = [8080],
        user = "www",
        environment = {"MODE": "{host}"},
        extra = ["Nice=5"],
        stop_timeout = "1m",
    ),
    health  = health(http("/healthz", host = "www.example.com"), interval = "2s", in_a_row = 2),
    tests   = [
        http("/", status = 200, contains = "Welcome", timeout = "9s"),
        tcp(name = "port open"),
        nagios("check_procs -c 1: -C www", warning_passes = True),
        script("smoke/checkout.sh", args = ["--fast"]),
    ],
    rollout = rollout(waves = [1, "100%"], min_available = 2, on_conflict = "supersede"),
)
"#;

#[test]
fn a_line_becomes_the_types_of_the_core() {
    let Loaded { line, warnings, .. } =
        loaded(&[("line.star", WWW), ("smoke/checkout.sh", "#!/bin/sh\nexit 0\n")]).unwrap();
    assert_eq!(warnings, []);
    let hosts = |names: &[&str]| names.iter().map(|name| HostName::new(*name).unwrap()).collect::<Vec<_>>();
    assert_eq!(line.groups["web"], hosts(&["web1", "web2", "web3"]));
    assert_eq!(
        line.hosts["web2"].transport,
        Transport::Ssh { address: "web2".into(), user: Some("deploy".into()), port: None, sudo: true }
    );
    assert_eq!(
        line.hosts["lab"].transport,
        Transport::Ssh { address: "10.0.0.9".into(), user: None, port: Some(2222), sudo: false }
    );
    let www = &line.services["www"];
    assert_eq!(www.environments["production"], hosts(&["web1", "web2", "web3", "spare"]));
    assert_eq!(www.environments["staging"], hosts(&["lab"]));
    assert_eq!(www.release, ReleaseSource::Archive("dist/www.tar.gz".into()));
    assert_eq!(www.root, Path::new("/srv/www"));
    assert_eq!(
        (www.run.ports.as_slice(), www.run.stop_timeout),
        ([8080].as_slice(), Duration::from_secs(60))
    );
    let Supervision::Systemd(SystemdUnit::Written { command, user, extra }) = &www.run.by else { panic!() };
    let words: Vec<&str> = command.iter().map(|word| word.as_str()).collect();
    assert_eq!(words, ["{release}/bin/www", "--port", "{port}", "--title", "a b"]);
    assert_eq!((user.as_deref(), extra.as_slice()), (Some("www"), ["Nice=5".to_owned()].as_slice()));
    assert_eq!(www.run.environment["MODE"].as_str(), "{host}");
    let Some(Health { interval, timeout, in_a_row, .. }) = &www.health else { panic!() };
    assert_eq!((*interval, *timeout, *in_a_row), (Duration::from_secs(2), Duration::from_secs(5), 2));
    let tests: Vec<(&str, u64)> =
        www.tests.iter().map(|one| (one.name.as_str(), one.timeout.as_secs())).collect();
    assert_eq!(
        tests,
        [("http /", 9), ("port open", 30), ("nagios check_procs", 30), ("script smoke/checkout.sh", 30)]
    );
    let Probe::Script { content, args, .. } = &www.tests[3].probe else { panic!() };
    assert_eq!(
        (content.as_str(), args.as_slice()),
        ("#!/bin/sh\nexit 0\n", ["--fast".to_owned()].as_slice())
    );
    assert_eq!(www.rollout.waves, [Share::Hosts(1), Share::Percent(100)]);
    assert_eq!(www.rollout.min_available, Some(Share::Hosts(2)));
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_core() {
    let line = |rollout: &str| {
        let text = format!(
            "service(\"a\", hosts = host(\"h\"), release = directory(\"a\"), run = systemd(unit = \"a.service\", \
             ports = [80]), health = tcp(timeout = \"3s\"){rollout})"
        );
        load_source("line.star", &text, Path::new(".")).unwrap().line.services["a"].clone()
    };
    assert_eq!(line(", rollout = rollout()").rollout, Rollout::default());
    assert_eq!(line("").rollout, Rollout::default());
    let health = line("").health.unwrap();
    assert_eq!(
        (health.timeout, health.interval, health.in_a_row),
        (Duration::from_secs(3), Duration::from_secs(1), 3)
    );
}

#[test]
fn every_part_of_a_line_knows_where_it_was_written() {
    let files = [
        (
            "line.star",
            "load(\"parts/policy.star\", \"calm\")\n\nservice(\"www\", hosts = host(\"web1\"), release = directory(\"b\"),\n    run = process(exec = \"x\"), rollout = calm)\n",
        ),
        ("parts/policy.star", "# How we release.\n\ncalm = rollout(\n    bake = \"9m\",\n)\n"),
    ];
    let directory = directory(&files);
    let loaded = load(&directory.path().join("line.star")).unwrap();
    let at = |key: &str| {
        let origin = loaded.origins.get(key).unwrap();
        let file = Path::new(&origin.file).strip_prefix(directory.path()).unwrap().display().to_string();
        format!("{file}:{}:{}", origin.line, origin.column)
    };
    assert_eq!(at("service www"), "line.star:3:9");
    assert_eq!(at("host web1"), "line.star:3:29");
    assert_eq!(at("www.run"), "line.star:4:11");
    assert_eq!(at("www.run.exec"), "line.star:4:26");
    assert_eq!(at("www.rollout"), "parts/policy.star:3:8");
    assert_eq!(at("www.rollout.bake"), "parts/policy.star:4:12");
    assert_eq!(at("www.health"), "line.star:3:1", "what is not said comes from the call");
    assert_eq!(loaded.origins.get("www.nothing"), None);
    assert!(loaded.origins.keys().any(|key| key == "www.release"));
}

#[test]
fn the_methods_of_texts_work_and_leave_places_as_they_were() {
    let line = concat!(
        "name = \"-\".join([\"web\", \"{}{n}\".format(\"a\", n = 1)]).replace(\"-\", \".\", 1)\n",
        "host(name, address = \"x-y\".replace(\"-\", \" \"), prt = \",\".join([\"1\"]))\n",
    );
    let Err(Diagnostics(all)) = load_source("line.star", line, Path::new(".")) else { panic!() };
    let told: Vec<_> = all.iter().map(|one| (one.location.text().unwrap(), one.message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("\"x-y\".replace(\"-\", \" \")", "this cannot contain blanks, got \"x y\""),
            ("prt", "`host` has no parameter `prt`"),
        ]
    );
    let right = line.replace(", address", ")\ntcp(name").replace(", prt = \",\".join([\"1\"])", "");
    let loaded = load_source("line.star", &right, Path::new(".")).unwrap();
    assert!(loaded.line.hosts.contains_key("web.a1"));
    assert_eq!(loaded.origins.get("host web.a1").unwrap().to_string(), "line.star:2:6");
}

#[test]
fn files_of_the_directory_can_be_loaded_and_others_cannot() {
    let outside = directory(&[("secret.star", "x = 1")]);
    let inside = directory(&[("a/b.star", "load(\"c.star\", \"y\")\nx = y"), ("c.star", "y = \"web1\"")]);
    std::os::unix::fs::symlink(outside.path(), inside.path().join("link")).unwrap();
    let read = |text: &str| load_source("line.star", text, inside.path());
    assert_eq!(read("load(\"a/b.star\", \"x\")\nhost(x)").unwrap().line.hosts.len(), 1);
    let secret = outside.path().join("secret.star");
    for path in [
        "../secret.star",
        "a/../../secret.star",
        secret.to_str().unwrap(),
        "link/secret.star",
        "",
        "a",
        "no.star",
    ] {
        let told = messages(read(&format!("load({path:?}, \"x\")\nhost(x)")));
        assert_eq!(told.len(), 1, "{path}: {told:?}");
    }
    assert_eq!(messages(read("load(\"a/b.star\", \"xx\")\nhost(xx)")), ["a/b.star has no `xx`"]);
}

#[test]
fn files_that_load_each_other_are_refused() {
    let files = [
        ("line.star", "load(\"a.star\", \"x\")"),
        ("a.star", "load(\"b.star\", \"x\")"),
        ("b.star", "load(\"a.star\", \"x\")"),
    ];
    assert_eq!(messages(loaded(&files)), ["a.star loads itself: line.star -> a.star -> b.star -> a.star"]);
    let itself = [("line.star", "load(\"line.star\", \"x\")")];
    assert_eq!(messages(loaded(&itself)), ["line.star loads itself: line.star -> line.star"]);
}

#[test]
fn mistakes_of_several_files_are_told_together() {
    let files = [
        ("line.star", "load(\"a.star\", \"x\")\nhost(\"b c\")\ngroup(\"g\", [x])"),
        ("a.star", "x = hots(\"a\")\nhost(3)"),
    ];
    let told = messages(loaded(&files));
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[1..], ["there is no `hots`", "expected a name, got 3"]);
}

#[test]
fn no_more_than_64_files_are_loaded() {
    let directory = tempfile::tempdir().unwrap();
    for n in 0..70 {
        fs::write(directory.path().join(format!("f{n}.star")), format!("x{n} = {n}")).unwrap();
    }
    let line: String = (0..70).map(|n| format!("load(\"f{n}.star\", \"x{n}\")\n")).collect();
    let told = messages(load_source("line.star", &line, directory.path()));
    assert_eq!(told.len(), 7);
    assert!(told.iter().all(|one| one == "a line consists of at most 64 files"));
}

#[test]
fn the_digest_covers_every_file_that_was_read() {
    let script = "service(\"a\", hosts = host(\"h\"), release = directory(\"a\"), run = process(exec = \"x\"), tests = [script(\"t.sh\")])";
    let line = format!("load(\"a.star\", \"x\")\n{script}");
    let digest = |a: &str, t: &str, more: &str| {
        let line = format!("{line}{more}");
        loaded(&[("line.star", &line), ("a.star", a), ("t.sh", t), ("unread", a)]).unwrap().digest
    };
    let first = digest("x = 1", "exit 0", "");
    assert_eq!(first, digest("x = 1", "exit 0", ""));
    assert_ne!(first, digest("x = 2", "exit 0", ""));
    assert_ne!(first, digest("x = 1", "exit 1", ""));
    assert_ne!(first, digest("x = 1", "exit 0", "\n"));
}

#[test]
fn the_template_is_a_line_that_loads() {
    for name in ["www", "shop-api", "9", "_x", "ein Name", "", "--", "a\"b\n"] {
        let text = andon_line::template(name);
        let loaded =
            load_source("line.star", &text, Path::new(".")).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(loaded.line.services.len(), 1);
        assert_eq!(loaded.warnings, []);
    }
    assert!(
        load_source("line.star", &andon_line::template("shop"), Path::new("."))
            .unwrap()
            .line
            .services
            .contains_key("shop")
    );
    let is_meaningful = |line: &&str| !line.is_empty() && !line.trim_start().starts_with('#');
    assert_eq!(andon_line::template("www").lines().filter(is_meaningful).count(), 10);
    let balanced = andon_line::template("www").replace("# balancer", "balancer");
    let loaded = load_source("line.star", &balanced, Path::new(".")).unwrap();
    assert_eq!((loaded.line.services["www"].balancers.len(), loaded.warnings), (1, Vec::new()));
}

#[test]
fn a_line_of_a_thousand_hosts_loads() {
    let line = r#"
web = group("web", [host("web%d" % n, address = "10.0.%d.%d" % (n // 250, n % 250)) for n in range(1000)])
[service("s%d" % n, hosts = web, release = archive("s.tar"), run = process(exec = "x {port}", ports = [8000 + n])) for n in range(20)]
"#;
    let loaded = load_source("line.star", line, Path::new(".")).unwrap();
    assert_eq!(loaded.line.hosts.len(), 1000);
    assert!(loaded.line.services.values().all(|service| service.environments["production"].len() == 1000));
}
