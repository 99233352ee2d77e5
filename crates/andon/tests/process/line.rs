//! The line: who stops it, what passes all the same, and how it runs again.

use crate::project::{Project, text};

/// A service that runs a good release.
fn running() -> Project {
    let project = Project::local(2);
    project.well(&["deploy", "www"]).says("line running");
    project
}

#[test]
fn a_person_stops_the_line_and_a_person_starts_it() {
    let project = running();
    project.well(&["line"]).says("the line is running");
    assert_eq!(project.json(&["line"])["state"], "running");
    project.run(&["line", "stop", " "]).code(2).says("a reason has 1 to 1000 bytes");
    project.well(&["line", "stop", "orders fell\u{1b}[2J by half"]).says("the line is stopped");
    project
        .run(&["line"])
        .code(1)
        .says("stopped by ana ")
        .says(": orders fell\\x1b[2J by half")
        .says("andon line start");
    project.well(&["line", "stop", "and logins, too"]).says("stopped already");
    project.run(&["line"]).code(1).says("and for 1 more reason").says("and logins, too");
    let told = project.json(&["line"]);
    assert_eq!((text(&told, "state"), text(&told, "by")), ("stopped", "ana"));
    assert_eq!(told["stops"].as_array().unwrap().len(), 2);
    project.well(&["status"]).says("the line is stopped by ana").says("www");

    project.release("two", "exit 0");
    project.well(&["plan", "www"]).says("It would be refused now: the line is stopped by ana");
    let refused =
        project.run(&["deploy", "www"]).code(3).says("the line is stopped by ana ").says(": orders fell");
    let refused =
        refused.says("nothing has been changed").says("--fixes DEPLOYMENT").says("andon line start");
    refused.never_says("\u{1b}");
    assert_eq!(project.json(&["deploy", "www"])["error"]["why"].as_str().map(str::is_empty), Some(false));
    assert_eq!(project.recorded(), 1);

    project
        .well(&["deploy", "www", "--fixes", "1", "--why", "logins"])
        .says("line stopped")
        .says("#2 succeeded");
    project.run(&["line"]).code(1).says("let #2 pass as a fix of #1: logins");
    project.well(&["rollback", "www"]).says("#3 rolled back as asked").says("the line is stopped by ana");

    project.well(&["line", "start", "it was the payment provider"]).says("running again").says("orders fell");
    project.well(&["line"]).says("ana started it: it was the payment provider");
    project.well(&["line", "start", "again"]).says("running already");
    project.release("three", "exit 0");
    project.well(&["deploy", "www"]).says("line running");
    project.well(&["ledger", "verify"]).says("none changed");
}

#[test]
fn a_failed_release_stops_the_line_until_its_fix_is_out() {
    let project = running();
    project.release("two", "exit 1");
    let ran = project.run(&["deploy", "www"]).code(1).says("#2 was rolled back").says("The line is stopped.");
    ran.says("andon deploy www production --fixes 2").says("or: andon line start");
    project.run(&["line"]).code(1).says("stopped by #2 (www → production)").says("--fixes 2");
    project.release("three", "exit 0");
    project
        .run(&["deploy", "www"])
        .code(3)
        .says("stopped by #2")
        .says("andon deploy www production --fixes 2");
    project
        .well(&["deploy", "www", "--fixes", "2"])
        .says("it is running again: #3 fixed what #2 had stopped it for");
    project.well(&["line"]).says("#3 fixed what #2 had stopped it for");
    project.release("four", "exit 0");
    project.well(&["deploy", "www"]);
}

#[test]
fn a_fix_does_not_lift_what_a_person_stopped_the_line_for() {
    let project = running();
    project.release("two", "exit 1");
    project.run(&["deploy", "www"]).code(1);
    project.well(&["line", "stop", "wait for the inventory"]);
    project.release("three", "exit 0");
    let fixed = project.well(&["deploy", "www", "--fixes", "2"]);
    fixed.says("fixed what #2 had stopped it for, but the line is stopped by ana");
    project.run(&["line"]).code(1).says("wait for the inventory");
    project.release("four", "exit 0");
    project.run(&["deploy", "www"]).code(3).says("wait for the inventory");
}

#[test]
fn a_controller_that_is_killed_while_it_puts_back_leaves_a_stopped_line_in_the_end() {
    let project = running();
    project.release(
        "two",
        &format!(
            "if [ -e '{}' ]; then exit 1; fi; {}; exit 1",
            project.path().join("gate").display(),
            project.gate().replace("exit 0", "true")
        ),
    );
    let running = project.start(&["deploy", "www"]);
    project.until_told(2, "web1 verifying");
    running.kill();
    project.well(&["line"]);
    project.open_gate();
    project.run(&["resume", "2"]).code(1).says("#2 was rolled back").says("The line is stopped.");
    project.run(&["line"]).code(1).says("stopped by #2");
}
