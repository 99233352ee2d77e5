//! A deployment over a server: followed as it goes, by whom and for as long as they like.

use rustix::process::Signal;

use crate::project::{Running, host_state, text};
use crate::site::{Person, Site};

/// A first release that serves, and a second one whose test on web1 waits for the gate of the server's machine.
pub(crate) fn in_the_middle(hosts: usize) -> (Site, Person, Running) {
    let site = Site::start(hosts);
    let person = site.person();
    person.well(&["deploy", "www"]);
    person.checkout.release("two", &site.project.gate());
    let mut running = person.start(&["deploy", "www"]);
    site.project.until_told(2, "web1 verifying");
    // Whoever watches has heard it.
    running.until_said("web1 verifying");
    (site, person, running)
}

#[test]
fn it_is_told_as_it_goes() {
    let (site, _person, running) = in_the_middle(2);
    site.project.open_gate();
    let ran = running.end().code(0);
    ran.says("by ana    line running")
        .says("#2 wave 1 of 2")
        .says("#2 succeeded after")
        .says("2 hosts on r-");
}

#[test]
fn whoever_watches_may_go_and_it_goes_on() {
    let (site, person, running) = in_the_middle(2);
    running.kill();
    site.project.open_gate();
    let shown = site.project.until_shown(2, "it ended", |shown| shown["state"] == "succeeded");
    assert_eq!(text(&shown, "by"), "ana");
    person.well(&["history"]).says("succeeded");
}

#[test]
fn ctrl_c_asks_for_an_abort_and_a_second_one_leaves_it_to_the_server() {
    let (site, person, mut running) = in_the_middle(2);
    running.signal(Signal::INT);
    running.until_said("Ctrl-C again leaves that to the server");
    site.project.until_shown(2, "it was asked", |shown| shown["state"] != "running");
    running.signal(Signal::INT);
    let left = running.end().code(130);
    left.says(&format!("left: #2 goes on at {}", person.url)).says("andon show 2");
    site.project.open_gate();
    let shown = site.project.until_shown(2, "it ended", |shown| shown["state"] == "aborted");
    assert_eq!(host_state(&shown, "web2"), "cancelled");
}

#[test]
fn two_people_see_and_steer_the_same_deployment() {
    let (site, ana, running) = in_the_middle(2);
    let ben = site.person();
    ben.well(&["pause", "--why", "looking"]).says("#2 starts no further host");
    site.project.open_gate();
    site.project.until_shown(2, "it pauses", |shown| {
        shown["state"] == "paused" && host_state(shown, "web1") == "succeeded"
    });
    // A second deployment waits for the first one.
    ben.checkout.release("three", "exit 0");
    let mut queued = ben.start(&["deploy", "www"]);
    site.project.until_shown(3, "it waits", |shown| shown["state"] == "pending");
    ana.well(&["resume", "2"]).says("#2");
    running.end().code(0).says("#2 succeeded");
    queued.until_said_or_ended("#3 succeeded");
    queued.end().code(0).says("#3 succeeded");
}

#[test]
fn a_release_is_brought_from_where_it_was_built_and_else_is_the_servers() {
    let site = Site::start(1);
    let person = site.person();
    person.checkout.release("only here", "exit 0");
    person.well(&["deploy", "www"]);
    let mark = site.project.local_root("web1").join("current/mark");
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "only here");
    let shown = site.project.show(1);
    // It is there already: nothing is brought again.
    person.run(&["deploy", "www"]).code(3).says("run").says(text(&shown, "release"));
    std::fs::remove_dir_all(person.checkout.path().join("dist")).unwrap();
    person.well(&["deploy", "www"]).says("no release of www is built here");
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "one");
}
