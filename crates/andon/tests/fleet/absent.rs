//! Machines that Andon cannot work on: one without power, and one whose sudo asks for a password.

use andon_testbed::machine::NOPASS_PASSWORD;

use crate::project::{host_state, text};
use crate::site::{BRISK, EXEC, INTERVAL, Site};

const UNITS: &[&str] = &["www@8080.service"];

fn write_line(site: &Site, user: &str) {
    site.project.write(
        "line.star",
        &format!(
            r#"service("www",
    hosts = {hosts},
    release = directory("dist"),
    run = systemd(exec = "{EXEC}", ports = [8080]),
    health = health(http("/healthz"), {INTERVAL}),
    rollout = rollout({BRISK}))
"#,
            hosts = site.group(user),
        ),
    );
}

#[test]
#[ignore = "fleet: needs root; run by `cargo xtask test`"]
fn machines_that_cannot_be_worked_on_are_named_and_brought_up_later() {
    let site = Site::boot(3);
    site.write_release("one", &[]);
    a_sudo_that_asks_for_a_password_is_refused(&site);
    write_line(&site, "deploy");
    let first = site.deploy();
    site.machine("web3").power_cut();
    let second = a_machine_without_power_is_left_out(&site, "two");
    a_command_reaches_the_others(&site);
    a_rollback_does_what_it_can(&site, &first);
    let third = a_machine_without_power_is_left_out(&site, "three");
    assert_ne!(second, third);
    a_machine_that_comes_back_is_seen_to_lag(&site, &first, &third);
    the_next_deployment_brings_it_up(&site, &third);
}

fn a_sudo_that_asks_for_a_password_is_refused(site: &Site) {
    write_line(site, "nopass");
    for command in ["plan", "deploy"] {
        let ran = site.project.run(&[command, "www"]).code(3);
        ran.says("web1")
            .says("password")
            .says("NOPASSWD")
            .says("nothing has been changed")
            .never_says(NOPASS_PASSWORD);
    }
    assert_eq!(site.project.recorded(), 0);
    for machine in site.fleet.machines() {
        machine.output("test ! -e /srv/www && test ! -e /etc/systemd/system/www@.service").unwrap();
    }
}

fn a_machine_without_power_is_left_out(site: &Site, mark: &str) -> String {
    site.write_release(mark, &[]);
    site.project.well(&["deploy", "www"]).says("succeeded").says("web3").says("unreachable");
    let shown = site.newest();
    let release = text(&shown, "release").to_owned();
    assert_eq!(host_state(&shown, "web3"), "unreachable");
    site.project.run(&["status", "www"]).code(1).says("web3  unreachable");
    for host in ["web1", "web2"] {
        assert_eq!(host_state(&shown, host), "succeeded");
    }
    site.run(&["web1", "web2"], UNITS, &release);
    release
}

fn a_command_reaches_the_others(site: &Site) {
    let question = ["run", "web", "--", "systemctl is-active www@8080.service"];
    let ran = site.project.run(&question).code(1);
    ran.says("2 hosts  active").says("1 host   unreachable    web3: no route leads there");
}

fn a_rollback_does_what_it_can(site: &Site, first: &str) {
    site.project.well(&["rollback", "www", "--why", "orders stopped"]).says("1 host out of reach");
    site.run(&["web1", "web2"], UNITS, first);
}

fn a_machine_that_comes_back_is_seen_to_lag(site: &Site, first: &str, current: &str) {
    site.machine("web3").power_on().unwrap();
    site.run(&["web3"], UNITS, first);
    site.project.well(&["status", "www"]).says(&format!("web3  {first}; not what should run"));
    site.run(&["web1", "web2"], UNITS, current);
}

fn the_next_deployment_brings_it_up(site: &Site, release: &str) {
    let before = ["web1", "web2"].map(|host| site.process(host, UNITS[0]));
    assert_eq!(site.deploy(), release);
    let shown = site.newest();
    assert_eq!(host_state(&shown, "web1"), "skipped");
    assert_eq!(host_state(&shown, "web3"), "succeeded");
    site.run(&site.names(), UNITS, release);
    assert_eq!(["web1", "web2"].map(|host| site.process(host, UNITS[0])), before, "they were disturbed");
    site.project.run(&["deploy", "www"]).code(3).says("there is nothing to do");
}
