//! Waits until a host's instances are healthy on a release, then runs the production tests. Changes nothing.

use std::io::Write;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use andon_api::secret::Secrets;
use andon_core::host::{Outcome, Placement, TestMode};
use andon_core::line::{Instance, ProductionTest};
use andon_core::release::ReleaseId;

use crate::probe::rounds::{Round, asking};
use crate::probe::{Answer, ask_with, legible};
use crate::run::say;
use crate::vigil::{Failure, Vigil, failed};

/// Waits until every instance has passed its health check often enough in a row, at most for `healthy_deadline`;
/// then runs every production test on every instance, side by side. The first failing test, in the order of the
/// instances and of the line, decides unless `tests` only informs. The `secrets` are those that the tests name.
///
/// An instance without a health check counts as healthy when three looks, a second apart, have found its process
/// alive on the release and not restarted.
pub fn verify(
    placement: &Placement,
    release: &ReleaseId,
    healthy_deadline: Duration,
    tests: TestMode,
    secrets: &Secrets,
    log: &mut dyn Write,
) -> Outcome {
    let begun = Instant::now();
    let mut vigil = Vigil::new(placement, release, log);
    let healthy = asking(placement, |rounds| until_healthy(&mut vigil, rounds, healthy_deadline));
    if let Err(failure) = healthy {
        return vigil.give_up(&failure);
    }
    let count = placement.instances.len();
    let noun = if count == 1 { "instance is" } else { "instances are" };
    say(log, &format!("{count} {noun} healthy on {release} after {:.1} s.", begun.elapsed().as_secs_f64()));
    match run_tests(placement, secrets, log) {
        Some((reason, detail)) if tests == TestMode::Decide => failed(log, &reason, detail.as_bytes()),
        Some(_) => {
            say(log, "The production tests only inform here and do not decide.");
            Outcome::Succeeded
        }
        None => Outcome::Succeeded,
    }
}

fn until_healthy(vigil: &mut Vigil<'_>, rounds: &Receiver<Round>, time: Duration) -> Result<(), Failure> {
    // A deadline beyond what the clock can hold is as good as a year.
    let now = Instant::now();
    let deadline = now.checked_add(time).unwrap_or(now + Duration::from_secs(365 * 86_400));
    let needed = vigil.needed();
    loop {
        vigil.wait(rounds, deadline)?;
        let sick = vigil.tallies.iter().position(|tally| tally.passes < needed || tally.bad_looks > 0);
        let Some(sick) = sick else { return Ok(()) };
        if Instant::now() >= deadline {
            let tally = &vigil.tallies[sick];
            let reason = match &tally.trouble {
                Some(trouble) => format!("is not healthy after {}: {trouble}", spoken(time)),
                None => format!(
                    "passed only {} of {needed} checks in a row within {}",
                    tally.passes,
                    spoken(time)
                ),
            };
            return Err(vigil.failure(sick, &reason));
        }
    }
}

/// A time as people say it: `5 min`, `30 s`, `1.5 s`.
fn spoken(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 60.0 && time.as_secs().is_multiple_of(60) {
        format!("{} min", time.as_secs() / 60)
    } else {
        format!("{seconds} s")
    }
}

/// Runs every test on every instance and writes each result down. Answers the reason and the detail of the first
/// that failed.
fn run_tests(placement: &Placement, secrets: &Secrets, log: &mut dyn Write) -> Option<(String, String)> {
    let (sender, receiver) = mpsc::channel();
    let mut failures: Vec<((usize, usize), String, String)> = Vec::new();
    let results = thread::scope(|scope| {
        for (position, instance) in placement.instances.iter().enumerate() {
            let sender = sender.clone();
            let run = move || {
                for (number, test) in placement.tests.iter().enumerate() {
                    let answer = ask_with(secrets, &test.probe, placement, instance, test.timeout);
                    let _ = sender.send(((position, number), answer));
                }
            };
            let _ = thread::Builder::new().spawn_scoped(scope, run);
        }
        drop(sender);
        let mut results = 0;
        for ((position, number), answer) in receiver {
            results += 1;
            let (instance, test) = (&placement.instances[position], &placement.tests[number]);
            let sentence = result(instance, test, &answer);
            say(log, &format!("P{}.", &sentence[1..]));
            if !answer.passed {
                failures.push(((position, number), sentence, answer.detail));
            }
        }
        results
    });
    // A test that was not run has not passed.
    if results < placement.instances.len() * placement.tests.len() && failures.is_empty() {
        return Some((
            "not every production test could be run: the host has no threads left".to_owned(),
            String::new(),
        ));
    }
    failures.into_iter().min_by_key(|(order, _, _)| *order).map(|(_, reason, detail)| (reason, detail))
}

/// What came of a test: a sentence without its capital letter and full stop.
fn result(instance: &Instance, test: &ProductionTest, answer: &Answer) -> String {
    let verdict = match (answer.passed, answer.warning) {
        (true, false) => "passed",
        (true, true) => "passed with a warning",
        (false, _) => "failed",
    };
    let (name, title) = (legible(test.name.as_bytes(), 100), legible(test.probe.title().as_bytes(), 200));
    format!("production test {name:?} {verdict} on {}: {title} {}", instance.name, answer.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_say_them() {
        assert_eq!(spoken(Duration::from_secs(300)), "5 min");
        assert_eq!(spoken(Duration::from_secs(90)), "90 s");
        assert_eq!(spoken(Duration::from_millis(1500)), "1.5 s");
    }
}
