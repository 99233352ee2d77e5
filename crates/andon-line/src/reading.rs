//! One reading of a line, from text to result, on a thread of its own: with a stack that the bounded
//! nesting of a text cannot exhaust, and a deadline for what no other limit foresaw.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::Loaded;
use crate::assemble::assemble;
use crate::diagnostic::{Diagnostics, Severity};
use crate::evaluation::Evaluation;
use crate::notebook::Notebook;
use crate::origin::Origins;
use crate::source::Sources;

/// The stack of the evaluation; the system gives memory only for what is used of it.
const STACK_SIZE: usize = 512 << 20;
/// The last resort. A line is refused by its steps long before.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The files of a line as a reading finds them.
pub(crate) struct Request {
    /// The file name inside of `directory`.
    pub(crate) id: String,
    /// What people call the file.
    pub(crate) name: String,
    pub(crate) text: String,
    /// Where scripts and loaded files are.
    pub(crate) directory: PathBuf,
}

impl Request {
    /// A text that is in memory already.
    pub(crate) fn of(name: &str, text: &str, directory: &Path) -> Self {
        let (id, name, text) = (name.to_owned(), name.to_owned(), text.to_owned());
        Self { id, name, text, directory: directory.to_owned() }
    }
}

/// Why a reading came to no end of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    #[error("cannot start to read the line: {0}")]
    Unstarted(io::Error),
    #[error("reading this line takes more than {} seconds", .0.as_secs_f32())]
    Late(Duration),
    #[error("reading this line failed inside of the interpreter; this is a mistake of Andon's")]
    Died,
}

/// Reads a line, and tells a reading that was cut as what is wrong with it.
pub(crate) fn read(request: Request, deadline: Duration) -> Result<Loaded, Diagnostics> {
    let shown = request.name.clone();
    attempt(request, deadline).unwrap_or_else(|cut| Err(Diagnostics::about_file(shown, cut.to_string())))
}

/// Reads a line. What still runs at the deadline is told to stop, and left behind.
pub(crate) fn attempt(request: Request, deadline: Duration) -> Result<Result<Loaded, Diagnostics>, Cut> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancelled);
    let (done, result) = mpsc::channel();
    let work = move || {
        // Nobody listens any more after the deadline.
        let _ = done.send(read_here(request, &flag));
    };
    thread::Builder::new()
        .name("line".to_owned())
        .stack_size(STACK_SIZE)
        .spawn(work)
        .map_err(Cut::Unstarted)?;
    result.recv_timeout(deadline).map_err(|error| match error {
        RecvTimeoutError::Timeout => {
            cancelled.store(true, Ordering::Relaxed);
            Cut::Late(deadline)
        }
        RecvTimeoutError::Disconnected => Cut::Died,
    })
}

fn read_here(request: Request, cancelled: &Arc<AtomicBool>) -> Result<Loaded, Diagnostics> {
    let Request { id, name, text, directory } = request;
    let sources = Sources::new(directory);
    sources.add(&id, name, text);
    let notebook = Notebook::new(sources);
    Evaluation::new(&notebook, cancelled).run(&id);
    let (diagnostics, draft, sources) = notebook.close();
    let origins = draft.origins.clone();
    let (line, more) = assemble(draft, &sources);
    let mut diagnostics = Diagnostics(diagnostics);
    diagnostics.0.extend(more);
    diagnostics.sort(&sources);
    if diagnostics.0.iter().any(|one| one.severity == Severity::Error) {
        return Err(diagnostics);
    }
    let digest = sources.digest();
    Ok(Loaded { line, origins: Origins::new(origins, sources.all()), warnings: diagnostics.0, digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_other_limit_foresaw_ends_at_the_deadline() {
        // Comparing two lists of 2^60 elements is one step, and shares no memory with anything.
        let text = "a = []\nb = []\nfor i in range(60):\n    a = [a, a]\n    b = [b, b]\nx = a == b\n";
        let request = Request::of("line.star", text, Path::new("."));
        let error = read(request, Duration::from_millis(200)).unwrap_err();
        assert!(error.to_string().contains("takes more than 0.2 seconds"), "{error}");
    }
}
