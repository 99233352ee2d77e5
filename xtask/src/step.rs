//! Steps that run one after another, each timed, and the summary that ends them.
//!
//! A step that cannot be done here is skipped by name and counted; it never looks like one that passed.

use std::fmt;
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// How a step that did not fail ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did what it says.
    Passed,
    /// It could not be done here, for this reason.
    Skipped(String),
}

/// What came of one step.
#[derive(Debug)]
enum Verdict {
    Passed,
    Skipped(String),
    Failed(String),
}

#[derive(Debug)]
struct Line {
    name: String,
    verdict: Verdict,
    duration: Duration,
}

/// The steps so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    lines: Vec<Line>,
}

impl Steps {
    /// Runs `step`, prints how long it took, and goes on whatever came of it. Returns whether it did not fail.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<Outcome, Failure>) -> bool {
        println!("\n== {name}");
        let start = Instant::now();
        let verdict = match step() {
            Ok(Outcome::Passed) => Verdict::Passed,
            Ok(Outcome::Skipped(why)) => Verdict::Skipped(why),
            Err(failure) => Verdict::Failed(failure.to_string()),
        };
        let line = Line { name: name.to_owned(), verdict, duration: start.elapsed() };
        println!("{line}");
        let fine = !matches!(line.verdict, Verdict::Failed(_));
        self.lines.push(line);
        fine
    }

    /// Records that `name` was not done, for the reason `why`.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        self.run(name, || Ok(Outcome::Skipped(why.to_owned())));
    }

    /// Prints the summary and fails when any step has.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        println!("\n== summary");
        for line in &self.lines {
            println!("{line}");
        }
        let count =
            |wanted: fn(&Verdict) -> bool| self.lines.iter().filter(|line| wanted(&line.verdict)).count();
        let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
        let skipped = count(|verdict| matches!(verdict, Verdict::Skipped(_)));
        println!("{} passed, {failed} failed, {skipped} skipped", self.lines.len() - failed - skipped);
        if failed == 0 {
            Ok(())
        } else {
            Err(Failure::Found(format!("{failed} of {} steps failed", self.lines.len())))
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, detail) = match &self.verdict {
            Verdict::Passed => ("passed", ""),
            Verdict::Skipped(why) => ("SKIPPED", why.as_str()),
            Verdict::Failed(why) => ("FAILED", why.as_str()),
        };
        write!(f, "{word:8}{:>7.1} s  {}", self.duration.as_secs_f64(), self.name)?;
        if detail.is_empty() { Ok(()) } else { write!(f, ": {detail}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_step_fails_the_whole_and_the_others_still_run() {
        let mut steps = Steps::default();
        assert!(!steps.run("first", || Err(Failure::Found("broken".into()))));
        assert!(steps.run("second", || Ok(Outcome::Passed)));
        assert_eq!(steps.finish().unwrap_err().to_string(), "1 of 2 steps failed");
    }

    #[test]
    fn a_skipped_step_is_named_with_its_reason_and_is_no_failure() {
        let mut steps = Steps::default();
        steps.skip("fleet", "not root");
        assert!(steps.lines[0].to_string().ends_with("fleet: not root"));
        steps.finish().unwrap();
    }
}
