//! Runs a program to its end with a bound on time and memory. Leaves nothing of its process group behind, and
//! does not wait for a background process that keeps the output open.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use andon_core::vitals::Exit;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// How often a program that says nothing is asked whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// The most that is read after the end, so that a background process which writes forever is not followed.
const MAX_REMAINDER: usize = 1 << 20;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It took too long and was killed.
    TimedOut,
}

impl Ended {
    /// The same for the controller; `None` of one that was killed for its time.
    pub(crate) fn exit(self) -> Option<Exit> {
        match self {
            Self::Code(code) => Some(Exit::Code(code)),
            Self::Signal(signal) => Some(Exit::Signal(signal)),
            Self::TimedOut => None,
        }
    }
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How.
    pub(crate) ended: Ended,
    /// The beginning of what it wrote to its standard output.
    pub(crate) stdout: Vec<u8>,
    /// The beginning of what it wrote to its standard error.
    pub(crate) stderr: Vec<u8>,
}

impl Finished {
    /// Whether it ended by itself with exit code 0.
    pub(crate) fn succeeded(&self) -> bool {
        self.ended == Ended::Code(0)
    }
}

/// Runs `command` with an empty standard input for at most `timeout`. Of each output the first `limit` bytes are
/// kept and the rest is thrown away. Fails only when the program cannot be started.
pub(crate) fn run(command: &mut Command, timeout: Duration, limit: usize) -> io::Result<Finished> {
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let mut stdout = Output::new(child.stdout.take(), limit);
    let mut stderr = Output::new(child.stderr.take(), limit);
    let in_time = loop {
        if has_ended(&child) {
            break true;
        }
        let left = timeout.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break false;
        }
        wait_for_output(&stdout, &stderr, left.min(LOOK));
        stdout.read_some();
        stderr.read_some();
    };
    // Not reaped yet, so the number of the group is still its own.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let status = child.wait()?;
    stdout.read_remainder();
    stderr.read_remainder();
    let ended = if in_time { ended(status) } else { Ended::TimedOut };
    Ok(Finished { ended, stdout: stdout.kept, stderr: stderr.kept })
}

/// How a reaped process ended.
pub(crate) fn ended(status: ExitStatus) -> Ended {
    match status.code() {
        Some(code) => Ended::Code(code),
        None => Ended::Signal(status.signal().unwrap_or(0)),
    }
}

fn has_ended(child: &Child) -> bool {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return true };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(rustix::process::waitid(WaitId::Pid(pid), options), Ok(None))
}

fn wait_for_output<A: AsFd + Read, B: AsFd + Read>(first: &Output<A>, second: &Output<B>, at_most: Duration) {
    let mut waited: Vec<PollFd<'_>> = Vec::with_capacity(2);
    waited.extend(first.pipe.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
    waited.extend(second.pipe.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
    let timespec = Timespec::try_from(at_most).ok();
    if rustix::event::poll(&mut waited, timespec.as_ref()).is_err() {
        // Interrupted, or refused: either way the loop must not spin.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// One of the two outputs; `pipe` is `None` once it was closed.
struct Output<P> {
    pipe: Option<P>,
    kept: Vec<u8>,
    limit: usize,
}

impl<P: Read + AsFd> Output<P> {
    fn new(pipe: Option<P>, limit: usize) -> Self {
        let pipe = pipe.filter(|pipe| {
            rustix::fs::fcntl_getfl(pipe)
                .and_then(|flags| rustix::fs::fcntl_setfl(pipe, flags | OFlags::NONBLOCK))
                .is_ok()
        });
        Self { pipe, kept: Vec::new(), limit }
    }

    /// Takes what is there, at most one bufferful. Answers how much that was.
    fn read_some(&mut self) -> usize {
        let Some(pipe) = self.pipe.as_mut() else { return 0 };
        let mut buffer = [0_u8; 16 * 1024];
        match pipe.read(&mut buffer) {
            Ok(0) => {
                self.pipe = None;
                0
            }
            Ok(read) => {
                let room = self.limit.saturating_sub(self.kept.len()).min(read);
                self.kept.extend_from_slice(&buffer[..room]);
                read
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            Err(_) => {
                self.pipe = None;
                0
            }
        }
    }

    fn read_remainder(&mut self) {
        let mut total = 0;
        while total < MAX_REMAINDER {
            match self.read_some() {
                0 => break,
                read => total += read,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::process::ProcessId;

    fn shell(script: &str, timeout: Duration) -> Finished {
        run(Command::new("/bin/sh").args(["-c", script]), timeout, 64 * 1024).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn output_and_exit_code_come_back() {
        let finished = shell("echo out; echo err >&2; exit 3", LONG);
        assert_eq!(
            (finished.ended, finished.stdout, finished.stderr),
            (Ended::Code(3), b"out\n".to_vec(), b"err\n".to_vec())
        );
        assert_eq!(shell("kill -9 $$", LONG).ended, Ended::Signal(9));
    }

    #[test]
    fn endless_output_is_bounded_and_ended() {
        let finished = shell("yes", Duration::from_millis(300));
        assert_eq!((finished.ended, finished.stdout.len()), (Ended::TimedOut, 64 * 1024));
    }

    #[test]
    fn a_background_process_that_holds_the_output_open_is_not_waited_for() {
        let begun = Instant::now();
        let finished = shell("setsid sleep 30 & echo $!; exit 0", LONG);
        assert_eq!(finished.ended, Ended::Code(0));
        assert!(begun.elapsed() < Duration::from_secs(25), "waited for the background process");
        // It left the group, so it is ours to end.
        let pid = String::from_utf8(finished.stdout).unwrap().trim().parse().unwrap();
        ProcessId::of(pid).map(|process| process.signal(Signal::KILL));
    }

    #[test]
    fn nothing_of_the_group_survives_a_time_out() {
        let finished = shell("trap '' TERM; sleep 300 & echo $!; wait", Duration::from_millis(500));
        assert_eq!(finished.ended, Ended::TimedOut);
        let pid: i32 = String::from_utf8(finished.stdout).unwrap().trim().parse().unwrap();
        let deadline = Instant::now() + LONG;
        while ProcessId::of(pid).is_some() {
            assert!(Instant::now() < deadline, "the grandchild survived");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
