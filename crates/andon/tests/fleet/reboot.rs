//! Machines that restart in the middle of a step.

use std::time::Duration;

use andon_testbed::deadline::wait_until;
use serde_json::Value;

use crate::project::{LIMIT, Running, host_state, text};
use crate::site::{BRISK, EXEC, INTERVAL, Site};

const UNITS: &[&str] = &["www@8080.service"];

/// A production test that, on `web2` and where somebody has closed the gate, waits until it is open again.
const GATE: &str = r#"#!/bin/sh
[ -e "$ANDON_ROOT/gate" ] || exit 0
touch "$ANDON_ROOT/waiting"
while [ -e "$ANDON_ROOT/gate" ]; do sleep 0.1; done
"#;

fn write_line(site: &Site) {
    site.project.write("gate.sh", GATE);
    site.project.write(
        "line.star",
        &format!(
            r#"service("www",
    hosts = {hosts},
    release = directory("dist"),
    run = systemd(exec = "{EXEC}", ports = [8080], stop_timeout = "30s"),
    health = health(http("/healthz"), {INTERVAL}),
    tests = [script("gate.sh", timeout = "60s")],
    rollout = rollout({BRISK}))
"#,
            hosts = site.group("deploy"),
        ),
    );
}

#[test]
#[ignore = "fleet: needs root; run by `cargo xtask test`"]
fn a_machine_that_restarts_in_the_middle_comes_back_and_gets_the_release() {
    let site = Site::boot(2);
    write_line(&site);
    site.write_release("one", &[]);
    let first = site.deploy();
    reboots_while_it_is_verified(&site, &first);
    loses_power_while_it_is_activated(&site);
}

/// Starts a deployment and waits until `web2` is in this state.
fn deploy_until(site: &Site, number: u64, state: &str) -> Running {
    let running = site.project.start(&["deploy", "www"]);
    // The deployment is not recorded yet when the program starts.
    assert!(wait_until(LIMIT, || site.project.recorded() as u64 == number), "it was never accepted");
    site.project.until_shown(number, &format!("web2 is {state}"), |shown| host_is(shown, state));
    running
}

fn host_is(shown: &Value, state: &str) -> bool {
    shown["host_runs"]
        .as_array()
        .is_some_and(|runs| runs.iter().any(|run| run["host"] == "web2" && run["state"] == state))
}

/// An orderly reboot, after the activation and before its test has ended.
fn reboots_while_it_is_verified(site: &Site, first: &str) {
    let web2 = site.machine("web2");
    web2.output("touch /srv/www/gate").unwrap();
    site.write_release("two", &[]);
    let running = deploy_until(site, 2, "verifying");
    let waits = || web2.output("test -e /srv/www/waiting").is_ok();
    assert!(wait_until(LIMIT, waits), "the test was never run");
    web2.reboot().unwrap();
    // Nobody but systemd has started anything yet: the new release is there again after the boot.
    let shows_two = || site.get("web2", 8080, "/").is_some_and(|page| page.body == "two");
    assert!(wait_until(Duration::from_secs(30), shows_two), "systemd did not start the release at boot");
    web2.output("rm /srv/www/gate").unwrap();
    running.end().code(0).says("#2 succeeded");
    let second = text(&site.newest(), "release").to_owned();
    assert_ne!(first, second);
    site.run(&site.names(), UNITS, &second);
    was_lost_and_found(site);
}

/// The deployment knew that it did not know what had become of `web2`.
fn was_lost_and_found(site: &Site) {
    let shown = site.newest();
    let events = shown["events"].as_array().unwrap();
    assert!(events.iter().any(|event| text(event, "what").starts_with("web2 unknown")), "{shown:#}");
    assert_eq!(host_state(&shown, "web2"), "succeeded");
}

/// The power goes while systemd waits for the old process to end.
fn loses_power_while_it_is_activated(site: &Site) {
    let web2 = site.machine("web2");
    web2.output("touch /run/stubborn").unwrap();
    site.write_release("three", &[]);
    let running = deploy_until(site, 3, "activating");
    let stops = || site.unit("web2", UNITS[0], "ActiveState") == "deactivating";
    assert!(wait_until(LIMIT, stops), "the old process ended too soon for this test");
    web2.power_cut();
    web2.power_on().unwrap();
    running.end().code(0).says("#3 succeeded");
    let third = text(&site.newest(), "release").to_owned();
    site.run(&site.names(), UNITS, &third);
    assert_eq!(site.get("web2", 8080, "/").unwrap().body, "three");
    was_lost_and_found(site);
}
