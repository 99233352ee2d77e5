//! One version apart: a project that an early version wrote is read, resumed and verified by every later one, and an older
//! program stays away from facts that it does not know.
//!
//! `golden/first.tar.gz` was written by the first version of the ledger's facts and of the hosts' files: two local hosts,
//! five deployments, of which the last was cut off while web1 was being verified. It is never made anew.

use std::process::Command;

use andon_core::time::Time;
use andon_core::version::{FACTS, STREAM};
use andon_store::{Batch, Ledger, SqliteLedger, StreamAppend};
use serde_json::{Value, json};

use crate::project::{Project, text};

const FIRST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/first.tar.gz");

fn golden() -> Project {
    let project = Project::new();
    let mut tar = Command::new(andon_testbed::program::find("tar").unwrap());
    tar.args(["-xzf", FIRST, "-C"]).arg(project.path());
    assert!(tar.status().unwrap().success());
    project
}

#[test]
fn what_the_first_version_wrote_is_read_and_verified() {
    let project = golden();
    project.well(&["ledger", "verify"]).says("110 records, none changed");
    let history = project.json(&["history"]);
    let rows = history.as_array().unwrap().iter();
    let states: Vec<&str> = rows.map(|row| text(row, "state")).collect();
    assert_eq!(states, ["running", "succeeded", "succeeded", "rolled_back", "succeeded"]);
    project.well(&["show", "2"]).says("rolled back").says("web1 reverted");
    project.well(&["show", "3"]).says("the test is mended");
    project.well(&["status"]).says("www");
    project.well(&["line"]).says("running");
}

#[test]
fn what_the_first_version_left_in_the_middle_is_resumed_to_its_end() {
    let project = golden();
    project.run(&["deploy", "www"]).code(3).says("#5 owns").says("andon resume 5");
    for host in ["web1", "web2"] {
        std::fs::write(project.local_root(host).join("gate"), "").unwrap();
    }
    project.well(&["resume", "5"]).says("#5 succeeded");
    project.well(&["test", "www"]);
    project.well(&["rollback", "www"]).says("rolled back as asked");
    project.well(&["ledger", "verify"]).says("none changed");
}

#[test]
fn what_the_first_version_left_in_the_middle_is_put_back() {
    let project = golden();
    project.run(&["abort", "5", "--rollback"]).code(1).says("#5 was rolled back").says("1 host restored");
    project.well(&["ledger", "verify"]).says("none changed");
}

/// Says in a ledger that a newer program writes into it.
fn written_by_newer(project: &Project, facts: u32, more: Option<(String, Value)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ledger = SqliteLedger::open(project.data().join("ledger.db")).await.unwrap();
        let said = json!({ "writes": { "facts": facts, "version": "7.8.9" } });
        let mut appends = vec![StreamAppend { stream: STREAM.to_owned(), expected: 0, facts: vec![said] }];
        if let Some((stream, fact)) = more {
            let expected = ledger.read(&stream, 0, 1000).await.unwrap().len() as u64;
            appends.push(StreamAppend { stream, expected, facts: vec![fact] });
        }
        let batch = Batch { at: Time(1), by: "ben".to_owned(), appends, views: Vec::new() };
        ledger.append(batch).await.unwrap();
    });
}

#[test]
fn an_older_program_does_nothing_with_newer_facts_and_names_both_versions() {
    let project = Project::local(2);
    project.well(&["deploy", "www"]);
    let newer = json!({ "host": { "host": "web1", "state": "blessed" } });
    written_by_newer(&project, FACTS + 1, Some(("deployment/1".to_owned(), newer)));
    project.release("two", "exit 0");
    let version = env!("CARGO_PKG_VERSION");
    for words in [
        &["deploy", "www"][..],
        &["rollback", "www"],
        &["sweep"],
        &["resume", "1"],
        &["show", "1"],
        &["line", "stop", "x"],
    ] {
        let refused = project
            .run(words)
            .code(4)
            .says("written by andon 7.8.9")
            .says(&format!("this is andon {version}"));
        refused.says("nothing has been changed").says("use andon 7.8.9 or newer");
    }
    // What only looks at the chain does not need to understand it.
    project.well(&["check"]);
}

#[test]
fn a_fact_that_nobody_announced_is_not_folded_wrongly() {
    let project = Project::local(2);
    project.well(&["deploy", "www"]);
    let newer = json!({ "host": { "host": "web1", "state": "blessed" } });
    // Facts of this version, so to speak: what a damaged or a lying writer leaves.
    written_by_newer(&project, FACTS, Some(("deployment/1".to_owned(), newer)));
    let refused = project.run(&["show", "1"]).code(4);
    refused.says("of deployment/1 cannot be understood").says("blessed").says("newer andon");
    project.run(&["resume", "1"]).code(4);
}
