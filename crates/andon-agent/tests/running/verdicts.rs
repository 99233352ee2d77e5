//! Verification and observation of real processes.

use std::time::Duration;

use andon_agent::observe::observe;
use andon_agent::probe::health_once;
use andon_agent::verify::verify;
use andon_api::secret::Secrets;
use andon_core::host::{Outcome, TestMode};
use andon_core::line::{Probe, ProductionTest};
use andon_core::release::ReleaseId;
use rustix::process::Signal;

use super::bench::{Bench, LONG, exists, http, wait_for};

const SLEEP: &str = "exec sleep 1000\n";
const SERVER: &str = "cd \"$(dirname \"$0\")\"; exec python3 -m http.server --bind 127.0.0.1 \"$1\"\n";

fn test(name: &str, probe: Probe) -> ProductionTest {
    ProductionTest { name: name.to_owned(), probe, timeout: LONG }
}

/// The outcome and what was logged.
fn verified(bench: &Bench, release: &ReleaseId, deadline: Duration, mode: TestMode) -> (Outcome, String) {
    let mut log = Vec::new();
    let outcome = verify(&bench.placement, release, deadline, mode, &Secrets::default(), &mut log);
    (outcome, String::from_utf8(log).unwrap())
}

fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn healthy_instances_with_passing_tests_succeed() {
    let mut bench = Bench::new(2);
    bench.health(http("/"));
    bench.placement.tests = vec![test("script is served", http("/serve"))];
    let release = bench.release(1, SERVER);
    bench.restart(&release);
    let (outcome, log) = verified(&bench, &release, LONG, TestMode::Decide);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    for instance in &bench.placement.instances {
        let line = format!(
            "Production test \"script is served\" passed on {}: http /serve answered 200.",
            instance.name
        );
        assert!(log.contains(&line), "{line} is missing in\n{log}");
        assert_eq!(health_once(&bench.placement, instance), Some(Ok(())));
    }
}

#[test]
fn the_first_failing_test_decides_and_all_are_run() {
    let mut bench = Bench::new(1);
    bench.health(http("/"));
    bench.placement.tests = vec![
        test("good", http("/")),
        test("checkout", http("/nothing")),
        test("late", exists(&bench.file("nothing"))),
    ];
    let release = bench.release(1, SERVER);
    bench.restart(&release);
    let (outcome, log) = verified(&bench, &release, LONG, TestMode::Decide);
    let port = bench.instance().port.unwrap();
    assert_eq!(
        reason(&outcome),
        format!(
            "production test \"checkout\" failed on {port}: http /nothing answered 404, expected 200 to 399"
        )
    );
    assert!(log.contains("\"good\" passed") && log.contains("\"late\" failed"), "{log}");
    let (outcome, log) = verified(&bench, &release, LONG, TestMode::Inform);
    assert_eq!(outcome, Outcome::Succeeded);
    assert!(log.contains("\"checkout\" failed") && log.contains("only inform"), "{log}");
}

#[test]
fn an_instance_that_never_becomes_healthy_fails_at_the_deadline() {
    let mut bench = Bench::new(0);
    bench.health(exists(&bench.file("nothing")));
    let release = bench.release(1, "echo my last words; exec sleep 1000\n");
    bench.restart(&release);
    wait_for("the output", || bench.kept("log").metadata().is_ok_and(|file| file.len() > 0));
    let (outcome, log) = verified(&bench, &release, Duration::from_millis(700), TestMode::Decide);
    let text = reason(&outcome);
    assert!(
        text.starts_with("instance main is not healthy after 0.7 s: script exists.sh ended with exit code 1"),
        "{text}"
    );
    assert!(log.contains("  | my last words"), "{log}");
}

#[test]
fn a_crash_loop_ends_the_wait_early() {
    let bench = Bench::new(0);
    let release = bench.release(1, "echo no database; exit 3\n");
    bench.restart(&release);
    // Without the early end this would take an hour.
    let (outcome, _) = verified(&bench, &release, Duration::from_secs(3600), TestMode::Decide);
    let Outcome::Failed { reason, tail } = outcome else { panic!() };
    assert!(reason.contains("ends again and again") && reason.contains("ended with exit code 3"), "{reason}");
    assert!(tail.contains("no database"), "{tail}");
}

#[test]
fn another_release_ends_the_wait_early() {
    let bench = Bench::new(0);
    bench.restart(&bench.release(1, SLEEP));
    let second = bench.release(2, SLEEP);
    let (outcome, _) = verified(&bench, &second, Duration::from_secs(3600), TestMode::Decide);
    assert_eq!(reason(&outcome), "instance main runs r-000000000001 instead of r-000000000002");
}

#[test]
fn a_stopped_instance_is_not_healthy_whoever_answers() {
    let mut bench = Bench::new(0);
    bench.health(exists(bench.root()));
    let release = bench.release(1, SLEEP);
    let (outcome, _) = verified(&bench, &release, Duration::from_millis(300), TestMode::Decide);
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
}

#[test]
fn without_a_health_check_living_is_enough() {
    let bench = Bench::new(0);
    let release = bench.release(1, SLEEP);
    bench.restart(&release);
    let (outcome, log) = verified(&bench, &release, LONG, TestMode::Decide);
    assert_eq!(outcome, Outcome::Succeeded, "{log}");
    assert_eq!(health_once(&bench.placement, bench.instance()), None);
}

#[test]
fn a_quiet_observation_succeeds() {
    let mut bench = Bench::new(0);
    bench.health(exists(bench.root()));
    let release = bench.release(1, SLEEP);
    bench.restart(&release);
    let mut log = Vec::new();
    let outcome = observe(&bench.placement, &release, Duration::from_millis(300), &mut log);
    assert_eq!(outcome, Outcome::Succeeded, "{}", String::from_utf8_lossy(&log));
}

#[test]
fn an_instance_that_turns_sick_ends_the_observation() {
    let mut bench = Bench::new(0);
    let well = bench.file("well");
    std::fs::write(&well, "").unwrap();
    bench.health(exists(&well));
    let release = bench.release(1, SLEEP);
    bench.restart(&release);
    let mut log = Notice::new("script exists.sh passed", || std::fs::remove_file(&well).unwrap());
    let outcome = observe(&bench.placement, &release, Duration::from_secs(3600), &mut log);
    assert!(
        reason(&outcome).starts_with("instance main failed 3 times in a row: script exists.sh"),
        "{outcome:?}"
    );
}

#[test]
fn a_restart_ends_the_observation() {
    let mut bench = Bench::new(0);
    bench.health(exists(bench.root()));
    let release = bench.release(1, SLEEP);
    bench.restart(&release);
    let child = bench.process("child");
    let mut log = Notice::new("script exists.sh passed", || assert!(child.signal(Signal::KILL)));
    let outcome = observe(&bench.placement, &release, Duration::from_secs(3600), &mut log);
    let text = reason(&outcome);
    assert!(text.contains("was started again") && text.contains("signal 9"), "{text}");
}

#[test]
fn another_release_ends_the_observation() {
    let bench = Bench::new(0);
    bench.restart(&bench.release(1, SLEEP));
    let second = bench.release(2, SLEEP);
    let outcome = observe(&bench.placement, &second, Duration::from_secs(3600), &mut Vec::new());
    assert_eq!(reason(&outcome), "instance main runs r-000000000001 instead of r-000000000002");
}

/// A log that does something once when it is told a text.
struct Notice<F: FnOnce()> {
    text: &'static str,
    seen: Vec<u8>,
    act: Option<F>,
}

impl<F: FnOnce()> Notice<F> {
    fn new(text: &'static str, act: F) -> Self {
        Self { text, seen: Vec::new(), act: Some(act) }
    }
}

impl<F: FnOnce()> std::io::Write for Notice<F> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.seen.extend_from_slice(bytes);
        if String::from_utf8_lossy(&self.seen).contains(self.text)
            && let Some(act) = self.act.take()
        {
            act();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
