//! Watches over the instances of a placement: counts the answers to the health check and looks at the processes.
//! What the counts mean is for `verify` and `observe` to say.

use std::io::Write;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use andon_core::host::{InstanceFacts, InstanceState, Outcome, Placement};
use andon_core::release::ReleaseId;

use crate::probe::rounds::Round;
use crate::probe::{legible, legible_lines};
use crate::run::{self, say};

/// Time between two looks at the processes.
const LOOK: Duration = Duration::from_secs(1);

/// What counts as "in a row" where the service has no health check: so many looks.
const LOOKS_IN_A_ROW: u32 = 3;

/// The longest tail of an outcome.
const MAX_TAIL: usize = 4096;

/// Why the watch is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The position of the instance in the placement.
    pub(crate) instance: usize,
    /// One sentence without its full stop.
    pub(crate) reason: String,
}

/// What has been seen of one instance.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Passes in a row.
    pub(crate) passes: u32,
    /// Failures in a row.
    pub(crate) failures: u32,
    /// Looks in a row that did not find it running the release.
    pub(crate) bad_looks: u32,
    /// The last thing that was wrong.
    pub(crate) trouble: Option<String>,
    restarts: Option<u32>,
    said: Option<String>,
}

impl Tally {
    fn pass(&mut self) {
        self.passes = self.passes.saturating_add(1);
        self.failures = 0;
        self.trouble = None;
    }

    fn fail(&mut self, trouble: String) {
        self.passes = 0;
        self.failures = self.failures.saturating_add(1);
        self.trouble = Some(trouble);
    }
}

/// The watch.
pub(crate) struct Vigil<'a> {
    placement: &'a Placement,
    release: &'a ReleaseId,
    log: &'a mut dyn Write,
    next_look: Instant,
    /// One for each instance of the placement.
    pub(crate) tallies: Vec<Tally>,
    /// Whether any restart of an instance ends the watch.
    pub(crate) restarts_fail: bool,
}

impl<'a> Vigil<'a> {
    /// A watch that has seen nothing yet.
    pub(crate) fn new(placement: &'a Placement, release: &'a ReleaseId, log: &'a mut dyn Write) -> Self {
        let tallies = placement.instances.iter().map(|_| Tally::default()).collect();
        Self { placement, release, log, next_look: Instant::now(), tallies, restarts_fail: false }
    }

    /// How many passes in a row make an instance healthy, and failures in a row sick.
    pub(crate) fn needed(&self) -> u32 {
        self.placement.health.as_ref().map_or(LOOKS_IN_A_ROW, |health| health.in_a_row.max(1))
    }

    /// Waits until something was seen, at most until `until`. Fails when an instance ends again and again or runs
    /// another release: waiting longer would not help.
    pub(crate) fn wait(&mut self, rounds: &Receiver<Round>, until: Instant) -> Result<(), Failure> {
        let now = Instant::now();
        if now >= self.next_look {
            self.next_look = now + LOOK;
            return self.look(&run::instances(self.placement));
        }
        let wait = self.next_look.min(until).saturating_duration_since(now);
        if let Ok(round) = rounds.recv_timeout(wait) {
            self.hear(&round);
        }
        Ok(())
    }

    fn hear(&mut self, round: &Round) {
        let Some(health) = &self.placement.health else { return };
        let Some(tally) = self.tallies.get_mut(round.instance) else { return };
        let said = format!("{} {}", health.probe.title(), round.answer.message);
        if round.answer.passed {
            tally.pass();
        } else {
            tally.fail(said.clone());
        }
        if tally.said.as_ref() != Some(&said) {
            let instance = &self.placement.instances[round.instance].name;
            say(self.log, &legible(format!("{instance}: {said}.").as_bytes(), 500));
            tally.said = Some(said);
        }
    }

    fn look(&mut self, facts: &[InstanceFacts]) -> Result<(), Failure> {
        for (instance, tally) in self.tallies.iter_mut().enumerate() {
            let fact = facts.get(instance);
            let seen = fact.map_or_else(
                || Err("is not known on this host".to_owned()),
                |fact| running(fact, self.release),
            );
            let restarts = fact.map(|fact| fact.restarts);
            let restarted = tally.restarts.is_some() && restarts > tally.restarts;
            tally.restarts = restarts.or(tally.restarts);
            if restarted && self.restarts_fail {
                let reason = "ended unexpectedly and was started again";
                return Err(self.failure(instance, reason));
            }
            if restarted {
                tally.passes = 0;
            }
            let hopeless = fact.is_some_and(|fact| {
                fact.state == InstanceState::CrashLooping
                    || fact.release.as_ref().is_some_and(|release| release != self.release)
            });
            match seen {
                Err(reason) if hopeless => return Err(self.failure(instance, &reason)),
                Err(reason) => {
                    tally.bad_looks = tally.bad_looks.saturating_add(1);
                    tally.passes = 0;
                    tally.trouble = Some(reason);
                }
                Ok(()) => {
                    tally.bad_looks = 0;
                    // Where nobody asks the instance, its living is all there is to count.
                    if self.placement.health.is_none() {
                        tally.pass();
                    }
                }
            }
        }
        Ok(())
    }

    /// A failure of `instance`; `reason` goes on from its name.
    pub(crate) fn failure(&self, instance: usize, reason: &str) -> Failure {
        let Some(one) = self.placement.instances.get(instance) else {
            return Failure { instance, reason: reason.to_owned() };
        };
        let end = match run::last_end(self.placement, one) {
            Some(end) => format!("; its process last {end}"),
            None => String::new(),
        };
        Failure { instance, reason: format!("instance {} {reason}{end}", one.name) }
    }

    /// Writes the failure and the instance's last output to the log.
    pub(crate) fn give_up(self, failure: &Failure) -> Outcome {
        let output =
            self.placement.instances.get(failure.instance).map(|one| run::log_tail(self.placement, one));
        failed(self.log, &failure.reason, &output.unwrap_or_default())
    }
}

/// Whether the instance runs the release; why not goes on from its name.
fn running(fact: &InstanceFacts, release: &ReleaseId) -> Result<(), String> {
    match (fact.state, &fact.release) {
        (InstanceState::CrashLooping, _) => {
            Err(format!("ends again and again, it was started again {} times", fact.restarts))
        }
        (InstanceState::Stopped, _) => Err("does not run".to_owned()),
        (InstanceState::Running, Some(runs)) if runs == release => Ok(()),
        (InstanceState::Running, Some(other)) => Err(format!("runs {other} instead of {release}")),
        (InstanceState::Running, None) => Err("does not show which release it runs".to_owned()),
    }
}

/// A failed step: the reason and `output` are written to the log and kept.
pub(crate) fn failed(log: &mut dyn Write, reason: &str, output: &[u8]) -> Outcome {
    let reason = legible(reason.as_bytes(), 1000);
    let start = output.len().saturating_sub(MAX_TAIL);
    let tail = legible_lines(&output[start..], MAX_TAIL);
    let mut letters = reason.chars();
    let sentence = letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()));
    say(log, &format!("{sentence}.{}", if tail.is_empty() { "" } else { " Its last output:" }));
    for line in tail.lines() {
        say(log, &format!("  | {line}"));
    }
    Outcome::Failed { reason, tail }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::run::fixture;

    fn fact(state: InstanceState, release: Option<u64>, restarts: u32) -> InstanceFacts {
        let placement = fixture::placement(Path::new("/nowhere"), &[]);
        InstanceFacts {
            name: placement.instances[0].name.clone(),
            state,
            release: release.map(fixture::release),
            restarts,
            health: None,
        }
    }

    /// What a watch without a health check says after these looks.
    fn after(looks: &[InstanceFacts], restarts_fail: bool) -> Result<(u32, u32), String> {
        let placement = fixture::placement(Path::new("/nowhere"), &[]);
        let release = fixture::release(2);
        let mut log = Vec::new();
        let mut vigil = Vigil::new(&placement, &release, &mut log);
        vigil.restarts_fail = restarts_fail;
        for look in looks {
            vigil.look(std::slice::from_ref(look)).map_err(|failure| failure.reason)?;
        }
        Ok((vigil.tallies[0].passes, vigil.tallies[0].bad_looks))
    }

    use InstanceState::{CrashLooping, Running, Stopped};

    #[test]
    fn only_a_running_process_of_the_release_counts() {
        assert_eq!(after(&[fact(Running, Some(2), 0), fact(Running, Some(2), 0)], true), Ok((2, 0)));
        assert_eq!(after(&[fact(Running, Some(2), 0), fact(Stopped, None, 0)], true), Ok((0, 1)));
        assert_eq!(after(&[fact(Running, None, 0)], true), Ok((0, 1)));
    }

    #[test]
    fn another_release_and_a_crash_loop_are_hopeless() {
        assert_eq!(
            after(&[fact(Running, Some(1), 0)], false),
            Err("instance main runs r-000000000001 instead of r-000000000002".to_owned())
        );
        let looping = after(&[fact(CrashLooping, None, 4)], false).unwrap_err();
        assert_eq!(looping, "instance main ends again and again, it was started again 4 times");
    }

    #[test]
    fn a_restart_begins_the_count_anew_or_ends_the_watch() {
        let looks = [fact(Running, Some(2), 0), fact(Running, Some(2), 0), fact(Running, Some(2), 1)];
        assert_eq!(after(&looks, false), Ok((1, 0)));
        assert!(after(&looks, true).unwrap_err().contains("ended unexpectedly"));
        // What happened before the watch is not held against the instance.
        assert_eq!(after(&looks[2..], true), Ok((1, 0)));
    }

    #[test]
    fn a_hostile_tail_is_bounded_and_harmless() {
        let mut log = Vec::new();
        let output: Vec<u8> = (0..=255_u8).cycle().take(100_000).collect();
        let Outcome::Failed { reason, tail } = failed(&mut log, "it broke", &output) else { panic!() };
        assert_eq!(reason, "it broke");
        assert!(tail.len() <= MAX_TAIL && !tail.contains('\u{1b}'));
        assert!(log.starts_with(b"It broke. Its last output:\n  | "));
    }
}
