//! The demo's own processes, found in `/proc`. Looks, and signals nothing.
//!
//! An agent and what it starts for itself carry the name `andon-agent` or are children of this process; an editor
//! that somebody has opened on a file of the demo is neither.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use andon_agent::run::process::{self, ProcessId};

/// Agents and their steps: whatever may yet start something below `directory`.
pub(super) fn starters(directory: &Path) -> Vec<ProcessId> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let mut found = process::children(own);
    found.retain(|child| words(child.pid).is_none_or(|words| !is(&words, "supervise")));
    found.extend(agents(directory, |words| !is(words, "supervise")));
    found
}

/// What looks after services below `directory`.
pub(super) fn supervisors(directory: &Path) -> Vec<ProcessId> {
    agents(directory, |words| is(words, "supervise"))
}

fn agents(directory: &Path, wanted: impl Fn(&[Vec<u8>]) -> bool) -> Vec<ProcessId> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            words(*pid).is_some_and(|words| {
                let named = words.first().is_some_and(|word| word == b"andon-agent");
                named && words.iter().any(|word| is_below(word, directory)) && wanted(&words)
            })
        })
        .filter_map(ProcessId::of)
        .collect()
}

/// The words that a process was started with. A process that is gone has none.
fn words(pid: i32) -> Option<Vec<Vec<u8>>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
}

fn is(words: &[Vec<u8>], subcommand: &str) -> bool {
    words.iter().take(3).any(|word| word == subcommand.as_bytes())
}

fn is_below(word: &[u8], directory: &Path) -> bool {
    Path::new(std::ffi::OsStr::from_bytes(word)).starts_with(directory)
}
