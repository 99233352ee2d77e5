//! Releases that no host would unpack: refused here, before any host is asked for anything.

use std::fs;
use std::process::Command;

use crate::machines::Machines;
use crate::project::{Project, QUICK, host_state, local_hosts, text};

/// A project whose release is the file `dist.tar`, made by `tar` with `words` in its directory.
fn archived(words: &[&str]) -> Project {
    let project = Project::local(2);
    let line = fs::read_to_string(project.path().join("line.star")).unwrap();
    project.write("line.star", &line.replace("directory(\"dist\")", "archive(\"dist.tar\")"));
    let made =
        Command::new("tar").args(["-P", "-cf", "dist.tar"]).args(words).current_dir(project.path()).output();
    let made = made.unwrap();
    assert!(made.status.success(), "{made:?}");
    project
}

/// Nothing is recorded, and no host has been asked to keep anything.
fn untouched(project: &Project) {
    assert_eq!(project.recorded(), 0);
    assert!(!project.data().join("hosts").exists(), "a host was touched");
    let kept: Vec<_> = fs::read_dir(project.data().join("releases")).unwrap().collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn a_good_archive_is_deployed() {
    let project = archived(&["-C", "dist", "."]);
    project.well(&["deploy", "www"]);
}

#[test]
fn a_truncated_archive_is_refused() {
    let project = archived(&["-C", "dist", "."]);
    let archive = project.path().join("dist.tar");
    let whole = fs::read(&archive).unwrap();
    fs::write(&archive, &whole[..700]).unwrap();
    project.run(&["deploy", "www"]).code(3).says("dist.tar").says("nothing has been changed");
    untouched(&project);
}

#[test]
fn an_archive_that_leaves_its_directory_is_refused() {
    let project = archived(&["--transform", "s,^dist/mark,../../etc/mark,", "dist"]);
    project.run(&["deploy", "www"]).code(3).says("etc/mark").says("nothing has been changed");
    untouched(&project);
}

#[test]
fn an_archive_with_a_device_or_a_pipe_is_refused() {
    let project = Project::local(1);
    let made = Command::new("mkfifo").arg("dist/pipe").current_dir(project.path()).status().unwrap();
    assert!(made.success());
    project.run(&["deploy", "www"]).code(3).says("pipe").says("nothing has been changed");
    untouched(&project);
    let project = archived(&["/dev/null"]);
    project.run(&["deploy", "www"]).code(3).says("dev").says("nothing has been changed");
    untouched(&project);
}

#[test]
fn a_missing_release_is_refused_with_its_path() {
    let project = Project::local(1);
    fs::remove_dir_all(project.path().join("dist")).unwrap();
    project.run(&["deploy", "www"]).code(3).says("dist").says("nothing has been changed");
    untouched(&project);
}

#[test]
fn an_artifact_that_was_damaged_after_it_was_judged_never_reaches_a_service() {
    let machines = Machines::start(2);
    let project = machines.project(QUICK);
    project.well(&["deploy", "www"]);
    let good = text(&project.show(1), "release").to_owned();
    project.release("two", "exit 0");
    project.write_line(&machines.group(), &format!("{QUICK}, max_unreachable = 0"), "");
    project.well(&["deploy", "www"]);
    // The way back needs the first release again, which only the controller still has; there it was damaged.
    for host in machines.names() {
        fs::remove_dir_all(machines.root(host).join("releases").join(&good)).unwrap();
    }
    for kept in fs::read_dir(project.data().join("releases")).unwrap() {
        let path = kept.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let before: Vec<_> = machines.names().map(|host| machines.processes(host)).collect();
    project
        .run(&["rollback", "www", "--to", &good])
        .code(1)
        .says("promised digest")
        .says("2 hosts failed before anything was changed there");
    let after: Vec<_> = machines.names().map(|host| machines.processes(host)).collect();
    assert_eq!(before, after);
    let shown = project.show(3);
    assert_eq!(text(&shown, "state"), "failed", "{shown:#}");
    assert_eq!(host_state(&shown, "web1"), "failed");
}

#[test]
fn a_release_that_changes_on_disk_meanwhile_is_sent_as_it_was_judged() {
    let project = Project::local(1);
    project.write_line(&local_hosts(1), QUICK, "");
    let before = text(&project.json(&["plan", "www"])["release"], "id").to_owned();
    project.well(&["deploy", "www"]);
    assert_eq!(text(&project.show(1), "release"), before);
    project.release("two", "exit 0");
    assert_ne!(text(&project.json(&["plan", "www"])["release"], "id"), before);
}
