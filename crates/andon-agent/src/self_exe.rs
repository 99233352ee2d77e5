//! How this program starts itself again: the detached half of a step, and supervisors.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use andon_core::digest::Digest;

use crate::run::SelfExe;

/// The running executable, whichever program it is part of, even when its file was replaced or deleted.
const RUNNING: &str = "/proc/self/exe";

impl SelfExe {
    /// This program; `prefix` are the words that lead to the agent in it: `agent` in the program `andon`.
    pub fn running(prefix: &[&str]) -> Self {
        // A path to the file while it is still what runs, because process lists show its name.
        let program = std::env::current_exe().ok().filter(|path| is_running(path));
        let program = program.unwrap_or_else(|| PathBuf::from(RUNNING));
        Self { program, prefix: prefix.iter().map(OsString::from).collect() }
    }

    /// A command that runs this very program again.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let replaced = !is_running(&self.program);
        let mut command = Command::new(if replaced { Path::new(RUNNING) } else { &self.program });
        command.arg0("andon-agent").args(&self.prefix).arg(subcommand);
        command
    }
}

fn is_running(path: &Path) -> bool {
    match (fs::metadata(path), fs::metadata(RUNNING)) {
        (Ok(there), Ok(here)) => there.ino() == here.ino() && there.dev() == here.dev(),
        _ => false,
    }
}

/// The digest of the running executable.
pub(crate) fn digest() -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(RUNNING)?)?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}
