//! The processes of the caller's session: what a step started and left behind, whatever groups it formed.
//!
//! Services leave the session on purpose (`setsid`) and are never found here.

use std::fs;

use rustix::process::{Pid, Signal, getpid, kill_process};

/// Rounds of looking: each finds what the victims of the last one still forked.
const ROUNDS: usize = 100;

/// Kills every other process of this session. Returns when none is left, or when some cannot be killed.
pub(super) fn kill_all_but_self() {
    let own = getpid();
    if session_of_living(own.as_raw_pid()) != Some(own) {
        // Started by hand inside of somebody's session: that session's other processes are not ours.
        return;
    }
    for _ in 0..ROUNDS {
        let members = members(own);
        let mut killed = false;
        for pid in members.into_iter().filter(|pid| *pid != own) {
            killed |= kill_process(pid, Signal::KILL).is_ok();
        }
        if !killed {
            return;
        }
    }
}

fn members(session: Pid) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter(|pid| session_of_living(*pid) == Some(session)).filter_map(Pid::from_raw).collect()
}

/// The session of a process that is not already a corpse waiting for its parent. None also when the session's leader
/// lives outside of this process's container: the kernel shows no number then, and `getsid` answers nought.
fn session_of_living(pid: i32) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also parentheses.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    let session = fields.nth(2)?.parse().ok()?;
    if matches!(state, "Z" | "X") { None } else { Pid::from_raw(session) }
}
