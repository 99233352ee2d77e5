//! How this program starts itself again: the detached half of a step, and supervisors.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use andon_core::digest::Digest;

/// The running executable, whichever program it is part of.
const RUNNING: &str = "/proc/self/exe";

/// How to start this program again, with the arguments that lead to the agent in it.
#[derive(Debug, Clone)]
pub struct SelfExe {
    prefix: Vec<OsString>,
}

impl SelfExe {
    /// `prefix` are the arguments before the agent's own: `agent` in the program `andon`, none in `andon-agent`.
    pub fn new(prefix: &[&str]) -> Self {
        Self { prefix: prefix.iter().map(OsString::from).collect() }
    }

    /// A command that runs this very program. It survives that the file was replaced or deleted meanwhile.
    pub fn command(&self, subcommand: &str) -> Command {
        let path = self.path();
        let mut command = Command::new(&path);
        if path.as_os_str() == RUNNING {
            command.arg0("andon-agent");
        }
        command.args(&self.prefix).arg(subcommand);
        command
    }

    /// A path to the file on disk while it is still what runs, because process lists show its name; else the
    /// kernel's own handle of it.
    fn path(&self) -> PathBuf {
        let same = |path: &PathBuf| {
            let (there, here) = (fs::metadata(path).ok()?, fs::metadata(RUNNING).ok()?);
            Some(there.ino() == here.ino() && there.dev() == here.dev())
        };
        std::env::current_exe().ok().filter(|path| same(path) == Some(true)).unwrap_or_else(|| RUNNING.into())
    }

    /// The digest of the running executable.
    pub(crate) fn digest() -> io::Result<Digest> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs::File::open(RUNNING)?)?;
        Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
    }
}
