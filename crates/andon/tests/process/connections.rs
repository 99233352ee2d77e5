//! Connections that are cut and hosts that go away in the middle of a deployment.

use crate::machines::Machines;
use crate::project::{Project, QUICK, Running, host_state, text};

/// A second release on four hosts, at work on web3, whose test waits for the gate there.
fn at_work_on_web3(machines: &Machines, rollout: &str) -> (Project, Running) {
    let project = machines.project(rollout);
    project.well(&["deploy", "www"]);
    project.release("two", &format!("[ \"$ANDON_HOST\" = web3 ] || exit 0\n{}", project.gate()));
    let running = project.start(&["deploy", "www"]);
    project.until_told(2, "web3 verifying");
    (project, running)
}

#[test]
fn a_connection_that_is_cut_during_a_step_is_taken_up_again_and_the_step_is_not_repeated() {
    let machines = Machines::start(3);
    let (project, running) = at_work_on_web3(&machines, QUICK);
    let process = machines.processes("web3");
    machines.host("web3").sever();
    project.until_shown(2, "the loss is noticed", |shown| {
        shown["events"]
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["what"].as_str().is_some_and(|what| what.starts_with("web3 unknown")))
    });
    project.open_gate();
    running.end().code(0).says("#2 succeeded");
    assert_eq!(machines.processes("web3"), process, "the service was started again");
    assert_eq!(host_state(&project.show(2), "web3"), "succeeded");
}

#[test]
fn a_server_speaks_with_the_machine_that_the_line_names_now() {
    let machines = Machines::start(2);
    let project = machines.project(QUICK);
    let at = |address: &str| format!("[host(\"app\", address = \"{address}\")]");
    project.write_line(&at("web1"), QUICK, "");
    let mut server = project.start(&["server", "--listen", "127.0.0.1:0"]);
    server.until_said("answers on http://");
    let said = server.said();
    let url = said.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    project.well(&["deploy", "www", "--server", url]);
    let first = machines.current("web1");
    assert!(first.is_some());
    // The machine was replaced, and the old one still runs.
    project.write_line(&at("web2"), QUICK, "");
    project.release("two", "exit 0");
    project.well(&["deploy", "www", "--server", url]);
    let release = text(&project.show(2), "release").to_owned();
    assert_eq!(machines.current("web2"), Some(release));
    assert_eq!(machines.current("web1"), first, "the old machine was changed once more");
}

#[test]
fn a_host_that_comes_back_in_time_is_finished() {
    let machines = Machines::start(3);
    let (project, running) = at_work_on_web3(&machines, &format!("{QUICK}, reconnect_window = \"60s\""));
    machines.host("web3").stop();
    project.until_shown(2, "the loss is noticed", |shown| host_state(shown, "web3") == "unknown");
    project.open_gate();
    machines.host("web3").restart().unwrap();
    running.end().code(0);
    assert_eq!(host_state(&project.show(2), "web3"), "succeeded");
    assert_eq!(machines.running("web3"), [text(&project.show(2), "release")]);
}

#[test]
fn a_host_that_stays_away_is_left_out_and_named_and_brought_up_later() {
    let machines = Machines::start(3);
    let rollout = "waves = [1, \"100%\"], max_parallel = 1, bake = \"0s\", min_healthy_time = \"0s\", min_available = 0, \
         reconnect_window = \"1s\", max_unreachable = 1";
    let project = machines.project(rollout);
    project.well(&["deploy", "www"]);
    let old = machines.running("web3");
    project.release("two", &format!("[ \"$ANDON_HOST\" = web2 ] || exit 0\n{}", project.gate()));
    let running = project.start(&["deploy", "www"]);
    project.until_told(2, "web2 verifying");
    machines.host("web3").stop();
    project.open_gate();
    running.end().code(0).says("#2 succeeded").says("web3 unreachable").says("1 host out of reach");
    assert_eq!(host_state(&project.show(2), "web3"), "unreachable");
    assert_eq!(machines.running("web3"), old, "it goes on serving what it served");
    machines.host("web3").restart().unwrap();
    project.well(&["status", "www"]).says("not what should run");
    project.well(&["deploy", "www"]);
    assert_eq!(host_state(&project.show(3), "web1"), "skipped");
    assert_eq!(machines.running("web3"), machines.running("web1"));
}

#[test]
fn more_lost_hosts_than_are_borne_pause_the_deployment_until_a_person_decides() {
    let machines = Machines::start(3);
    let rollout = format!("{QUICK}, reconnect_window = \"1s\", max_unreachable = 0");
    let (project, mut running) = at_work_on_web3(&machines, &rollout);
    machines.host("web3").stop();
    running.until_said("paused: 1 host cannot be reached, 0 may be missing");
    project.open_gate();
    machines.host("web3").restart().unwrap();
    project.well(&["resume", "2"]);
    running.end().code(0);
    assert_eq!(host_state(&project.show(2), "web3"), "succeeded");
}

#[test]
fn a_host_that_loses_power_during_a_step_is_finished_when_it_is_back() {
    let mut machines = Machines::start(3);
    let (project, running) = at_work_on_web3(&machines, QUICK);
    machines.power_cut("web3");
    project.open_gate();
    running.end().code(0).says("#2 succeeded");
    let shown = project.show(2);
    assert_eq!(host_state(&shown, "web3"), "succeeded", "{shown:#}");
    assert_eq!(machines.running("web3"), [text(&shown, "release")]);
    project.well(&["status", "www"]);
}
