//! Carries out one accepted step, apart from any connection: the detached half.
//!
//! It is two processes. The *keeper* leads a session of its own, stores the output, knows the deadline and writes
//! the result. The *worker* does the work and may die of anything. Both hold the step's lock.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use andon_api::agent::Order;
use andon_api::secret::Secrets;
use andon_core::host::{Outcome, TokenStatus};
use andon_core::masking::{Mask, MaskedStream};
use rustix::event::{PollFd, PollFlags};

use crate::journal::Record;
use crate::output::{self, Output};
use crate::run::{self, SelfExe};
use crate::secrecy;
use crate::watch::{Watch, poll_for};

mod session_members;
pub(crate) mod work;

/// No step may take longer, whatever its order says.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Output that is still taken after the worker ended, in bytes: a full pipe.
const REST: usize = 1 << 20;

/// How long a shutdown is waited for. systemd gives services 90 s to end, unless told otherwise.
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(600);
const SHUTDOWN_LOOK: Duration = Duration::from_millis(500);

/// What a login leaves in the environment, and what no service should inherit.
const OF_THE_CONNECTION: [&str; 5] =
    ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "SSH_AUTH_SOCK", "SSH_ORIGINAL_COMMAND"];

/// Starts the detached half of the step recorded in `directory`. `held` is the step's locked file: the lock passes
/// to the new process without a gap, as its standard input. Its `secrets` are its standard output until it has them.
pub(crate) fn launch(exe: &SelfExe, directory: &Path, held: File, secrets: &Secrets) -> io::Result<()> {
    let mut command = exe.command("step");
    command.arg(directory).current_dir("/").stdin(held).stderr(Stdio::null());
    command.stdout(secrecy::handed_over(secrets, Stdio::null())?);
    for name in OF_THE_CONNECTION {
        command.env_remove(name);
    }
    let mut child = command.spawn()?;
    // Somebody should take its exit code while this process lives; the step does not depend on it.
    let _ = std::thread::Builder::new().name("reaper".to_owned()).spawn(move || child.wait());
    Ok(())
}

/// The keeper: carries out the step in `directory`, whose lock it has as standard input.
pub(crate) fn keep(directory: &Path, exe: &SelfExe) -> ExitCode {
    let record = Record::at(directory.to_owned());
    // Started by hand, without the lock, it would carry out a step for the second time.
    if !matches!(record.status(), Ok(TokenStatus::Running)) || rustix::process::setsid().is_err() {
        return ExitCode::FAILURE;
    }
    let mut outcome = carry_out(&record, exe).unwrap_or_else(|error| {
        session_members::kill_all_but_self();
        let reason = format!("the agent could not carry out the step: {error}");
        Outcome::Failed { reason, tail: String::new() }
    });
    if matches!(outcome, Outcome::Failed { .. } | Outcome::TimedOut { .. }) {
        go_down_with_the_machine();
    }
    if let Outcome::Failed { tail, .. } | Outcome::TimedOut { tail, .. } = &mut outcome
        && tail.is_empty()
    {
        *tail = output::tail(directory);
    }
    match record.finish(&outcome) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// What fails on a machine that is on its way down says nothing about the release. Without a result the step counts as
/// interrupted, and the controller asks again once the machine is up. Returns when it is not going down, or does not.
fn go_down_with_the_machine() {
    let begun = Instant::now();
    while begun.elapsed() < LONGEST_SHUTDOWN && run::takes_the_machine_down() {
        std::thread::sleep(SHUTDOWN_LOOK);
    }
}

fn carry_out(record: &Record, exe: &SelfExe) -> io::Result<Outcome> {
    let secrets = secrecy::received(io::stdout().as_fd())?;
    secrecy::silence_stdout()?;
    let order = record.order()?;
    let (from_worker, to_keeper) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let mut command = exe.command(work::SUBCOMMAND);
    command.arg(record.path()).arg(std::process::id().to_string());
    // What a killed worker could not clean up goes with the step's directory, not to everybody's /tmp.
    command.env("TMPDIR", record.path());
    command.stdin(io::stdin().as_fd().try_clone_to_owned()?);
    command.stderr(secrecy::handed_over(&secrets, to_keeper.try_clone()?.into())?);
    command.stdout(to_keeper);
    let worker = Worker::spawn(command, from_worker, record, secrets.mask())?;
    worker.follow(&order)
}

/// The worker as its keeper sees it.
struct Worker<'a> {
    record: &'a Record,
    /// Readable once the worker was waited for; says how it ended.
    ended: File,
    pipe: File,
    output: Output,
    masked: MaskedStream,
    watch: Watch,
}

impl<'a> Worker<'a> {
    /// From the main thread only: the worker is to die with its parent, which to the kernel is a thread.
    fn spawn(mut command: Command, pipe: OwnedFd, record: &'a Record, mask: Mask) -> io::Result<Self> {
        let output = Output::create(record.path())?;
        let watch = Watch::names(record.path());
        let (ended, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let child = command.spawn()?;
        // The command holds copies of the pipe's other end; with them the pipe would never end.
        drop(command);
        std::thread::Builder::new().name("waiter".to_owned()).spawn(move || wait(child, tell.into()))?;
        let masked = MaskedStream::new(mask);
        Ok(Self { record, ended: ended.into(), pipe: pipe.into(), output, masked, watch })
    }

    fn follow(mut self, order: &Order) -> io::Result<Outcome> {
        let time = order.timeout.min(LONGEST);
        let deadline = Instant::now() + time;
        let mut talking = true;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.end()?;
                return Ok(Outcome::TimedOut { after: time, tail: String::new() });
            }
            if self.record.kill_requested() {
                self.end()?;
                return Ok(Outcome::Killed);
            }
            let (ended, spoke) = self.wait(left, talking);
            if spoke {
                talking = self.store_some()?;
            }
            if ended {
                let status = self.end()?;
                return Ok(self.record.reported().unwrap_or_else(|| without_word(status)));
            }
        }
    }

    /// Waits for anything to happen; whether the worker ended, and whether there is output.
    fn wait(&self, left: Duration, talking: bool) -> (bool, bool) {
        let mut polled = vec![PollFd::new(&self.ended, PollFlags::IN)];
        if talking {
            polled.push(PollFd::new(&self.pipe, PollFlags::IN));
        }
        if let Some(watch) = self.watch.descriptor() {
            polled.push(PollFd::from_borrowed_fd(watch, PollFlags::IN));
        }
        poll_for(&mut polled, left.min(self.watch.patience()));
        let ready = |index: usize| polled.get(index).is_some_and(|fd: &PollFd<'_>| !fd.revents().is_empty());
        let answer = (ready(0), talking && ready(1));
        self.watch.clear();
        answer
    }

    /// Takes some output; whether there may be more. Output that the disk has no room for is lost: the step is
    /// worth more than its words.
    fn store_some(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 64 * 1024];
        match self.pipe.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(count) => {
                let clean = self.masked.push(&buffer[..count]);
                let _ = self.output.write_all(&clean);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Ends the worker and all that it left behind in the session, and takes the last of the output.
    fn end(&mut self) -> io::Result<ExitStatus> {
        session_members::kill_all_but_self();
        let mut raw = [0; 4];
        self.ended.read_exact(&mut raw)?;
        // Whatever still holds the pipe has a session of its own, and may talk for ever.
        rustix::io::ioctl_fionbio(&self.pipe, true)?;
        let mut rest = vec![0; REST];
        let mut length = 0;
        while length < REST {
            match self.pipe.read(&mut rest[length..]) {
                Ok(count) if count > 0 => length += count,
                _ => break,
            }
        }
        let clean = self.masked.push(&rest[..length]);
        let _ = self.output.write_all(&clean);
        let _ = self.output.write_all(&self.masked.finish());
        Ok(ExitStatus::from_raw(i32::from_ne_bytes(raw)))
    }
}

/// Waits for the worker, then says how it ended.
fn wait(mut child: Child, mut tell: File) {
    let raw = child.wait().map_or(-1, ExitStatusExt::into_raw);
    let _ = tell.write_all(&raw.to_ne_bytes());
}

/// A worker that left no word was killed, or met a fault of its own.
fn without_word(status: ExitStatus) -> Outcome {
    let reason = match status.signal() {
        Some(9) => "the step was killed from outside (SIGKILL), perhaps because memory ran out".to_owned(),
        _ => format!("the step ended without a result ({status}); its output may say why"),
    };
    Outcome::Failed { reason, tail: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fixture;

    /// What becomes of a step whose worker is a shell script. No worker of ours leaves word.
    fn follow(directory: &Path, script: &str, timeout: Duration) -> Outcome {
        let mut order = fixture::order();
        order.timeout = timeout;
        let record = Record::at(directory.join("record"));
        let _held = record.create(&directory.join("fresh"), &order, "boot").unwrap();
        assert_eq!(record.status().unwrap(), TokenStatus::Running);
        let (from_worker, to_keeper) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).current_dir(directory).stdin(Stdio::null()).stdout(to_keeper);
        Worker::spawn(command, from_worker, &record, Mask::default()).unwrap().follow(&order).unwrap()
    }

    #[test]
    fn two_gigabytes_of_output_leave_sixteen_mebibytes_and_their_end() {
        let dir = tempfile::tempdir().unwrap();
        let script = "head -c 2000000000 /dev/zero; echo the end; exit 3";
        let outcome = follow(dir.path(), script, Duration::from_secs(600));
        assert!(matches!(outcome, Outcome::Failed { reason, .. } if reason.contains("exit status: 3")));
        let record = dir.path().join("record");
        assert_eq!(output::length(&record).unwrap(), 2_000_000_008);
        assert!(output::tail(&record).ends_with("the end\n"));
        let sizes = std::fs::read_dir(&record).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        assert!(sizes.sum::<u64>() < 17 << 20);
    }

    #[test]
    fn a_child_that_keeps_talking_does_not_keep_the_step() {
        let dir = tempfile::tempdir().unwrap();
        let script = "(while [ -e . ] && [ ! -e stop ]; do echo still here; done) & echo begun; exit 0";
        let outcome = follow(dir.path(), script, Duration::from_secs(600));
        std::fs::write(dir.path().join("stop"), "").unwrap();
        assert!(matches!(outcome, Outcome::Failed { .. }));
        assert!(output::length(&dir.path().join("record")).unwrap() >= 6);
    }
}
