//! A controller that is stopped in the middle: by a person, by force, or from beside.

use std::fs;

use rustix::process::{Pid, Signal};

use crate::machines::Machines;
use crate::project::{Project, QUICK, Running, host_state, text};

/// A first release that serves, and a second one whose test on web1 waits for the gate.
fn in_the_middle(hosts: usize) -> (Project, Running) {
    let project = Project::local(hosts);
    project.well(&["deploy", "www"]);
    project.release("two", &project.gate());
    let running = project.start(&["deploy", "www"]);
    project.until_told(2, "web1 verifying");
    (project, running)
}

fn current(project: &Project, host: &str) -> String {
    let link = fs::read_link(project.local_root(host).join("current")).unwrap();
    link.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn ctrl_c_brings_hosts_to_a_safe_point_and_stops() {
    let (project, mut running) = in_the_middle(2);
    running.signal(Signal::INT);
    running.until_said("stopping");
    project.open_gate();
    running.end().code(1).says("#2 was aborted").says("1 host on r-").says(", 1 host never touched");
    let shown = project.show(2);
    assert_eq!((text(&shown, "state"), host_state(&shown, "web2")), ("aborted", "cancelled"));
    assert_eq!(current(&project, "web1"), text(&shown, "release"));
    assert_ne!(current(&project, "web2"), text(&shown, "release"));
    project.well(&["deploy", "www"]);
    assert_eq!(host_state(&project.show(3), "web1"), "skipped");
}

#[test]
fn a_rollback_after_an_abort_undoes_what_was_begun_and_nothing_before_it() {
    let project = Project::local(2);
    project.release("zero", "exit 0");
    project.well(&["deploy", "www"]);
    project.release("one", "exit 0");
    project.well(&["deploy", "www"]);
    let good = text(&project.show(2), "release").to_owned();
    project.release("two", &project.gate());
    let mut running = project.start(&["deploy", "www"]);
    project.until_told(3, "web1 verifying");
    running.signal(Signal::INT);
    running.until_said("stopping");
    project.open_gate();
    running.end().code(1).says("#3 was aborted").says("andon rollback www production");
    project.well(&["rollback", "www", "production"]);
    assert_eq!((current(&project, "web1"), current(&project, "web2")), (good.clone(), good));
    assert_eq!(host_state(&project.show(4), "web2"), "skipped", "it ran the good release all the time");
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_resume_finishes_it() {
    let (project, mut running) = in_the_middle(2);
    running.signal(Signal::INT);
    running.until_said("stopping");
    running.signal(Signal::INT);
    running.end().code(130).says("andon resume 2");
    project.run(&["deploy", "www"]).code(3).says("#2 owns").says("andon resume 2").says("abort 2 --rollback");
    project.open_gate();
    // The abort that was asked for is still wanted.
    project.run(&["resume", "2"]).code(1).says("#2 was aborted");
    assert_eq!(text(&project.show(2), "state"), "aborted");
    project.well(&["deploy", "www"]);
}

#[test]
fn a_controller_that_is_killed_during_an_activation_is_resumed_where_it_was() {
    let project = Project::local(2);
    // A program that does not end when it is asked to holds the activation of the next release.
    project.write("dist/www", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n");
    project.well(&["deploy", "www"]);
    project.release("two", "exit 0");
    let running = project.start(&["deploy", "www"]);
    project.until_told(2, "web1 activating");
    running.kill();
    assert_eq!(text(&project.show(2), "state"), "running");
    let refused = project.run(&["deploy", "www"]).code(3).says("the process that drove it is gone");
    refused.says("nothing has been changed").says("andon resume 2");
    project.well(&["resume"]).says("#2 succeeded");
    let shown = project.show(2);
    for host in ["web1", "web2"] {
        assert_eq!(host_state(&shown, host), "succeeded");
        assert_eq!(current(&project, host), text(&shown, "release"));
        assert_eq!(activations(&project, host), 1, "{host} was activated more than once");
    }
    project.well(&["ledger", "verify"]);
}

#[test]
fn a_controller_that_is_killed_again_and_again_gets_there_and_changes_each_host_once() {
    let project = Project::local(3);
    project.well(&["deploy", "www"]);
    // The last of them waits until it was seen there.
    let gate = project.gate();
    project.release("two", &format!("[ \"$ANDON_HOST\" = web3 ] || {{ sleep 0.3; exit 0; }}\n{gate}"));
    let mut words = vec!["deploy", "www"];
    for moment in ["web2 preparing", "web1 verifying", "web2 activating", "web3 verifying"] {
        let running = project.start(&words);
        project.until_told(2, moment);
        running.kill();
        words = vec!["resume", "2"];
    }
    project.open_gate();
    project.well(&words).says("#2 succeeded");
    let shown = project.show(2);
    for host in ["web1", "web2", "web3"] {
        assert_eq!(host_state(&shown, host), "succeeded");
        assert_eq!(current(&project, host), text(&shown, "release"));
        assert_eq!(activations(&project, host), 1, "{host} was activated more than once");
    }
    project.well(&["status", "www"]);
    project.well(&["ledger", "verify"]).says("none changed");
}

/// How many activations of deployment 2 the host has in its journal.
fn activations(project: &Project, host: &str) -> usize {
    let steps = fs::read_dir(project.local_root(host).join(".andon/steps")).unwrap();
    let names = steps.map(|step| step.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("d2.") && name.contains(".activate.")).count()
}

#[test]
fn a_killed_controller_can_be_followed_by_an_abort_that_puts_back() {
    let (project, running) = in_the_middle(2);
    let good = text(&project.show(1), "release").to_owned();
    running.kill();
    project.open_gate();
    project.run(&["abort", "2", "--rollback", "--why", "the laptop died"]).code(1).says("#2 was rolled back");
    let shown = project.show(2);
    assert_eq!(text(&shown, "state"), "rolled_back");
    assert_eq!((current(&project, "web1"), current(&project, "web2")), (good.clone(), good));
    project.well(&["show", "2"]).says("the laptop died");
}

#[test]
fn a_deployment_is_paused_and_resumed_from_beside() {
    let (project, running) = in_the_middle(2);
    project.well(&["pause", "--why", "looking at the error log"]).says("#2 starts no further host");
    project.open_gate();
    let paused = project.until_shown(2, "it is paused and idle", |shown| {
        shown["state"] == "paused" && host_state(shown, "web1") == "succeeded"
    });
    assert_eq!(host_state(&paused, "web2"), "prepared");
    project.run(&["pause", "2"]).code(3);
    project.well(&["resume", "2"]).says("goes on where it is driven");
    running.end().code(0).says("#2 succeeded");
    project.well(&["show", "2"]).says("looking at the error log");
    project.run(&["resume", "2"]).code(3).says("has ended already");
}

#[test]
fn a_deployment_is_aborted_and_put_back_from_beside() {
    let (project, running) = in_the_middle(2);
    project.well(&["abort", "--rollback"]).says("#2 stops at its safe point");
    project.open_gate();
    running.end().code(1).says("#2 was rolled back").says("ana asked for it");
    assert_eq!(current(&project, "web1"), text(&project.show(1), "release"));
    // A person changed their mind; that says nothing about the release.
    project.well(&["deploy", "www", "--fixes", "2"]);
}

#[test]
fn ctrl_c_of_a_terminal_reaches_the_whole_group_and_cuts_no_connection() {
    use std::os::unix::process::CommandExt;
    let machines = Machines::start(2);
    let project = machines.project(QUICK);
    project.release("gated", &project.gate());
    let mut command = project.command(&["deploy", "www"]);
    command.process_group(0);
    let mut running = project.start_command(command);
    project.until_told(1, "web1 verifying");
    let group = Pid::from_raw(i32::try_from(running.pid()).unwrap()).unwrap();
    rustix::process::kill_process_group(group, Signal::INT).unwrap();
    running.until_said("stopping");
    project.open_gate();
    running.end().code(1).says("#1 was aborted").never_says("unknown");
    assert_eq!(host_state(&project.show(1), "web1"), "succeeded");
}

#[test]
fn a_deployment_that_waits_leaves_the_queue_by_ctrl_c() {
    let (project, running) = in_the_middle(1);
    project.release("three", "exit 0");
    let mut waiting = project.start(&["deploy", "www"]);
    project.until_shown(3, "it waits", |shown| shown["state"] == "pending");
    waiting.until_said("#3");
    waiting.signal(Signal::INT);
    waiting.end().code(1).says("#3 was cancelled: a person cancelled it").says("Nothing has been changed");
    project.open_gate();
    running.end().code(0).says("#2 succeeded");
}

#[test]
fn a_deployment_is_taken_from_a_living_process_only_by_force_which_that_one_notices() {
    let (project, running) = in_the_middle(2);
    let refused = project.run(&["resume", "2"]).code(3).says("#2 is driven by ana on");
    let refused = refused.says("took charge").says("nothing has been changed");
    refused.says("andon resume 2 --take-over");
    let mut newer = project.start(&["resume", "2", "--take-over"]);
    newer.until_said("#2");
    running.end().code(4).says("was taken over by ana on").says("this process stopped giving orders");
    project.open_gate();
    newer.end().code(0).says("#2 succeeded");
    assert_eq!(activations(&project, "web1"), 1);
    project.well(&["ledger", "verify"]);
}
