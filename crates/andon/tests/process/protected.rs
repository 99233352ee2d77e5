//! A protected environment changes only when its name is said, and never more of it at one go than the line allows.

use std::io::Write;

use crate::project::{Project, Ran, host_state, keyboard, text};

/// A staging and a production of one host each, of which production is guarded by `guard`.
fn two_environments(guard: &str) -> Project {
    let project = Project::new();
    let hosts = "{\"staging\": group(\"stage\", [\"stage1\"], local = True), \
                  \"production\": group(\"web\", [\"web1\"], local = True)}";
    project.write_line(hosts, crate::project::QUICK, "");
    let line = std::fs::read_to_string(project.path().join("line.star")).unwrap();
    project.write("line.star", &format!("environment(\"production\", {guard})\n{line}"));
    project.release("one", "exit 0");
    project
}

/// Runs the program at a terminal of its own, where a person types `keys` once they are asked.
fn at_a_terminal(project: &Project, words: &[&str], keys: &str) -> Ran {
    let mut keyboard = keyboard(project);
    let mut running = project.start_command(project.at_a_terminal(words, &keyboard));
    if !keys.is_empty() {
        running.until_said("to go on: ");
        keyboard.write_all(keys.as_bytes()).unwrap();
    }
    running.end()
}

#[test]
fn without_a_terminal_the_name_comes_with_the_command_and_is_kept() {
    let project = two_environments("protected = True");
    let refused = project.run(&["deploy", "www", "production"]).code(3);
    refused.says("production is protected").says("nothing has been changed").says("--confirm production");
    let refused = project.run(&["deploy", "www", "production", "--confirm", "staging"]).code(3);
    refused.says("this would change production, and the name that was said is staging");
    // Whoever says production and means staging is stopped as well.
    project.run(&["deploy", "www", "staging", "--confirm", "production"]).code(3);
    assert_eq!(project.recorded(), 0);
    assert!(!project.data().join("hosts/web1/srv").exists(), "a refused deployment touched the host");
    project.well(&["deploy", "www", "production", "--confirm", "production"]);
    project.well(&["deploy", "www", "staging"]);
    project.well(&["show", "1"]).says("production, given with the command");
    project.release("two", "exit 0");
    project.well(&["deploy", "www", "production", "--confirm=production"]);
    project.run(&["rollback", "www", "production"]).code(3).says("production is protected");
    project.well(&["rollback", "www", "production", "--confirm", "production"]);
}

#[test]
fn at_a_terminal_the_name_is_typed_after_it_was_shown_what_changes() {
    let project = two_environments("protected = True");
    let deploy = ["deploy", "www", "production"];
    let wrong = at_a_terminal(&project, &deploy, "staging\n").code(3);
    wrong.says("www → production").says("changes 1 of 1 hosts").says("Type").says("to go on:");
    at_a_terminal(&project, &deploy, "yes please; rm -rf\n")
        .code(3)
        .says("was typed")
        .says("nothing has been changed");
    // Ctrl-D and Ctrl-C.
    at_a_terminal(&project, &deploy, "\u{4}").code(130).says("nothing has been changed");
    at_a_terminal(&project, &deploy, "\u{3}").code(130).says("nothing has been changed");
    assert_eq!(project.recorded(), 0);
    at_a_terminal(&project, &deploy, "production\n").code(0).says("#1 succeeded");
    project.well(&["show", "1"]).says("production, typed");
    // What would be refused anyway is not asked about.
    at_a_terminal(&project, &deploy, "").code(3).says("already, and serve").never_says("to go on");
}

#[test]
fn what_stops_or_mends_needs_no_name() {
    let project = two_environments("protected = True");
    project.well(&["deploy", "www", "production", "--confirm", "production"]);
    project.release("two", &project.gate());
    let running = project.start(&["deploy", "www", "production", "--confirm", "production"]);
    project.until_told(2, "web1 verifying");
    project.well(&["pause", "2"]);
    project.well(&["abort", "2", "--rollback"]);
    project.open_gate();
    running.end().code(1);
    assert_eq!(text(&project.show(2), "state"), "rolled_back");
    assert_eq!(host_state(&project.show(2), "web1"), "reverted");
    project.well(&["sweep"]);
    project.well(&["test", "www", "production"]);
    project.well(&["line", "stop", "a look"]);
}

#[test]
fn a_command_for_hosts_asks_for_the_name_of_their_environment() {
    let project = two_environments("protected = True, max_changed = 1");
    project.run(&["run", "web", "--", "true"]).code(3).says("--confirm production");
    project
        .run(&["run", "stage1", "--confirm", "production", "--", "true"])
        .code(3)
        .says("none of these hosts");
    project.well(&["run", "stage1", "--", "true"]);
    project.well(&["run", "web1", "stage1", "--confirm", "production", "--", "echo", "well"]).says("well");
    project.well(&["ledger", "verify"]).says("1 record");
}

#[test]
fn more_than_the_limit_is_refused_in_numbers_unless_somebody_says_why() {
    let project = Project::local(6);
    let line = std::fs::read_to_string(project.path().join("line.star")).unwrap();
    project.write("line.star", &format!("environment(\"production\", max_changed = 2)\n{line}"));
    project.run(&["check"]).code(2);
    let told = project.json(&["check"]);
    let (message, help) = (text(&told["errors"][0], "message"), text(&told["errors"][0], "help"));
    assert!(message.contains("a wave has 3 of 6 hosts, and production allows 2"), "{message}");
    assert!(help.contains("rollout(waves = [1, 1, 1, 2, 1])"), "{help}");
    project.write("line.star", &format!("environment(\"production\", max_changed = \"50%\")\n{line}"));
    project.well(&["plan", "www"]).says("3 of 6 hosts at one go; production allows 3");
    let refused = project.run(&["run", "web", "--", "true"]).code(3);
    refused.says("would change 6 of 6 hosts at one go; production allows 3 (50 %)").says("--allow-wide");
    project.well(&["run", "web", "--allow-wide", "they all need it", "--", "true"]);
    project.well(&["run", "web1,web2,web3", "--", "true"]);
}
