//! One reading of a line, from text to result, on a thread of its own: with a stack that the bounded
//! nesting of a text cannot exhaust, and a deadline for what no other limit foresaw.

use std::path::PathBuf;
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
const DEADLINE: Duration = Duration::from_secs(20);

/// Reads a line. `id` is its file name inside of `directory`, `name` what people call it.
pub(crate) fn read(
    id: String,
    name: String,
    text: String,
    directory: PathBuf,
) -> Result<Loaded, Diagnostics> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancelled);
    let (done, result) = mpsc::channel();
    let shown = name.clone();
    let work = move || {
        // Nobody listens any more after the deadline.
        let _ = done.send(read_here(&id, name, text, directory, &flag));
    };
    if let Err(error) = thread::Builder::new().name("line".to_owned()).stack_size(STACK_SIZE).spawn(work) {
        return Err(Diagnostics::about_file(shown, format!("cannot start to read the line: {error}")));
    }
    match result.recv_timeout(DEADLINE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            cancelled.store(true, Ordering::Relaxed);
            let message = format!("reading this line takes more than {} seconds", DEADLINE.as_secs());
            Err(Diagnostics::about_file(shown, message))
        }
        Err(RecvTimeoutError::Disconnected) => {
            let message = "reading this line failed inside of the interpreter; this is a mistake of Andon's";
            Err(Diagnostics::about_file(shown, message))
        }
    }
}

fn read_here(
    id: &str,
    name: String,
    text: String,
    directory: PathBuf,
    cancelled: &Arc<AtomicBool>,
) -> Result<Loaded, Diagnostics> {
    let sources = Sources::new(directory);
    sources.add(id, name, text);
    let notebook = Notebook::new(sources);
    Evaluation::new(&notebook, cancelled).run(id);
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
