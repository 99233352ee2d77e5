//! Reads: a `line.star` becomes a validated [`Line`], or all that is wrong with it at once.
//!
//! Reads files below the directory of the line and nothing else: no network, clock, environment or
//! process. Whatever the files contain, an answer comes within bounded time and memory.

use std::path::Path;

use andon_core::digest::Digest;
use andon_core::line::Line;
use reading::Request;

pub use diagnostic::{Diagnostic, Diagnostics, Location, Related, Severity};
pub use origin::{Origin, Origins};
pub use reference::{ConstructorDoc, ParameterDoc, reference, reference_page};
pub use template::template;

mod assemble;
#[allow(unsafe_code, clippy::panic, reason = "derives of starlark need both; no line here does")]
mod budget;
mod call;
mod constructor;
mod diagnostic;
mod evaluation;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod kind;
mod nesting;
#[allow(unsafe_code, reason = "a derive of starlark needs it; no line here does")]
mod notebook;
mod origin;
mod reading;
mod reference;
mod rewrite;
mod schema;
mod site;
mod source;
mod template;
#[allow(unsafe_code, clippy::panic, reason = "derives of starlark need both; no line here does")]
mod value;

/// A line that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// The line.
    pub line: Line,
    /// Where its parts were written.
    pub origins: Origins,
    /// What is probably not meant as it was written.
    pub warnings: Vec<Diagnostic>,
    /// BLAKE3 over the paths and contents of all files that were read, scripts included.
    pub digest: Digest,
}

/// Reads the line at `path`, usually `line.star`; paths in it are relative to its directory.
///
/// Returns every mistake at once.
pub fn load(path: &Path) -> Result<Loaded, Diagnostics> {
    let name = path.display().to_string();
    let source = source::read_bounded(path, &name).map_err(|error| {
        let mut diagnostics = Diagnostics::about_file(name.clone(), error.to_string());
        if let (source::SourceError::Missing(_), Some(only)) = (&error, diagnostics.0.first_mut()) {
            only.help = Some("`andon init` writes a first one".to_owned());
        }
        diagnostics
    })?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let id = path.file_name().map_or_else(|| name.clone(), |id| id.to_string_lossy().into_owned());
    let request = Request { id, name, text: source, directory: directory.to_owned() };
    reading::read(request, reading::DEADLINE)
}

/// The same for a text that is in memory already; `directory` is where scripts and `load()` look.
pub fn load_source(name: &str, source: &str, directory: &Path) -> Result<Loaded, Diagnostics> {
    if source.len() as u64 > source::MAX_FILE_SIZE {
        let error = source::SourceError::TooLarge(name.to_owned());
        return Err(Diagnostics::about_file(name, error.to_string()));
    }
    reading::read(Request::of(name, source, directory), reading::DEADLINE)
}
