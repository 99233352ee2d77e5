//! Production tests that print, wait or linger without end: bounded, and told apart.

use std::fs;
use std::path::Path;

use andon_testbed::deadline::wait_until;
use andon_testbed::process;

use crate::project::{LIMIT, Project, processes_naming, text};

/// A project on one host whose release is good, with a second release that is tested by `smoke` for at most 2 s.
fn tested_by(smoke: &str) -> Project {
    let project = Project::local(1);
    let line = fs::read_to_string(project.path().join("line.star")).unwrap();
    project.write("line.star", &line.replace("timeout = \"120s\"", "timeout = \"2s\""));
    project.well(&["deploy", "www"]);
    project.release("two", smoke);
    project
}

/// All bytes below `dir`.
fn size(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// The most memory that a process has had so far, in KiB.
fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_test_that_prints_without_end_fills_neither_disk_nor_memory() {
    let project = tested_by("exec yes 'and another line of output'");
    let mut running = project.start(&["deploy", "www"]);
    let mut peak = 0;
    wait_until(LIMIT, || {
        let family = process::descendants(running.pid()).into_iter().map(|process| process.pid);
        peak = family.chain([running.pid()]).filter_map(peak_memory).max().unwrap_or(0).max(peak);
        running.has_ended()
    });
    running.end().code(1).says("was rolled back").says("did not end within");
    assert!(peak < 256 << 10, "{peak} KiB of memory");
    let kept = size(&project.data());
    assert!(kept < 64 << 20, "{kept} bytes on disk");
    project.well(&["show", "2", "--log", "web1"]).says("and another line of output");
}

#[test]
fn a_test_that_never_ends_fails_in_time_and_leaves_nothing_running() {
    let project = tested_by("sleep 4711");
    project.run(&["deploy", "www"]).code(1).says("was rolled back").says("did not end within");
    assert!(!sleeps(&project, "4711"), "what the test started still runs");
    assert_eq!(text(&project.show(2), "state"), "rolled_back");
}

#[test]
fn a_test_that_leaves_a_daemon_with_its_output_open_is_not_waited_for() {
    let project = tested_by("setsid sleep 4712 & echo started; exit 0");
    project.well(&["deploy", "www"]);
}

#[test]
fn what_a_test_prints_cannot_move_the_cursor() {
    let project = tested_by("printf 'be\\033[2Jtter\\n'; exit 1");
    for words in [&["deploy", "www"][..], &["show", "2"], &["show", "2", "--log", "web1"], &["history"]] {
        let ran = project.run(words).never_says("\u{1b}");
        assert!(words == ["history"] || ran.out.contains("[2Jtter"), "{ran:?}");
    }
}

fn sleeps(project: &Project, seconds: &str) -> bool {
    processes_naming(project.path()).iter().any(|pid| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|words| words == format!("sleep\0{seconds}\0").as_bytes())
    })
}
