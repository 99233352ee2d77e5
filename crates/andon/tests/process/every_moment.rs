//! A person who stops a deployment at any moment whatever: after each of its records in turn, by Ctrl-C, by pressing it
//! twice, by `andon abort` from beside. Every time it comes to a legal end, and says how it goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use andon_store::{Ledger, SqliteLedger};
use rustix::process::Signal;
use serde_json::Value;

use crate::project::{LIMIT, Project, Ran, Running, text};

/// How many projects are at it at once.
const WORKERS: usize = 4;
/// More records than a deployment of two hosts has.
const MOST: u64 = 60;

/// A project with a good release on both hosts, whose ledger is looked into.
struct Watched {
    project: Project,
    ledger: SqliteLedger,
    runtime: tokio::runtime::Runtime,
    releases: u64,
}

impl Watched {
    fn new() -> Self {
        let project = Project::local(2);
        project.well(&["deploy", "www"]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ledger = runtime.block_on(SqliteLedger::open(project.data().join("ledger.db"))).unwrap();
        Self { project, ledger, runtime, releases: 0 }
    }

    fn head(&self) -> u64 {
        self.runtime.block_on(self.ledger.head()).unwrap()
    }

    /// Begins to deploy a new release, and waits for so many records of that. `false` when it had ended before.
    fn deploy_until(&mut self, records: u64) -> (Running, bool) {
        self.releases += 1;
        self.project.release(&format!("next {}", self.releases), "exit 0");
        let before = self.head();
        let mut running = self.project.start(&["deploy", "www"]);
        let began = std::time::Instant::now();
        while self.head() < before + records {
            if running.has_ended() {
                return (running, false);
            }
            assert!(began.elapsed() < LIMIT, "it stands still: {}", running.said());
            thread::sleep(std::time::Duration::from_millis(1));
        }
        (running, true)
    }

    /// The newest deployment is at a legal end, no host is in the middle of anything, and both hosts do their job.
    fn at_rest(&self, when: &str) -> Value {
        let shown = self.project.json(&["show"]);
        let state = text(&shown, "state");
        assert!(["aborted", "cancelled", "succeeded", "rolled_back"].contains(&state), "{when}: {shown:#}");
        for run in shown["host_runs"].as_array().unwrap() {
            let rest = ["succeeded", "cancelled", "pending", "prepared", "skipped", "reverted"];
            assert!(rest.contains(&text(run, "state")), "{when}: {shown:#}");
        }
        self.project.well(&["test", "www"]);
        shown
    }
}

/// Stops a deployment after each of its records, in several projects at once, each time in another way.
fn after_every_record(stop: impl Fn(&Watched, Running, &str) + Sync) -> u64 {
    let (next, ended) = (AtomicU64::new(1), AtomicU64::new(MOST));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let mut watched = Watched::new();
                loop {
                    let records = next.fetch_add(1, Ordering::SeqCst);
                    if records >= ended.load(Ordering::SeqCst) {
                        return;
                    }
                    let (running, under_way) = watched.deploy_until(records);
                    if !under_way {
                        running.end().code(0);
                        ended.fetch_min(records, Ordering::SeqCst);
                        return;
                    }
                    stop(&watched, running, &format!("after {records} records"));
                }
            });
        }
    });
    ended.into_inner()
}

/// What is said at an end that somebody asked for: how the world is, and what to do.
#[track_caller]
fn tells_the_end(ran: &Ran, when: &str) {
    let last: Vec<&str> = ran.out.lines().rev().take(4).collect();
    let whole = last.iter().any(|line| ["host", "web", "changed"].iter().any(|word| line.contains(word)));
    let next = last.iter().any(|line| line.contains("next")) || ran.code == Some(0);
    assert!(whole && next, "{when}: {ran:?}");
    assert!(!ran.out.contains('\u{1b}') && ran.err.is_empty(), "{when}: {ran:?}");
}

#[test]
fn ctrl_c_after_any_record_ends_in_good_order() {
    let records = after_every_record(|watched, running, when| {
        running.signal(Signal::INT);
        let ran = running.end();
        tells_the_end(&ran, when);
        let shown = watched.at_rest(when);
        let wanted = if text(&shown, "state") == "succeeded" { 0 } else { 1 };
        assert_eq!(ran.code, Some(wanted), "{when}: {ran:?}");
    });
    assert!(records > 15, "only {records} moments were tried");
}

#[test]
fn ctrl_c_twice_after_any_record_leaves_at_once_and_an_abort_brings_it_to_rest() {
    after_every_record(|watched, mut running, when| {
        running.signal(Signal::INT);
        running.until_said_or_ended("stopping");
        running.signal(Signal::INT);
        let ran = running.end();
        tells_the_end(&ran, when);
        if ran.code == Some(130) {
            assert!(ran.out.contains("left at once") && ran.out.contains("andon resume"), "{when}: {ran:?}");
            // A record that was on its way to the disk may have been its last.
            let rested = watched.project.run(&["abort"]);
            assert!(matches!(rested.code, Some(1 | 3)), "{when}: {rested:?}");
        }
        watched.at_rest(when);
    });
}

#[test]
fn an_abort_from_beside_after_any_record_ends_in_good_order() {
    after_every_record(|watched, running, when| {
        let back = when.len() % 2 == 0;
        let words: &[&str] = if back { &["abort", "--rollback"] } else { &["abort"] };
        let asked = watched.project.run(words);
        // It may have ended a moment before, and then says so.
        assert!(matches!(asked.code, Some(0 | 1 | 3)), "{when}: {asked:?}");
        let ran = running.end();
        tells_the_end(&ran, when);
        watched.at_rest(when);
    });
}
