//! Backup, restore and export with the real program, and what it says about a ledger that is not what it was.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;

use andon_testbed::deadline::wait_until;
use andon_testbed::program::require;
use serde_json::Value;

use crate::project::{LIMIT, Project, text};

/// A project with one deployment whose ledger is in one file: its last process has closed it.
fn deployed() -> Project {
    let project = Project::local(1);
    project.well(&["deploy", "www", "--why", "ticket 17"]);
    close(&project);
    project
}

/// What the last process has left in the write-ahead log is brought home by one that closes the ledger.
fn close(project: &Project) {
    let log = project.data().join("ledger.db-wal");
    assert!(wait_until(LIMIT, || {
        project.well(&["ledger", "backup", "closing.db", "--force"]);
        !log.exists()
    }));
}

fn path(project: &Project) -> PathBuf {
    project.data().join("ledger.db")
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_backup_is_made_verified_and_restored_on_another_machine() {
    let project = deployed();
    fs::create_dir(project.path().join("backups")).unwrap();
    project.well(&["ledger", "backup", "backups"]).says("verified; the last hash is");
    let made = fs::read_dir(project.path().join("backups")).unwrap().next().unwrap().unwrap().path();
    let backup = made.to_str().unwrap();
    project.well(&["ledger", "verify", backup]).says("none changed");
    project.run(&["ledger", "backup", backup]).code(3).says("exists already").says("--force");
    let told = project.json(&["ledger", "backup", backup, "--force"]);
    assert_eq!(told["hash"], project.json(&["ledger", "verify"])["hash"]);

    let there = ["--data", "other/machine"];
    fs::create_dir(project.path().join("other")).unwrap();
    let words = |words: &[&'static str]| [words, &there].concat();
    project
        .well(&[&["ledger", "restore", backup][..], &there].concat())
        .says("records restored")
        .says("the newest deployment that it knows is #1");
    project.well(&words(&["history"])).says("ticket 17");
    project.well(&words(&["ledger", "verify"])).says("none changed");
    project.run(&words(&["ledger", "backup", "/no/such/place/x"])).code(4);
}

#[test]
fn hosts_obey_a_restored_ledger_although_they_know_later_fences() {
    let project = deployed();
    fs::copy(project.path().join("closing.db"), project.path().join("old.db")).unwrap();
    for mark in ["two", "three"] {
        project.release(mark, "exit 0");
        project.well(&["deploy", "www"]);
    }
    close(&project);
    let refused = project.run(&["ledger", "restore", "old.db"]).code(3);
    refused.says("has only the first").says("--replace").says("nothing has been changed");
    project.run(&["ledger", "restore", "old.db", "--replace"]).code(2).says("--why");
    let done = project.well(&["ledger", "restore", "old.db", "--replace", "--why", "ticket 18"]);
    done.says("kept as").says("are not in the restored one").says("#1; later numbers are given again");
    assert_eq!(project.recorded(), 1);
    // The number 2 is given once more, and its steps are not taken for those that the host has done.
    project.release("four", "exit 0");
    project.well(&["deploy", "www"]).says("#2 www");
    let release = text(&project.show(2), "release").to_owned();
    let current = fs::read_link(project.local_root("web1").join("current")).unwrap();
    assert!(current.ends_with(&release), "{current:?} is not {release}");
    project.well(&["ledger", "export"]).says("ticket 18").says("\"kind\":\"restored\"");
}

#[test]
fn a_ledger_that_is_in_use_is_not_replaced() {
    let project = deployed();
    project.release("gated", &project.gate());
    let deploying = project.start(&["deploy", "www"]);
    project.until_told(2, "web1 verifying");
    for words in [
        &["ledger", "restore", "closing.db"][..],
        &["ledger", "restore", "closing.db", "--replace", "--why", "x"],
    ] {
        project.run(words).code(3).says("another process has the ledger").says("stop it");
    }
    project.open_gate();
    deploying.end().code(0);
    assert_eq!(project.recorded(), 2);
}

#[test]
fn an_export_is_lines_of_json_that_can_be_chosen_checked_and_cut_off() {
    let project = deployed();
    let all = lines(&project.well(&["ledger", "export"]).out);
    let verified = project.json(&["ledger", "verify"]);
    assert_eq!(Value::from(all.len()), verified["records"]);
    assert_eq!(all.last().unwrap()["hash"], verified["hash"]);
    let positions: Vec<_> = all.iter().filter_map(|line| line["position"].as_u64()).collect();
    assert_eq!(positions, (1..=all.len() as u64).collect::<Vec<_>>());

    let one = lines(&project.well(&["ledger", "export", "--deployment", "#1"]).out);
    assert!(!one.is_empty() && one.iter().all(|line| line["stream"] == "deployment/1"));
    let service = lines(&project.well(&["ledger", "export", "--service", "www"]).out);
    assert!(
        service.len() > one.len()
            && service.iter().any(|line| text(line, "stream").starts_with("scope/www/"))
    );
    project.run(&["ledger", "export", "--service", "wwww"]).code(2).says("knows no service wwww");
    assert_eq!(lines(&project.well(&["ledger", "export", "--since", "1h"]).out), all);
    assert_eq!(project.well(&["ledger", "export", "--since", "2999-01-01"]).out, "");
    project.run(&["ledger", "export", "--since", "yesterday"]).code(2).says("--since 7d");

    project.well(&["ledger", "export", "--output", "all.jsonl"]);
    assert_eq!(lines(&fs::read_to_string(project.path().join("all.jsonl")).unwrap()), all);
    project.run(&["ledger", "export", "--output", "all.jsonl"]).code(3).says("exists already");
    project.run(&["ledger", "export", "--output", "no/such/place"]).code(4);

    // Nobody reads any more: that is no error.
    let mut command = project.command(&["ledger", "export"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!((child.wait().unwrap().code(), complaint.as_str()), (Some(0), ""));
}

/// At every renaming, linking and removing in the process, one after the other.
#[test]
fn a_restore_killed_at_any_moment_leaves_the_old_ledger_or_the_new_one_whole() {
    require(&["strace"]).unwrap();
    let project = deployed();
    let backup = fs::read(project.path().join("closing.db")).unwrap();
    fs::write(project.path().join("old.db"), backup).unwrap();
    project.release("two", "exit 0");
    project.well(&["deploy", "www"]);
    close(&project);
    let newer = fs::read(path(&project)).unwrap();
    let (mut old, mut new) = (0, 0);
    for moment in 1..60 {
        for entry in fs::read_dir(project.data()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().contains("ledger.db") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        fs::write(path(&project), &newer).unwrap();
        let mut command = project.around(std::process::Command::new("strace"));
        let calls = "link,linkat,unlink,unlinkat,rename,renameat,renameat2";
        command.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={calls}"));
        command.arg("-e").arg(format!("inject={calls}:signal=KILL:when={moment}"));
        let andon = project.command(&["ledger", "restore", "old.db", "--replace", "--why", "a test"]);
        command.arg(andon.get_program()).args(andon.get_args());
        let ended = project.start_command(command).end();
        project.well(&["ledger", "verify"]).says("none changed");
        match project.recorded() {
            2 => old += 1,
            1 => new += 1,
            other => panic!("killed at {moment}: {other} deployments"),
        }
        if ended.code == Some(0) {
            break;
        }
        assert!(moment < 59, "it never came to its end: {ended:?}");
    }
    assert!(old > 2 && new > 1, "{old} times the old one, {new} times the new one");
}

#[test]
fn looking_after_a_ledger_makes_none() {
    let project = Project::local(1);
    for words in [&["ledger", "verify"][..], &["ledger", "backup", "x.db"], &["ledger", "export"]] {
        project.run(words).code(2).says("there is no ledger").says("--data DIR");
    }
    assert!(!project.data().exists());
}

#[test]
fn a_ledger_that_lost_its_end_is_refused_with_both_ways_out() {
    let project = deployed();
    let old = fs::read(path(&project)).unwrap();
    project.release("two", "exit 0");
    project.well(&["deploy", "www"]);
    close(&project);
    fs::write(path(&project), old).unwrap();
    for words in [&["status"][..], &["deploy", "www"], &["ledger", "verify"], &["history"]] {
        project.run(words).code(4).says("has lost its end").says("andon ledger restore");
    }
    let itself = path(&project);
    let itself = itself.to_str().unwrap();
    project.well(&["ledger", "restore", itself, "--replace", "--why", "the disk forgot"]);
    assert_eq!(project.recorded(), 1);
    project.release("three", "exit 0");
    project.well(&["deploy", "www"]).says("#2 www");
}

#[test]
fn a_ledger_that_is_gone_is_not_begun_anew() {
    let project = deployed();
    fs::remove_file(path(&project)).unwrap();
    for words in [&["status"][..], &["deploy", "www"], &["ledger", "verify"]] {
        project.run(words).code(4).says("gone").says("andon ledger restore");
    }
    project.well(&["ledger", "restore", "closing.db", "--replace", "--why", "it was removed"]);
    project.well(&["history"]).says("ticket 17");
}

#[test]
fn a_damaged_ledger_is_said_by_every_command_and_made_no_worse() {
    let project = deployed();
    let sound = fs::read(path(&project)).unwrap();
    let pages = sound.len() / 4096;
    let records = format!("{} records, none changed", project.json(&["ledger", "verify"])["records"]);
    let mut refused = 0;
    for page in 0..pages {
        let mut bytes = sound.clone();
        bytes[page * 4096..page * 4096 + 2048].fill(0xA5);
        fs::write(path(&project), &bytes).unwrap();
        let before = fs::read(path(&project)).unwrap();
        let verified = project.run(&["ledger", "verify"]);
        match verified.code {
            Some(0) => continue,
            Some(1) => {
                verified.says("record").says("sound").says("andon ledger restore");
            }
            Some(4) => {
                verified.says("ledger.db").says("amaged").says("andon ledger restore");
            }
            _ => panic!("page {page}: {verified:?}"),
        }
        refused += 1;
        let status = project.run(&["status"]);
        assert!(matches!(status.code, Some(0 | 4)), "page {page}: {status:?}");
        if status.code == Some(4) {
            status.says("andon ledger restore");
        }
        // Where no record is torn, a copy is sound again: it makes its indexes anew.
        let copied = project.run(&["ledger", "backup", "of-damaged.db", "--force"]);
        let copy = project.path().join("of-damaged.db");
        match copied.code {
            Some(0) => drop(project.well(&["ledger", "verify", "of-damaged.db"]).says(&records)),
            _ => assert!(copied.code == Some(4) && !copy.exists(), "page {page}: {copied:?}"),
        }
        let _ = fs::remove_file(copy);
        assert!(fs::read(path(&project)).unwrap() == before, "page {page} was made worse");
    }
    assert!(refused > pages / 2, "{refused} of {pages}");
    project.well(&["ledger", "restore", "closing.db", "--replace", "--why", "torn pages"]);
    project.well(&["history"]).says("ticket 17");
}
