//! Releases that fail everywhere, and hosts that fail alone.

use crate::machines::Machines;
use crate::project::{Project, QUICK, host_state, local_hosts, text};

#[test]
fn a_canary_that_fails_is_put_back_and_the_other_hosts_are_never_touched() {
    let machines = Machines::start(3);
    let project = machines.project(QUICK);
    project.well(&["deploy", "www"]);
    let good = text(&project.show(1), "release").to_owned();
    let before: Vec<_> = ["web2", "web3"].map(|host| machines.processes(host)).into();

    project.release("two", "echo 'no order could be placed'; exit 1");
    let ran = project.run(&["deploy", "www"]).code(1);
    let ran = ran.says("#2 was rolled back").says("web1, in the first wave, failed to verify");
    ran.says("no order could be placed")
        .says("1 host restored")
        .says("2 hosts never touched")
        .says("--fixes 2");

    let shown = project.show(2);
    assert_eq!(text(&shown, "state"), "rolled_back");
    assert_eq!(host_state(&shown, "web1"), "reverted");
    assert_eq!(machines.running("web1"), [good.as_str()]);
    for (host, before) in ["web2", "web3"].iter().zip(&before) {
        assert_eq!(host_state(&shown, host), "cancelled");
        assert_eq!(&machines.processes(host), before, "{host} was disturbed");
        assert_eq!(machines.current(host).as_ref(), Some(&good));
    }
    project.well(&["show", "2"]).says("no order could be placed");
    project.well(&["show", "2", "--log", "web1"]).says("no order could be placed");
    project.run(&["deploy", "www"]).code(3);
    project.release("three", "exit 0");
    project.well(&["deploy", "www", "--fixes", "2"]);
    machines.names().for_each(|host| assert_eq!(machines.running(host), [text(&project.show(3), "release")]));
}

#[test]
fn a_bad_host_late_in_the_run_is_set_aside_and_named() {
    let machines = Machines::start(4);
    let project = machines.project(&format!("{QUICK}, max_failed = 1"));
    project.well(&["deploy", "www"]);
    let good = text(&project.show(1), "release").to_owned();
    project.release("two", "[ \"$ANDON_HOST\" != web3 ] || { echo 'its disk is slow'; exit 1; }");
    project.well(&["deploy", "www"]).says("#2 succeeded").says("web3").says("its disk is slow");
    let shown = project.show(2);
    let new = text(&shown, "release");
    for host in ["web1", "web2", "web4"] {
        assert_eq!((host_state(&shown, host), machines.running(host)), ("succeeded", vec![new.to_owned()]));
    }
    assert_eq!(host_state(&shown, "web3"), "reverted");
    assert_eq!(machines.running("web3"), [good]);
    project.well(&["status", "www"]).says("not what should run");
    // Mended, it is brought up by the same words; nobody else is disturbed.
    let before = machines.processes("web1");
    project.write("smoke.sh", "#!/bin/sh\nexit 0\n");
    project.well(&["deploy", "www"]);
    assert_eq!(host_state(&project.show(3), "web1"), "skipped");
    assert_eq!(machines.running("web3"), [new]);
    assert_eq!(machines.processes("web1"), before);
}

#[test]
fn hosts_that_fail_alike_are_a_bad_release() {
    let project = Project::local(4);
    project.write_line(&local_hosts(4), &format!("{QUICK}, max_failed = 3"), "");
    project.well(&["deploy", "www"]);
    project.release("two", "[ \"$ANDON_HOST\" = web1 ]");
    project.run(&["deploy", "www"]).code(1).says("failed alike to verify").says("is marked bad");
    let shown = project.show(2);
    assert_eq!(text(&shown, "state"), "rolled_back");
    let good = text(&project.show(1), "release").to_owned();
    for host in ["web1", "web2", "web3", "web4"] {
        let current = std::fs::read_link(project.local_root(host).join("current")).unwrap();
        assert!(current.ends_with(&good), "{host} runs {current:?}");
    }
}

#[test]
fn a_first_release_that_fails_has_nothing_to_go_back_to_and_says_so() {
    let project = Project::local(2);
    project.release("one", "exit 3");
    project.well(&["plan", "www"]).says("to nothing").says("Nothing has been changed");
    project.run(&["deploy", "www"]).code(1).says("#1 failed").says("web1").says("1 host never touched");
    assert_eq!(host_state(&project.show(1), "web2"), "cancelled");
    assert!(!project.local_root("web2").join("current").exists());
}

#[test]
fn a_program_that_ends_at_once_is_not_taken_for_a_success() {
    let project = Project::local(2);
    project.well(&["deploy", "www"]);
    project.write("dist/www", "#!/bin/sh\necho 'no configuration'\nexit 7\n");
    project.run(&["deploy", "www"]).code(1).says("was rolled back").says("exit code 7");
    assert_eq!(text(&project.show(2), "state"), "rolled_back");
    project.well(&["show", "2"]).says("no configuration");
    project.well(&["status", "www"]);
}

#[test]
fn a_scope_that_could_not_be_put_back_is_held_until_somebody_repairs_it() {
    let project = Project::local(2);
    let fragile = project.path().join("needed");
    project.write("needed", "");
    project.write(
        "dist/www",
        &format!("#!/bin/sh\n[ -e {} ] && exec sleep 100000\nexit 1\n", fragile.display()),
    );
    project.well(&["deploy", "www"]);
    // Neither the new release nor, by now, the old one works.
    std::fs::remove_file(&fragile).unwrap();
    project.release("two", "exit 1");
    let ran = project.run(&["deploy", "www"]).code(1).says("#2 could not be put back on web1");
    ran.says("mend web1, then: andon deploy www production --fixes 2");
    assert_eq!(text(&project.show(2), "state"), "rollback_failed");
    project.run(&["status"]).code(0).says("held since #2").says("--fixes 2");
    project.release("three", "exit 0");
    let held = project.run(&["deploy", "www"]).code(3).says("is held since #2").says("--fixes 2");
    held.says("nothing has been changed");
    project.run(&["deploy", "www", "--fixes", "1"]).code(3).says("is held since #2");
    project.well(&["deploy", "www", "--fixes", "2"]).says("#3 succeeded");
    project.well(&["show", "3"]).says("fixes").says("#2");
    project.release("four", "exit 0");
    project.well(&["deploy", "www"]);
}

#[test]
fn a_release_that_falls_sick_while_it_is_watched_is_put_back_everywhere() {
    let project = Project::local(2);
    let sick = "[ ! -e \"$ANDON_ROOT/releases/$ANDON_RELEASE/sick\" ] || { echo 'no memory'; exit 1; }";
    let health = |project: &Project| project.write("up.sh", &format!("#!/bin/sh\n{sick}\n"));
    health(&project);
    project.well(&["deploy", "www"]);
    project.write_line(&local_hosts(2), &QUICK.replace("bake = \"0s\"", "bake = \"30s\""), "");
    health(&project);
    project.release("two", "exit 0");
    let running = project.start(&["deploy", "www"]);
    let watched = project.until_shown(2, "it is watched", |shown| shown["state"] == "baking");
    for host in ["web1", "web2"] {
        let release = project.local_root(host).join("releases").join(text(&watched, "release"));
        std::fs::write(release.join("sick"), "").unwrap();
    }
    running.end().code(1).says("#2 was rolled back").says("no memory").says("2 hosts restored");
    project.well(&["status", "www"]);
}

#[test]
fn a_line_that_forbids_putting_back_stops_and_leaves_the_decision_to_a_person() {
    let project = Project::local(3);
    project.write_line(&local_hosts(3), &format!("{QUICK}, auto_rollback = False"), "");
    project.well(&["deploy", "www"]);
    let good = text(&project.show(1), "release").to_owned();
    project.release("two", "exit 1");
    project.run(&["deploy", "www"]).code(1).says("#2 failed").says("2 hosts never touched");
    let current = |host: &str| std::fs::read_link(project.local_root(host).join("current")).unwrap();
    assert!(current("web1").ends_with(text(&project.show(2), "release")), "it was put back all the same");
    assert!(current("web2").ends_with(&good));
    project.well(&["rollback", "www", "--to", &good]);
    assert!(current("web1").ends_with(&good));
    assert_eq!(host_state(&project.show(3), "web2"), "skipped");
}
