//! Sees that a host's instances stay healthy while they serve. Changes nothing.

use std::io::Write;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use andon_core::host::{Outcome, Placement};
use andon_core::release::ReleaseId;

use crate::probe::rounds::{Round, asking};
use crate::run::say;
use crate::vigil::{Failure, Vigil};

/// Asks for health and looks at the processes for `period`. Fails when an instance fails its health check too often
/// in a row, does not run, was restarted, or runs another release.
///
/// An instance whose last answer is a failure when the period ends is asked on until it passes or has failed often
/// enough: a deployment neither fails nor succeeds for one answer at the wrong moment.
pub fn observe(placement: &Placement, release: &ReleaseId, period: Duration, log: &mut dyn Write) -> Outcome {
    let begun = Instant::now();
    let mut vigil = Vigil::new(placement, release, log);
    vigil.restarts_fail = true;
    if let Err(failure) = asking(placement, |rounds| watch(&mut vigil, rounds, period)) {
        return vigil.give_up(&failure);
    }
    let count = placement.instances.len();
    let noun = if count == 1 { "instance" } else { "instances" };
    say(
        log,
        &format!("{count} {noun} stayed healthy on {release} for {:.1} s.", begun.elapsed().as_secs_f64()),
    );
    Outcome::Succeeded
}

fn watch(vigil: &mut Vigil<'_>, rounds: &Receiver<Round>, period: Duration) -> Result<(), Failure> {
    let begun = Instant::now();
    let needed = vigil.needed();
    loop {
        let left = period.saturating_sub(begun.elapsed());
        // Past the end only the next answer is waited for.
        let wait = if left.is_zero() { Duration::from_secs(1) } else { left.min(Duration::from_secs(60)) };
        vigil.wait(rounds, Instant::now() + wait)?;
        let sick =
            vigil.tallies.iter().position(|tally| tally.failures >= needed || tally.bad_looks >= needed);
        if let Some(sick) = sick {
            let tally = &vigil.tallies[sick];
            let trouble = tally.trouble.as_deref().unwrap_or("no answer");
            return Err(vigil.failure(sick, &format!("failed {needed} times in a row: {trouble}")));
        }
        if begun.elapsed() >= period
            && vigil.tallies.iter().all(|tally| tally.passes > 0 && tally.bad_looks == 0)
        {
            return Ok(());
        }
    }
}
