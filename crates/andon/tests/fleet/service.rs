//! A service with two instances on every machine, under systemd, through all that a service lives to see.

use crate::project::{host_state, text};
use crate::site::{BRISK, EXEC, INTERVAL, Site, said_of};

const UNITS: &[&str] = &["www@8080.service", "www@8081.service"];

/// The line, with Debian's monitoring plugins as they are among the tests.
fn write_line(site: &Site) {
    site.project.write(
        "line.star",
        &format!(
            r#"service("www",
    hosts = {hosts},
    release = directory("dist"),
    run = systemd(exec = "{EXEC}", ports = [8080, 8081], user = "deploy"),
    health = health(http("/healthz", contains = "well"), {INTERVAL}),
    tests = [
        http("/orders", contains = "taken", name = "orders"),
        nagios("check_procs -c 2:2 -C python3 -a www.py"),
        nagios("check_http -H 127.0.0.1 -p {{port}} -u / -s Welcome"),
    ],
    rollout = rollout({BRISK}, keep_releases = 2))
"#,
            hosts = site.group("deploy"),
        ),
    );
}

/// Every instance everywhere shows `mark`, and is `release` by every account.
#[track_caller]
fn all_show(site: &Site, mark: &str, release: &str) {
    site.run(&site.names(), UNITS, release);
    for host in site.names() {
        for port in [8080, 8081] {
            let page = site.get(host, port, "/").unwrap();
            assert_eq!((page.status, page.body), (200, mark.to_owned()), "{host}:{port}");
        }
    }
}

#[test]
#[ignore = "fleet: needs root; run by `cargo xtask test`"]
fn a_service_with_two_instances_lives_through_good_and_bad_releases() {
    let site = Site::boot(3);
    write_line(&site);
    let first = is_deployed(&site);
    let second = is_upgraded(&site, &first);
    a_broken_release_is_put_back_on_the_canary(&site, &second);
    is_rolled_back_by_a_person(&site, &first);
    status_reads_the_processes_and_not_the_link(&site, &first, &second);
    old_releases_go_and_good_ones_stay(&site, [&first, &second]);
}

fn is_deployed(site: &Site) -> String {
    site.write_release("Welcome to one", &[("orders", "taken")]);
    let release = site.deploy();
    all_show(site, "Welcome to one", &release);
    for unit in UNITS {
        assert_eq!(site.unit("web2", unit, "UnitFileState"), "enabled", "{unit}");
        assert_eq!(site.unit("web2", unit, "User"), "deploy", "{unit}");
    }
    site.project.well(&["show", "1", "--log", "web3"]).says("PROCS OK: 2 processes").says("HTTP OK");
    site.project.well(&["test", "www"]).says("web3").says("3 of 3 tests passed");
    release
}

fn is_upgraded(site: &Site, first: &str) -> String {
    site.write_release("Welcome to two", &[("orders", "taken")]);
    let release = site.deploy();
    assert_ne!(release, first);
    all_show(site, "Welcome to two", &release);
    release
}

fn a_broken_release_is_put_back_on_the_canary(site: &Site, good: &str) {
    let before: Vec<_> = ["web2", "web3"].map(|host| site.processes(host, UNITS)).into();
    site.write_release("Welcome to three", &[]);
    let ran = site.project.run(&["deploy", "www"]).code(1);
    ran.says("was rolled back").says("web1, in the first wave").says("orders").says("2 hosts never touched");
    let shown = site.newest();
    assert_eq!(text(&shown, "state"), "rolled_back");
    assert_eq!(host_state(&shown, "web1"), "reverted");
    all_show(site, "Welcome to two", good);
    let after: Vec<_> = ["web2", "web3"].map(|host| site.processes(host, UNITS)).into();
    assert_eq!(before, after, "hosts that were not their turn were disturbed");
}

fn is_rolled_back_by_a_person(site: &Site, first: &str) {
    site.project.well(&["rollback", "www", "--why", "orders stopped"]);
    assert_eq!(text(&site.newest(), "kind"), "rollback");
    all_show(site, "Welcome to one", first);
    site.project.run(&["line"]).code(1).says("stopped by #3");
    site.project.well(&["line", "start", "the old release serves"]);
}

/// Somebody moves `current` by hand: what runs does not change by that, and Andon does not say so.
fn status_reads_the_processes_and_not_the_link(site: &Site, running: &str, other: &str) {
    let link = |to: &str| {
        let command = format!("ln -sfn releases/{to} /srv/www/current");
        site.machine("web2").output(&command).unwrap();
    };
    link(other);
    let status = site.status();
    let facts = &said_of(&status, "web2")["facts"];
    assert_eq!(facts["current"], other);
    let instances = facts["instances"].as_array().unwrap();
    assert!(instances.iter().all(|instance| instance["release"] == running), "{facts:#}");
    site.project.run(&["status", "www"]).says("web2  mixed: current is").says("not what should run");
    link(running);
    site.run(&["web2"], UNITS, running);
}

fn old_releases_go_and_good_ones_stay(site: &Site, old: [&str; 2]) {
    let later: Vec<String> = ["Welcome to four", "Welcome to five", "Welcome to six"]
        .map(|mark| {
            site.write_release(mark, &[("orders", "taken")]);
            site.deploy()
        })
        .into();
    all_show(site, "Welcome to six", &later[2]);
    for host in site.names() {
        let kept = site.releases(host);
        assert!(old.iter().all(|release| !kept.iter().any(|it| it == release)), "{host} keeps {kept:?}");
        let mut wanted = later.clone();
        wanted.sort();
        assert_eq!(kept, wanted, "the current release and two good ones before it on {host}");
    }
    site.project.well(&["rollback", "www"]);
    all_show(site, "Welcome to five", &later[1]);
}
