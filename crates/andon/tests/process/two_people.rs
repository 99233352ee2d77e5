//! Two people who want something at the same time, in one ledger and in two.

use crate::machines::Machines;
use crate::project::{Project, QUICK, Running, local_hosts, text};

/// A deployment of a release that is being tested until the gate is opened.
fn at_work(project: &Project) -> Running {
    let number = project.recorded() as u64 + 1;
    project.release("gated", &project.gate());
    let running = project.start(&["deploy", "www"]);
    project.until_told(number, "web1 verifying");
    running
}

#[test]
fn a_second_deployment_waits_and_of_several_that_wait_the_newest_wins() {
    let project = Project::local(2);
    let first = at_work(&project);
    project.release("two", "exit 0");
    let mut second = project.start(&["deploy", "www"]);
    second.until_said("#2");
    project.until_shown(2, "it waits", |shown| shown["state"] == "pending");
    project.release("three", "exit 0");
    let mut third = project.start(&["deploy", "www"]);
    third.until_said("#3");
    second.end().code(1).says("#2 was cancelled").says("#3 is newer");
    project.open_gate();
    first.end().code(0);
    third.end().code(0).says("#3 succeeded");
    let states: Vec<_> = (1..=3).map(|number| text(&project.show(number), "state").to_owned()).collect();
    assert_eq!(states, ["succeeded", "cancelled", "succeeded"]);
    let release = text(&project.show(3), "release").to_owned();
    for host in ["web1", "web2"] {
        assert!(std::fs::read_link(project.local_root(host).join("current")).unwrap().ends_with(&release));
    }
    project.well(&["ledger", "verify"]);
}

#[test]
fn a_line_that_rejects_refuses_the_second_deployment() {
    let project = Project::local(2);
    project.write_line(&local_hosts(2), &format!("{QUICK}, on_conflict = \"reject\""), "");
    let first = at_work(&project);
    project.release("two", "exit 0");
    project.run(&["deploy", "www"]).code(3).says("#1 is at work").says("on_conflict").says("andon show 1");
    assert_eq!(project.recorded(), 1);
    project.open_gate();
    first.end().code(0);
}

#[test]
fn a_line_that_supersedes_stops_the_running_deployment_at_its_safe_point() {
    let project = Project::local(2);
    project.write_line(&local_hosts(2), &format!("{QUICK}, on_conflict = \"supersede\""), "");
    project.well(&["deploy", "www"]);
    let older = at_work(&project);
    project.release("three", "exit 0");
    let newer = project.start(&["deploy", "www"]);
    project.until_shown(2, "it gives way", |shown| shown["state"] == "aborting");
    project.open_gate();
    older.end().code(1).says("#2 gave way to #3");
    newer.end().code(0).says("#3 succeeded");
    assert_eq!(crate::project::host_state(&project.show(2), "web2"), "cancelled");
}

#[test]
fn a_rollback_does_not_wait_for_the_deployment_that_it_is_meant_to_end() {
    let project = Project::local(2);
    project.well(&["deploy", "www"]);
    let good = text(&project.show(1), "release").to_owned();
    let older = at_work(&project);
    let newer = project.start(&["rollback", "www", "--to", &good]);
    project.until_shown(2, "it gives way", |shown| shown["state"] == "aborting");
    project.open_gate();
    older.end().code(1).says("#2 gave way to #3");
    newer.end().code(0);
    assert!(std::fs::read_link(project.local_root("web1").join("current")).unwrap().ends_with(&good));
}

#[test]
fn hosts_obey_one_ledger_until_they_are_taken_over() {
    let machines = Machines::start(2);
    let project = machines.project(QUICK);
    project.well(&["deploy", "www"]);
    project.release("two", "exit 0");
    let as_bob = |words: &[&str]| {
        let mut command = project.command(words);
        command.env("ANDON_USER", "bob").env("ANDON_DATA", project.path().join("bob"));
        project.start_command(command).end()
    };
    let refused =
        as_bob(&["deploy", "www"]).code(3).says("web1 obeys another ledger: deployment #1 by ana on");
    refused.says("--take-over").says("nothing has been changed");
    as_bob(&["deploy", "www", "--take-over"]).code(0);
    let release = machines.running("web1");
    project.release("three", "exit 0");
    project.run(&["deploy", "www"]).code(3).says("obeys another ledger").says("by bob on");
    assert_eq!(machines.running("web1"), release, "the old ledger was obeyed");
}

#[test]
fn a_deployment_whose_hosts_are_taken_over_by_another_ledger_stops_and_can_be_closed() {
    let machines = Machines::start(2);
    let project = machines.project(QUICK);
    project.well(&["deploy", "www"]);
    let ana = at_work(&project);
    let as_bob = |words: &[&str]| {
        let mut command = project.command(words);
        command.env("ANDON_USER", "bob").env("ANDON_DATA", project.path().join("bob"));
        project.start_command(command)
    };
    let refused =
        as_bob(&["deploy", "www"]).end().code(3).says("obeys another ledger: deployment #2 by ana on");
    refused.says("that deployment began").says("nothing has been changed");
    project.release("of bob", "exit 0");
    let mut bob = as_bob(&["deploy", "www", "--take-over"]);
    bob.until_said("#1");
    // The step of the first one is ended by nobody: the second one waits until the host is free.
    project.open_gate();
    bob.end().code(0).says("#1 succeeded");
    let ended = ana.end().code(4).says("was taken over: it obeys deployment #1 by bob on");
    ended.says("this process stopped giving orders").says("andon abort 2");
    let shown = project.show(2);
    assert_eq!(text(&shown, "state"), "running", "nothing is said against its release: {shown:#}");
    let release = machines.running("web1");
    project.run(&["abort", "2"]).code(1).says("#2 was aborted");
    assert_eq!(machines.running("web1"), release, "the old ledger was obeyed");
}

#[test]
fn five_people_in_the_same_second_make_one_deployment_each_or_none() {
    let project = Project::local(2);
    let running: Vec<Running> = (0..5).map(|_| project.start(&["deploy", "www"])).collect();
    let codes: Vec<_> = running.into_iter().map(|running| running.end().code.unwrap()).collect();
    assert!(codes.contains(&0), "{codes:?}");
    assert!(codes.iter().all(|code| matches!(code, 0 | 1 | 3)), "{codes:?}");
    let rows = project.json(&["history"]);
    let ended =
        rows.as_array().unwrap().iter().all(|row| matches!(text(row, "state"), "succeeded" | "cancelled"));
    assert!(ended, "{rows:#}");
    project.well(&["status", "www"]);
    project.well(&["ledger", "verify"]).says("none changed");
}
