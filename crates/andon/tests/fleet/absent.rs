//! Machines that Andon cannot work on: one without power, and one whose sudo asks for a password.

use andon_testbed::Machine;
use andon_testbed::deadline::wait_until;
use andon_testbed::machine::NOPASS_PASSWORD;

use crate::project::{LIMIT, host_state, text};
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
    is_shut_down(site.machine("web3"));
    let second = the_others_get_the_release(&site, "two");
    it_is_named_and_missed(&site);
    the_others_are_rolled_back(&site, &first);
    let third = the_others_get_the_release(&site, "three");
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

fn is_shut_down(machine: &Machine) {
    // The connection may end before its exit status arrives.
    let _ = machine.ssh("systemctl poweroff");
    assert!(wait_until(LIMIT, || !machine.is_running()), "it did not shut down");
}

fn the_others_get_the_release(site: &Site, mark: &str) -> String {
    site.write_release(mark, &[]);
    site.project.well(&["deploy", "www"]).says("succeeded").says("web3").says("unreachable");
    let shown = site.newest();
    assert_eq!(host_state(&shown, "web3"), "unreachable");
    let release = text(&shown, "release").to_owned();
    for host in ["web1", "web2"] {
        assert_eq!(host_state(&shown, host), "succeeded");
        assert_eq!(site.running(host, UNITS), [release.as_str()]);
    }
    release
}

fn it_is_named_and_missed(site: &Site) {
    site.project.run(&["status", "www"]).code(1).says("web3  unreachable");
    let ran = site.project.run(&["run", "web", "--", "systemctl is-active www@8080.service"]).code(1);
    ran.says("2 hosts  active").says("1 host   unreachable    web3: ");
}

fn the_others_are_rolled_back(site: &Site, first: &str) {
    site.project.well(&["rollback", "www", "--why", "orders stopped"]).says("1 host out of reach");
    for host in ["web1", "web2"] {
        assert_eq!(site.running(host, UNITS), [first]);
    }
}

fn a_machine_that_comes_back_is_seen_to_lag(site: &Site, first: &str, current: &str) {
    site.machine("web3").power_on().unwrap();
    site.run(&["web3"], UNITS, first);
    site.project.well(&["status", "www"]).says(&format!("web3  {first}; not what should run"));
    site.run(&["web1", "web2"], UNITS, current);
}

fn the_next_deployment_brings_it_up(site: &Site, release: &str) {
    let before = ["web1", "web2"].map(|host| site.processes(host, UNITS));
    assert_eq!(site.deploy(), release);
    let shown = site.newest();
    assert_eq!(host_state(&shown, "web1"), "skipped");
    assert_eq!(host_state(&shown, "web3"), "succeeded");
    site.run(&site.names(), UNITS, release);
    assert_eq!(["web1", "web2"].map(|host| site.processes(host, UNITS)), before, "they were disturbed");
    site.project.run(&["deploy", "www"]).code(3).says("there is nothing to do");
}
