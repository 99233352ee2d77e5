//! Deployments over ssh that end well, from the first to the way back.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::machines::Machines;
use crate::project::{QUICK, host_state, text};

#[test]
fn a_release_reaches_every_host_is_replaced_and_put_back_by_a_person() {
    let machines = Machines::start(3);
    let project = machines.project(QUICK);
    project.well(&["deploy", "www", "--why", "the first"]).says("succeeded").says("#1 www");
    let first = text(&project.show(1), "release").to_owned();
    let agents: Vec<_> = machines.names().map(|host| machines.agents(host)).collect();
    let release = machines.root("web1").join("releases").join(&first);
    let unpacked = fs::metadata(&release).unwrap().ino();
    for host in machines.names() {
        assert_eq!(machines.current(host).as_ref(), Some(&first));
        assert_eq!(machines.running(host), [first.as_str()]);
        assert_eq!(machines.agents(host).len(), 1);
        assert_eq!(host_state(&project.show(1), host), "succeeded");
    }

    project.release("two", "exit 0");
    project.well(&["deploy", "www", "--why", "the second"]);
    let second = text(&project.show(2), "release").to_owned();
    assert_ne!(first, second);
    for (host, before) in machines.names().zip(&agents) {
        assert_eq!(machines.running(host), [second.as_str()]);
        assert_eq!(&machines.agents(host), before, "the agent was sent again");
    }
    let status = project.well(&["status", "www"]);
    machines
        .names()
        .for_each(|host| assert!(status.out.contains(&format!("{host}  {second}")), "{status:?}"));

    project.well(&["rollback", "www", "--why", "orders stopped"]);
    let third = project.show(3);
    assert_eq!((text(&third, "kind"), text(&third, "release")), ("rollback", first.as_str()));
    machines.names().for_each(|host| assert_eq!(machines.running(host), [first.as_str()]));
    assert_eq!(fs::metadata(&release).unwrap().ino(), unpacked, "the release was unpacked again");

    project.run(&["deploy", "www"]).code(3).says(&second).says("bad").says("--allow-bad");
    assert_eq!(project.recorded(), 3, "a refusal is not a deployment");
    project.well(&["deploy", "www", "--allow-bad", "it was the database"]);
    machines.names().for_each(|host| assert_eq!(machines.running(host), [second.as_str()]));
    project.well(&["show", "4"]).says("it was the database").says(&second);
}

#[test]
fn every_deployment_is_told_with_who_when_why_and_where() {
    let machines = Machines::start(2);
    let project = machines.project(QUICK);
    project.well(&["deploy", "www", "--why", "ticket 17"]);
    project.well(&["history"]).says("#1").says("by ana").says("ticket 17").says("2 of 2 hosts changed");
    let rows = project.json(&["history"]);
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(text(&rows[0], "state"), "succeeded");
    assert_eq!(text(&rows[0], "why"), "ticket 17");
    project.well(&["show"]).says("ticket 17").says("ana on").says("web2 activating").says("succeeded");
    let shown = project.show(1);
    let events: Vec<&str> =
        shown["events"].as_array().unwrap().iter().filter_map(|event| event["what"].as_str()).collect();
    let place = |words: &str| {
        events
            .iter()
            .position(|event| *event == words)
            .unwrap_or_else(|| panic!("no {words:?} in {events:#?}"))
    };
    assert!(place("web1 preparing") < place("web1 activating"));
    assert!(place("web1 succeeded") < place("web2 activating"), "the first wave comes first: {events:#?}");
    project.well(&["show", "1", "--log", "web2"]).says("current -> releases/");
    project.well(&["ledger", "verify"]).says("none changed");
    project.well(&["test", "www"]).says("web1");
    project.run(&["deploy", "www"]).code(3).says("already").says("there is nothing to do");
}
