//! What a terminal, a shell and a supervisor do to a deployment: SIGTERM, a terminal that goes away, Ctrl-Z, a reader that
//! has read enough; and Ctrl-C before anything has begun.

use std::io::Write;
use std::process::Command;

use andon_testbed::deadline::wait_until;
use andon_testbed::process::descendants;
use rustix::process::Signal;

use crate::project::{LIMIT, Project, QUICK, Running, host_state, keyboard, local_hosts, text};

/// A first release that serves, and a second one whose test on web1 waits for the gate.
fn in_the_middle() -> (Project, Running) {
    let project = Project::local(2);
    project.well(&["deploy", "www"]);
    project.release("two", &project.gate());
    let running = project.start(&["deploy", "www"]);
    project.until_told(2, "web1 verifying");
    (project, running)
}

#[test]
fn sigterm_is_an_orderly_abort() {
    let (project, mut running) = in_the_middle();
    running.signal(Signal::TERM);
    running.until_said("stopping");
    project.open_gate();
    running.end().code(1).says("#2 was aborted").says("next");
}

#[test]
fn ctrl_c_while_it_is_watched_at_the_end_leaves_the_new_release() {
    let project = Project::local(2);
    project.write_line(&local_hosts(2), &QUICK.replace("bake = \"0s\"", "bake = \"10m\""), "");
    let running = project.start(&["deploy", "www"]);
    project.until_shown(1, "it is watched", |shown| shown["state"] == "baking");
    running.signal(Signal::INT);
    running.end().code(1).says("#1 was aborted").says("2 hosts on r-");
}

#[test]
fn ctrl_c_while_it_is_put_back_lets_it_be_put_back() {
    let project = Project::local(2);
    let holds = project.path().join("holds");
    project.release("one", &format!("[ ! -e '{}' ] || {{ {}; }}", holds.display(), project.gate()));
    project.well(&["deploy", "www"]);
    project.write("holds", "");
    project.release("two", "exit 1");
    let mut running = project.start(&["deploy", "www"]);
    project.until_shown(2, "it is put back", |shown| shown["state"] == "rolling_back");
    running.signal(Signal::INT);
    running.until_said("is being put back already");
    project.open_gate();
    running.end().code(1).says("#2 was rolled back").says("1 host restored");
}

#[test]
fn ctrl_c_while_it_is_paused_ends_it() {
    let (project, running) = in_the_middle();
    project.well(&["pause", "2"]);
    project.until_shown(2, "it is paused", |shown| shown["state"] == "paused");
    running.signal(Signal::INT);
    project.open_gate();
    running.end().code(1).says("#2 was aborted").says("1 host never touched");
}

#[test]
fn a_terminal_that_goes_away_leaves_no_host_in_the_middle() {
    let (project, running) = in_the_middle();
    running.signal(Signal::HUP);
    running.signal(Signal::HUP);
    project.open_gate();
    running.end().code(0);
    assert_eq!(text(&project.show(2), "state"), "succeeded");
}

#[test]
fn a_deployment_that_was_stopped_by_ctrl_z_goes_on_where_it_was() {
    let (project, running) = in_the_middle();
    running.signal(Signal::STOP);
    let stat = format!("/proc/{}/stat", running.pid());
    let stopped = || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "));
    assert!(wait_until(LIMIT, stopped));
    project.open_gate();
    // Somebody else sees whose it is meanwhile.
    project.run(&["resume", "2"]).code(3).says("#2 is driven by ana");
    running.signal(Signal::CONT);
    running.end().code(0).says("#2 succeeded");
}

#[test]
fn a_reader_that_has_read_enough_ends_nothing() {
    let project = Project::local(2);
    let mut shell = project.around(Command::new("/bin/sh"));
    let line = format!("'{}' deploy www | head -n 1", env!("CARGO_BIN_EXE_andon"));
    shell.args(["-c", &line]);
    let ran = project.start_command(shell).end().code(0);
    assert_eq!(ran.out.lines().count(), 1);
    project.until_shown(1, "it ended", |shown| shown["state"] == "succeeded");
}

#[test]
fn ctrl_c_while_it_is_planned_leaves_no_trace() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let project = Project::new();
        // A host that never answers.
        project.write("ssh.conf", "Host web1\n  ProxyCommand sleep 600\n");
        let config = project.path().join("ssh.conf");
        let project = project.with_ssh(config);
        project.write_line("[host(\"web1\")]", QUICK, "");
        project.release("one", "exit 0");
        let running = project.start(&["deploy", "www"]);
        let asked = || descendants(running.pid()).iter().any(|process| process.name == "ssh");
        assert!(wait_until(LIMIT, asked), "it never asked the host");
        running.signal(signal);
        running.end().code(130).says("left; nothing has been changed");
        assert_eq!(project.recorded(), 0);
    }
}

#[test]
fn at_a_terminal_everything_is_as_before_after_ctrl_c() {
    let project = Project::local(2);
    project.well(&["deploy", "www"]);
    project.release("two", &project.gate());
    let mut keys = keyboard(&project);
    let mut running = project.start_command(project.at_a_terminal(&["deploy", "www"], &keys));
    project.until_told(2, "web1 verifying");
    running.until_said("wave 1");
    keys.write_all(b"\x03").unwrap();
    running.until_said("stopping");
    project.open_gate();
    let ran = running.end().code(1);
    let (hidden, shown) = (ran.out.matches("\u{1b}[?25l").count(), ran.out.matches("\u{1b}[?25h").count());
    assert!(
        hidden == 0 || ran.out.rfind("\u{1b}[?25h") > ran.out.rfind("\u{1b}[?25l"),
        "{hidden} {shown}: {ran:?}"
    );
    let colours = ran.out.rfind("\u{1b}[0m") >= ran.out.rfind("\u{1b}[3");
    assert!(colours, "{ran:?}");
    // A shown `^C` would move the picture by a line, and leave a piece of it behind.
    assert!(!ran.out.contains("^C"), "{ran:?}");
    ran.says("#2 was aborted");
    assert_eq!(host_state(&project.show(2), "web2"), "cancelled");
}
