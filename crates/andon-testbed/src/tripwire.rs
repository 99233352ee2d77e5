//! Kills a process, or cuts the power of a file system, at exactly one of the things that programs do to files.
//!
//! A small library is preloaded into the programs; they hold no hook for it. Events are numbered in one order over all
//! processes that inherit it, so that a test runs a story once to count them, and then once for each of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::program::{MissingPrograms, require};

/// What the compiler makes the library of.
const SOURCE: &str = include_str!("tripwire/tripwire.c");
/// The line of the book that says that it has happened.
const TRIPPED: &str = "tripped";

/// Why there is no tripwire.
#[derive(Debug, thiserror::Error)]
pub enum TripwireError {
    /// There is no compiler.
    #[error("{0}")]
    Missing(MissingPrograms),
    /// The files of the library cannot be written.
    #[error("a file of the tripwire cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The compiler said no.
    #[error("the tripwire could not be compiled: {0}")]
    Compiler(String),
}

/// What is done at the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// The process that causes the event is killed before it takes effect.
    KillBefore,
    /// The process is killed when the event has taken effect.
    KillAfter,
    /// The file system that is mounted here is shut down without flushing anything, then the process is killed: what
    /// is on the disk afterwards is what a power cut leaves. Root only, ext4 only.
    CutPower(PathBuf),
}

/// The library, compiled.
#[derive(Debug)]
pub struct Tripwire {
    dir: TempDir,
}

/// One tripwire, for all programs that are armed with it. It only counts until it is told what to do.
#[derive(Debug, Clone)]
pub struct Wire {
    library: PathBuf,
    book: PathBuf,
    watch: PathBuf,
    kinds: String,
    deed: Option<(String, u64, Deed)>,
}

impl Tripwire {
    /// Compiles the library.
    ///
    /// # Errors
    /// When there is no C compiler, with the package that brings one, or when it fails.
    pub fn compile() -> Result<Self, TripwireError> {
        require(&["cc"]).map_err(TripwireError::Missing)?;
        let dir = tempfile::Builder::new().prefix("andon-tripwire-").tempdir()?;
        let source = dir.path().join("tripwire.c");
        fs::write(&source, SOURCE)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(dir.path().join("tripwire.so")).arg(&source);
        let output = compiler.output()?;
        if output.status.success() {
            return Ok(Self { dir });
        }
        Err(TripwireError::Compiler(String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// A wire that counts the events of `kinds` on files whose path begins with `watch`. `book` is a file that does
    /// not exist, on a disk that lives.
    ///
    /// Kinds are `begin` (the first write of a process since its last `sync`), `write`, `sync`, `truncate`, `rename`,
    /// `link`, `mkdir` and `remove`.
    pub fn wire(&self, book: &Path, watch: &Path, kinds: &[&str]) -> Wire {
        Wire {
            library: self.dir.path().join("tripwire.so"),
            book: book.to_owned(),
            watch: watch.to_owned(),
            kinds: kinds.join(" "),
            deed: None,
        }
    }
}

impl Wire {
    /// Does `deed` at the event with this number, from 1, of those that match `only`: a pattern of the shell for
    /// `kind path`, in which `*` also stands for slashes.
    #[must_use]
    pub fn at(mut self, only: &str, number: u64, deed: Deed) -> Self {
        self.deed = Some((only.to_owned(), number, deed));
        self
    }

    /// The variables that arm a program.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut variables = vec![
            ("LD_PRELOAD", text(&self.library)),
            ("TRIPWIRE_BOOK", text(&self.book)),
            ("TRIPWIRE_WATCH", text(&self.watch)),
            ("TRIPWIRE_KINDS", self.kinds.clone()),
        ];
        if let Some((only, number, deed)) = &self.deed {
            let moment = if *deed == Deed::KillAfter { "after" } else { "before" };
            variables.extend([("TRIPWIRE_ONLY", only.clone()), ("TRIPWIRE_AT", number.to_string())]);
            variables.push(("TRIPWIRE_MOMENT", moment.to_owned()));
            if let Deed::CutPower(mount) = deed {
                variables.push(("TRIPWIRE_MOUNT", text(mount)));
            }
        }
        variables
    }

    /// Arms a program that is about to be started, and all that it starts.
    pub fn arm(&self, command: &mut Command) {
        command.envs(self.environment());
    }

    /// The events so far, as `kind path`.
    pub fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.book).unwrap_or_default();
        text.lines().filter(|line| *line != TRIPPED).map(str::to_owned).collect()
    }

    /// Whether the deed is done.
    pub fn has_tripped(&self) -> bool {
        fs::read_to_string(&self.book).is_ok_and(|text| text.lines().any(|line| line == TRIPPED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_dies_before_or_after_the_event_that_was_chosen() {
        let tripwire = Tripwire::compile().unwrap();
        for (deed, left) in [(Deed::KillBefore, false), (Deed::KillAfter, true)] {
            let dir = tempfile::tempdir().unwrap();
            let files = dir.path().join("files");
            fs::create_dir(&files).unwrap();
            let wire = tripwire.wire(&dir.path().join("book"), &files, &["mkdir", "remove"]);
            let wire = wire.at("mkdir */files/*", 2, deed);
            let mut command = Command::new("mkdir");
            wire.arm(command.args([files.join("one"), files.join("two"), files.join("three")]));
            assert!(!command.status().unwrap().success());
            assert!(wire.has_tripped() && files.join("one").exists());
            assert_eq!(files.join("two").exists(), left);
            assert!(!files.join("three").exists());
            assert_eq!(wire.events().len(), 2, "{:?}", wire.events());
        }
    }
}
