//! A server that ends in the middle of a deployment, or is killed, and comes back.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::live::in_the_middle;
use crate::project::{host_state, text};

#[test]
fn a_server_that_is_asked_to_end_leaves_what_the_next_one_goes_on_with() {
    let (mut site, _person, mut running) = in_the_middle(2);
    site.stop().code(0);
    running.until_said("it goes on when it is back");
    let shown = site.project.show(2);
    assert_eq!(text(&shown, "state"), "running", "nothing was given up");
    site.start_again();
    site.until_said("#2 was left by its controller and goes on here");
    running.until_said("the server is heard again");
    site.project.open_gate();
    running.end().code(0).says("#2 succeeded");
    assert_eq!(host_state(&site.project.show(2), "web2"), "succeeded");
}

#[test]
fn a_server_that_was_killed_goes_on_where_it_was() {
    let (mut site, _person, mut running) = in_the_middle(2);
    site.kill();
    running.until_said("cannot be reached");
    site.project.open_gate();
    site.start_again();
    running.end().code(0).says("#2 succeeded");
}

#[test]
fn a_deployment_that_lost_its_driver_to_a_ledger_that_somebody_held_goes_on_by_itself() {
    let (mut site, _person, running) = in_the_middle(2);
    running.kill();
    let holds = "import sqlite3, sys; ledger = sqlite3.connect(sys.argv[1]); ledger.execute('BEGIN IMMEDIATE'); \
                 print('held', flush=True); sys.stdin.read()";
    let mut holder = Command::new("python3")
        .args(["-c", holds])
        .arg(site.project.data().join("ledger.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    site.project.open_gate();
    site.until_said("#2 cannot be gone on with: another process kept the ledger");
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    site.until_said("#2 was left by its controller and goes on here");
    site.project.until_shown(2, "it is over", |shown| shown["state"] == "succeeded");
    assert_eq!(host_state(&site.project.show(2), "web2"), "succeeded");
}

#[test]
fn what_was_paused_stays_paused_and_what_waited_waits_on() {
    let (mut site, person, running) = in_the_middle(2);
    running.kill();
    person.well(&["pause", "2"]);
    site.project.open_gate();
    site.project.until_shown(2, "it pauses", |shown| {
        shown["state"] == "paused" && host_state(shown, "web1") == "succeeded"
    });
    person.checkout.release("three", "exit 0");
    let queued = person.start(&["deploy", "www"]);
    site.project.until_shown(3, "it waits", |shown| shown["state"] == "pending");
    site.kill();
    site.start_again();
    site.until_said("#3 was left by its controller");
    assert_eq!(text(&site.project.show(2), "state"), "paused");
    person.well(&["resume", "2"]);
    queued.end().code(0).says("#3 succeeded");
    assert_eq!(text(&site.project.show(2), "state"), "succeeded");
}
