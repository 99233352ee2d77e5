//! A controller that dies in the middle of a deployment: `andon deploy` in a process of its own, and its end.
//!
//! Whoever takes over is somebody else's part.

use std::process::Stdio;

use andon_core::deployment::DeploymentId;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::fleet::Fleet;
use crate::failure::Failure;

/// What it says when the wave begins in which it dies.
const WAVE: &str = "wave 2";
/// What it says when a host is in the middle of its change: the moment of its death.
const MOMENT: &str = " activating";

/// The process, while it lives. Dropped, it dies at once.
pub(super) struct Doomed {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    complaint: ChildStderr,
}

impl Doomed {
    /// Begins the deployment of what the fleet has built.
    pub(super) fn begin(fleet: &Fleet, why: &str, fixes: Option<DeploymentId>) -> Result<Self, Failure> {
        let failed = |error| Failure::broken(format!("a process of Andon cannot be started: {error}"));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        for (option, path) in [("--line", &fleet.common.line), ("--data", &fleet.common.data)] {
            if let Some(path) = path {
                command.arg(option).arg(path);
            }
        }
        command.args(["deploy", "www", "--why", why]);
        if let Some(id) = fixes {
            command.args(["--fixes", &id.0.to_string()]);
        }
        // Ctrl-C is for the demo alone: it would let this process end in good order.
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (Some(said), Some(complaint)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Failure::broken("a process of Andon has no voice"));
        };
        Ok(Self { child, said: BufReader::new(said).lines(), complaint })
    }

    /// Lets it work until it is in the middle of changing a host of the second wave, then kills it. Passes on what it
    /// says meanwhile.
    pub(super) async fn die(mut self, tell: impl Fn(&str)) -> Result<(), Failure> {
        let mut in_its_wave = false;
        while let Ok(Some(line)) = self.said.next_line().await {
            tell(&line);
            in_its_wave |= line.contains(WAVE);
            if in_its_wave && line.contains(MOMENT) {
                let killed = self.child.kill().await;
                return killed.map_err(|error| Failure::broken(format!("it cannot be killed: {error}")));
            }
        }
        let mut why = String::new();
        let _ = self.complaint.read_to_string(&mut why).await;
        Err(Failure::broken("the deployment that was to be interrupted has ended by itself").why(why))
    }
}
