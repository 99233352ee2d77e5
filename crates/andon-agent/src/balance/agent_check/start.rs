//! Starts a responder that outlives the session, and waits until it listens.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use andon_core::balance::{BalancerFailure, FailureKind};

use super::asked::Asked;
use super::{failure, responder};
use crate::run::SelfExe;

/// How long a responder may take to listen.
const START_TIME: Duration = Duration::from_secs(10);

/// Starts the responder of the pool whose records are given. The caller holds the pool's lock, so there is one.
pub(super) fn responder(records: &Path, port: u16, exe: &SelfExe) -> Result<(), BalancerFailure> {
    let unreachable = |reason| failure(FailureKind::Unreachable, reason);
    let mut command = exe.command(responder::SUBCOMMAND);
    command.arg(records).arg(port.to_string()).env_clear().current_dir("/");
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = started
        .map_err(|error| unreachable(format!("who is to answer HAProxy cannot be started: {error}")))?;
    let begun = Instant::now();
    loop {
        if Asked::of(records).is_ok() {
            // Somebody must take note of its end for as long as this agent lives.
            thread::spawn(move || child.wait());
            return Ok(());
        }
        if let Ok(Some(_)) = child.try_wait() {
            let why = fs::read_to_string(responder::failure_file(records)).unwrap_or_default();
            let why = if why.is_empty() { "it ended at once".to_owned() } else { why };
            return Err(unreachable(format!("HAProxy cannot be answered on port {port}: {why}")));
        }
        if begun.elapsed() > START_TIME {
            let _ = child.kill();
            let _ = child.wait();
            let seconds = START_TIME.as_secs();
            return Err(unreachable(format!("who is to answer HAProxy did not begin within {seconds} s")));
        }
        thread::sleep(Duration::from_millis(10));
    }
}
