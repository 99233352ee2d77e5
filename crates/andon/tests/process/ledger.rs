//! The ledger: full disks, and changes behind Andon's back.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use andon_testbed::deadline::wait_until;

use crate::machines::{Machines, unshare};
use crate::project::{LIMIT, Project, QUICK};

#[test]
fn a_changed_byte_is_found_and_named() {
    let project = Project::local(1);
    project.well(&["deploy", "www", "--why", "ticket 17"]);
    // What the last process has left in the write-ahead log is brought home by one that closes the ledger.
    let log = project.data().join("ledger.db-wal");
    assert!(wait_until(LIMIT, || {
        project.well(&["ledger", "verify"]).says("none changed");
        !log.exists()
    }));
    let path = project.data().join("ledger.db");
    let mut bytes = fs::read(&path).unwrap();
    let mut changed = 0;
    for at in 0..bytes.len() - 9 {
        if &bytes[at..at + 9] == b"ticket 17" {
            bytes[at + 8] = b'8';
            changed += 1;
        }
    }
    assert!(changed > 0, "the ledger does not hold the words");
    fs::write(&path, bytes).unwrap();
    project.run(&["ledger", "verify"]).code(1).says("the ledger was changed").says("backup");
    assert!(!project.json(&["ledger", "verify"])["fault"].is_null());
}

#[test]
fn a_full_disk_is_said_and_once_there_is_space_everything_works() {
    let machines = Machines::start(1);
    let project = machines.project(QUICK);
    let data = project.data();
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    // In a mount namespace of its own, so that nothing is left behind.
    let script = format!(
        "mount -t tmpfs -o size=1m,mode=700 none {data} || exit 99\n\
         \"$@\" history; echo \"before: $?\"\n\
         head -c 3m /dev/urandom > dist/large\n\
         \"$@\" deploy www; echo \"large: $?\"\n\
         rm dist/large\n\
         head -c 2m /dev/zero > {data}/filler 2>/dev/null\n\
         \"$@\" deploy www; echo \"full: $?\"\n\
         rm {data}/filler\n\
         \"$@\" deploy www; echo \"freed: $?\"\n\
         \"$@\" ledger verify; echo \"verified: $?\"\n",
        data = data.display()
    );
    let andon = project.command(&[]);
    let mut command = project.around(unshare(&["--mount"]));
    command.args(["sh", "-c", &script, "sh"]).arg(andon.get_program()).args(andon.get_args());
    let ran = project.start_command(command).end();
    ran.says("before: 0")
        .says("large: 4")
        .says("free space there")
        .says("full: 4")
        .says("space")
        .says("freed: 0")
        .says("verified: 0");
    assert_eq!(machines.running("web1").len(), 1);
}

#[test]
fn a_disk_that_fills_up_during_a_deployment_stops_it_and_resume_finishes_it() {
    let machines = Machines::start(2);
    let project = machines.project(QUICK);
    let data = project.data();
    fs::create_dir(&data).unwrap();
    project.release("gated", &project.gate());
    let script = format!(
        "mount -t tmpfs -o size=1m,mode=700 none {data} || exit 99\n\
         \"$@\" deploy www > {dir}/heard/said & deploying=$!\n\
         until grep -q 'web1 verifying' {dir}/heard/said; do sleep 0.05; kill -0 $deploying || exit 98; done\n\
         head -c 2m /dev/zero > {data}/filler 2>/dev/null\n\
         touch {dir}/gate; wait $deploying; echo \"filled: $?\"\n\
         rm {data}/filler\n\
         \"$@\" resume 1; echo \"resumed: $?\"\n\
         \"$@\" ledger verify; echo \"verified: $?\"\n",
        data = data.display(),
        dir = project.path().display(),
    );
    let andon = project.command(&[]);
    let mut command = project.around(unshare(&["--mount"]));
    command.args(["sh", "-c", &script, "sh"]).arg(andon.get_program()).args(andon.get_args());
    let ran = project.start_command(command).end();
    ran.says("filled: 4").says("space").says("resumed: 0").says("verified: 0").says("#1 succeeded");
    for host in machines.names() {
        assert_eq!(machines.running(host).len(), 1);
    }
}

#[test]
fn a_ledger_that_is_no_ledger_is_refused_and_left_alone() {
    let project = Project::local(1);
    fs::create_dir(project.data()).unwrap();
    fs::write(project.data().join("ledger.db"), "this is a letter to my aunt\n".repeat(400)).unwrap();
    let before = fs::read(project.data().join("ledger.db")).unwrap();
    project.run(&["deploy", "www"]).code(4).says("ledger.db");
    assert_eq!(fs::read(project.data().join("ledger.db")).unwrap(), before);
}

#[test]
fn a_place_for_the_ledger_that_cannot_be_made_is_named_with_the_way_out() {
    let project = Project::local(1);
    for place in ["/proc/andon", "line.star", "no/such/parent"] {
        project.run(&["deploy", "www", "--data", place]).code(4).says(place).says("--data DIR");
    }
}

#[test]
fn names_with_blanks_and_quotes_are_no_trouble() {
    let project = Project::local(2);
    let place = project.path().join("a ledger's \"place\"");
    let place = place.to_str().unwrap();
    project.well(&["deploy", "www", "--data", place, "--why", "it's \"urgent\"; rm -rf $HOME"]);
    project.well(&["show", "1", "--data", place]).says("it's \"urgent\"; rm -rf $HOME");
    project.well(&["ledger", "verify", "--data", place]);
}
