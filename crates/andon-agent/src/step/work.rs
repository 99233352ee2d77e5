//! The worker: does what a step says, writes its output to standard output, and leaves word of how it went.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use andon_api::agent::Order;
use andon_api::secret::Secrets;
use andon_core::host::effects::{ACTIVATION, Activation};
use andon_core::host::{ActivationMarker, Outcome, Placement, Step};
use andon_core::release::ReleaseId;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::journal::Record;
use crate::layout::Layout;
use crate::release;
use crate::run::{self, SelfExe, say};
use crate::{observe, secrecy, verify};

/// The word that makes this program a worker.
pub(crate) const SUBCOMMAND: &str = "work";

/// The longest reason of a failure, in bytes.
const LONGEST_REASON: usize = 2048;

/// Carries out the step in `directory` for the keeper with the process id `keeper`, and dies with it.
pub(crate) fn work(directory: &Path, keeper: &str, exe: &SelfExe) -> ExitCode {
    match prepare_process(keeper).and_then(|(_lock, secrets)| {
        let record = Record::at(directory.to_owned());
        let order = record.order()?;
        let mut log = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let outcome = carry_out(&order, &secrets, exe, &mut log);
        record.report(&outcome)
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "The agent could not carry out the step: {error}.");
            ExitCode::FAILURE
        }
    }
}

/// Ties this process to its keeper and takes the step's lock, which arrived as standard input, out of the sight of
/// the processes that the step starts. So with the secrets, which arrived as standard error.
fn prepare_process(keeper: &str) -> io::Result<(impl Sized, Secrets)> {
    let secrets = secrecy::received(io::stderr().as_fd());
    rustix::stdio::dup2_stderr(io::stdout().as_fd())?;
    let secrets = secrets?;
    if !secrets.is_empty() {
        secrecy::leave_no_dumps()?;
    }
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    if parent.as_deref() != Some(keeper) {
        return Err(io::Error::other("its keeper is gone"));
    }
    let lock = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok((lock, secrets))
}

fn carry_out(order: &Order, secrets: &Secrets, exe: &SelfExe, log: &mut dyn Write) -> Outcome {
    let Order { placement, .. } = order;
    let outcome = match &order.step {
        Step::Prepare { release, keep } => {
            concluded(Layout::of(placement).map_err(|e| e.to_string()).and_then(|layout| {
                release::prepare(&layout, placement, release, keep, log).map_err(|error| error.to_string())
            }))
        }
        Step::Activate { release } => concluded(activate(placement, release, exe, log)),
        Step::Verify { release, healthy_deadline, tests } => {
            verify::verify(placement, release, *healthy_deadline, *tests, secrets, log)
        }
        Step::Observe { release, period } => observe::observe(placement, release, *period, log),
    };
    bounded(outcome)
}

fn activate(placement: &Placement, id: &ReleaseId, exe: &SelfExe, log: &mut dyn Write) -> Result<(), String> {
    let layout = Layout::of(placement).map_err(|error| error.to_string())?;
    let mark = |complete| release::mark(&layout, &ActivationMarker { release: id.clone(), complete });
    for effect in ACTIVATION {
        match effect {
            Activation::RequireComplete => release::require_complete(&layout, id),
            Activation::MarkBegun => mark(false),
            Activation::Switch => {
                release::switch(&layout, id).inspect(|()| say(log, &format!("current -> releases/{id}")))
            }
            Activation::Restart => {
                run::restart(placement, id, exe, log).map_err(|error| error.to_string())?;
                Ok(())
            }
            Activation::MarkComplete => mark(true),
        }
        .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn concluded(result: Result<(), String>) -> Outcome {
    match result {
        Ok(()) => Outcome::Succeeded,
        Err(reason) => Outcome::Failed { reason, tail: String::new() },
    }
}

/// The outcome with a reason of a length that fits into every message.
fn bounded(mut outcome: Outcome) -> Outcome {
    if let Outcome::Failed { reason, .. } = &mut outcome
        && reason.len() > LONGEST_REASON
    {
        let mut cut = LONGEST_REASON;
        while !reason.is_char_boundary(cut) {
            cut -= 1;
        }
        reason.truncate(cut);
        reason.push('…');
    }
    outcome
}
