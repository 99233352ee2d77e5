//! One host of a push: starts `ssh` (or a shell on this machine), reads until the end marker, says how it ended.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use andon_core::legible::neutral;
use andon_core::line::Transport;
use andon_core::name::HostName;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::capture::Capture;
use super::script::{Markers, Streams, program, remote_line};
use super::{HostOutcome, Output, Push, PushEvent, PushTarget, Status, nonce};
use crate::ssh::{Failure, SshTarget};

/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;
/// How long an ended process may leave its pipes open before what they still carry is given up.
const LINGER: Duration = Duration::from_millis(500);
/// How long `ssh` may take to go once it has nothing to do.
const FAREWELL: Duration = Duration::from_millis(250);
/// The longest line of a host that is repeated, in characters.
const MAX_SAID: usize = 200;

/// Runs the push's command on one host.
pub(super) async fn run(push: &Push, target: PushTarget) -> HostOutcome {
    let permit = std::sync::Arc::clone(&push.starts).acquire_owned().await.ok();
    let begun = Instant::now();
    let deadline = push.options.timeout.and_then(|timeout| begun.checked_add(timeout));
    let (status, output, errors) = match Session::start(push, &target, permit) {
        Err(error) => (cannot_start(&target.transport, &error), Output::default(), Output::default()),
        Ok(mut session) => {
            let end = session.watch(deadline).await;
            session.close(end).await
        }
    };
    let next = match (&status, ssh_target(&target.transport)) {
        (Status::Unreachable { failure }, Some(ssh)) => {
            Some(failure.next(&ssh, push.options.ssh.config.as_deref()))
        }
        (Status::NotRun { .. }, Some(_)) => {
            Some("give the user a login shell and the host a /bin/sh, then run it again".to_owned())
        }
        (Status::Lost { .. }, _) => Some("look on the host before you run it again".to_owned()),
        _ => None,
    };
    let finished = PushEvent::Finished { host: target.host.clone(), status: status.clone() };
    // Nobody listening is no reason to stop.
    let _ = push.events.send(finished).await;
    HostOutcome { host: target.host, status, next, output, errors, took: begun.elapsed() }
}

fn ssh_target(transport: &Transport) -> Option<SshTarget> {
    match transport {
        Transport::Ssh { address, user, port, .. } => {
            Some(SshTarget { address: address.clone(), user: user.clone(), port: *port })
        }
        Transport::Local => None,
    }
}

fn cannot_start(transport: &Transport, error: &io::Error) -> Status {
    let program = match transport {
        Transport::Ssh { .. } => "ssh",
        Transport::Local => "/bin/sh",
    };
    Status::NotRun { said: format!("cannot start {program} here: {error}") }
}

/// Why reading came to an end.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The end marker came, with the command's exit code.
    Ended(u8),
    /// The process ended without one; its exit code, if it has any.
    Exited(Option<i32>),
    /// The time is over.
    TimedOut,
}

/// A process that runs the command on a host, and what it has said so far.
struct Session<'a> {
    push: &'a Push,
    host: HostName,
    is_ssh: bool,
    child: Child,
    /// Kept open: its end tells the host to end the command.
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    out: Capture,
    err: Capture,
    permit: Option<OwnedSemaphorePermit>,
}

impl<'a> Session<'a> {
    fn start(push: &'a Push, target: &PushTarget, permit: Option<OwnedSemaphorePermit>) -> io::Result<Self> {
        let markers = Markers::new(nonce());
        let streams = push.options.streams;
        let ssh = ssh_target(&target.transport);
        let mut command = match &ssh {
            Some(ssh) => push.options.ssh.command(ssh, &remote_line(&push.command, &markers, streams)),
            None => local_command(&program(&push.command, &markers, streams)),
        };
        let mut child = command.spawn()?;
        let capture = || Capture::new(markers.start(), markers.end(), push.output_limit);
        Ok(Self {
            push,
            host: target.host.clone(),
            is_ssh: ssh.is_some(),
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            out: capture(),
            err: capture(),
            permit,
        })
    }

    /// Reads until the command has ended, the process has, or the time is over.
    async fn watch(&mut self, deadline: Option<Instant>) -> End {
        let mut out = Vec::with_capacity(BUFFER);
        let mut err = Vec::with_capacity(BUFFER / 16);
        let mut exit = None;
        let mut limit = deadline;
        loop {
            if let Some(code) = self.ended() {
                return End::Ended(code);
            }
            if let (Some(code), None, None) = (exit, &self.stdout, &self.stderr) {
                return End::Exited(code);
            }
            tokio::select! {
                more = read(&mut self.stdout, &mut out), if self.stdout.is_some() => {
                    if more { self.take_in(&mut out, false).await } else { self.stdout = None }
                }
                more = read(&mut self.stderr, &mut err), if self.stderr.is_some() => {
                    if more { self.take_in(&mut err, true).await } else { self.stderr = None }
                }
                status = self.child.wait(), if exit.is_none() => {
                    exit = Some(status.ok().and_then(|status| status.code()));
                    limit = Some(Instant::now() + LINGER);
                }
                () = sleep_until(limit), if limit.is_some() => {
                    return exit.map_or(End::TimedOut, End::Exited);
                }
            }
        }
    }

    /// The exit code, once it is known and no more output is to come.
    fn ended(&self) -> Option<u8> {
        let complete = self.push.options.streams == Streams::Merged || self.err.ended().is_some();
        self.out.ended().filter(|_| complete)
    }

    async fn take_in(&mut self, bytes: &mut Vec<u8>, stderr: bool) {
        let mut live = Vec::new();
        let (capture, wanted) = (if stderr { &mut self.err } else { &mut self.out }, self.push.options.live);
        capture.push(bytes, |output| {
            if wanted {
                live.extend_from_slice(output);
            }
        });
        bytes.clear();
        if self.out.started() && self.permit.take().is_some() {
            self.send(PushEvent::Started { host: self.host.clone() }).await;
        }
        if !live.is_empty() {
            self.send(PushEvent::Output { host: self.host.clone(), stderr, bytes: live }).await;
        }
    }

    async fn send(&self, event: PushEvent) {
        // Nobody listening is no reason to stop.
        let _ = self.push.events.send(event).await;
    }

    /// Ends what still runs and says what is known.
    async fn close(mut self, end: End) -> (Status, Output, Output) {
        drop(self.stdin.take());
        if !matches!(end, End::Exited(_)) && tokio::time::timeout(FAREWELL, self.child.wait()).await.is_err()
        {
            // A daemon that holds the output open, or a host that does not hear: neither is waited for.
            let _ = self.child.kill().await;
        }
        let started = self.out.started();
        let (noise, output) = self.out.finish();
        let (err_noise, errors) = self.err.finish();
        let status = match end {
            End::Ended(code) => Status::of_code(code),
            End::TimedOut => {
                Status::TimedOut { after: self.push.options.timeout.unwrap_or_default(), started }
            }
            End::Exited(code) => {
                // ssh's own last words may stand behind the command's standard error.
                let stderr = [err_noise.joined(), errors.joined()].concat();
                let said = if stderr.trim_ascii().is_empty() { noise.joined() } else { stderr };
                without_end(self.is_ssh, started, code, &String::from_utf8_lossy(&said))
            }
        };
        (status, output, errors)
    }
}

/// What it means that a process ended and the command's end was not seen.
fn without_end(is_ssh: bool, started: bool, code: Option<i32>, said: &str) -> Status {
    /// What `ssh` ends with when it failed itself.
    const SSH_FAILED: Option<i32> = Some(255);
    match (is_ssh && code == SSH_FAILED, started) {
        (true, false) => Status::Unreachable { failure: Failure::from_stderr(said) },
        (true, true) => {
            let why = match Failure::from_stderr(said) {
                failure @ (Failure::ConnectionLost | Failure::TimedOut) => failure.to_string(),
                _ => "the connection or the shell that ran it was ended".to_owned(),
            };
            Status::Lost { why }
        }
        (false, true) => Status::Lost { why: "the shell that ran it was ended".to_owned() },
        (false, false) => {
            let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let line: String = line.trim().chars().take(MAX_SAID).collect();
            Status::NotRun { said: neutral(line.as_bytes()) }
        }
    }
}

fn local_command(program: &[String; 5]) -> Command {
    let [shell, arguments @ ..] = program;
    let mut command = Command::new(shell);
    crate::secrets::withhold(&mut command);
    // The shell ends its whole group when it is told to, so it must have one of its own.
    command.args(arguments).process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Whether something was read into `buffer`; an error counts as the end.
async fn read(stream: &mut Option<impl AsyncRead + Unpin>, buffer: &mut Vec<u8>) -> bool {
    match stream {
        Some(stream) => matches!(stream.read_buf(buffer).await, Ok(1..)),
        None => std::future::pending().await,
    }
}

async fn sleep_until(limit: Option<Instant>) {
    match limit {
        Some(limit) => tokio::time::sleep_until(limit).await,
        None => std::future::pending().await,
    }
}
