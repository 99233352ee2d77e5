//! The files of a line: found inside of one directory tree, bounded in size and number, kept for
//! messages and for the digest. Knows nothing of what is in them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use andon_core::digest::Digest;

/// The largest file that a line may consist of or name as a script, in bytes.
pub(crate) const MAX_FILE_SIZE: u64 = 1 << 20;
/// How many files `load()` may bring in, the first one included.
pub(crate) const MAX_FILES: usize = 64;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("cannot read {path}: {reason}")]
    Unreadable { path: String, reason: io::Error },
    #[error("there is no file {0}")]
    Missing(String),
    #[error("{0} is not a regular file")]
    NotAFile(String),
    #[error("{0} is larger than 1 MiB, which is the limit for files of a line")]
    TooLarge(String),
    #[error("{0} is not UTF-8 text")]
    NotText(String),
    #[error("{0:?} is not a relative path below the directory of the line")]
    NotBelow(String),
    #[error("{0} leads out of the directory of the line")]
    Outside(String),
}

/// One file of the line, with its text.
#[derive(Debug)]
pub(crate) struct Source {
    /// The path as it is shown to people.
    pub(crate) name: String,
    /// The whole text.
    pub(crate) text: String,
    line_starts: Vec<usize>,
}

impl Source {
    pub(crate) fn new(name: String, text: String) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name, text, line_starts }
    }

    /// The line and column of a byte, both from 1; columns count characters.
    pub(crate) fn position(&self, byte: usize) -> (usize, usize) {
        let byte = byte.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= byte);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..byte).map_or(0, |before| before.chars().count());
        (line.max(1), column + 1)
    }
}

/// A stretch of one source, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) source: usize,
    pub(crate) begin: usize,
    pub(crate) end: usize,
}

/// All files that one load has read.
#[derive(Debug)]
pub(crate) struct Sources {
    directory: PathBuf,
    sources: RefCell<Vec<Arc<Source>>>,
    digests: RefCell<BTreeMap<String, Digest>>,
}

impl Sources {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, sources: RefCell::default(), digests: RefCell::default() }
    }

    /// Keeps a text that was read elsewhere. `id` is what tells files apart.
    pub(crate) fn add(&self, id: &str, name: String, text: String) -> usize {
        self.digests.borrow_mut().insert(id.to_owned(), Digest::of(text.as_bytes()));
        let mut sources = self.sources.borrow_mut();
        sources.push(Arc::new(Source::new(name, text)));
        sources.len() - 1
    }

    pub(crate) fn get(&self, index: usize) -> Option<Arc<Source>> {
        self.sources.borrow().get(index).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.sources.borrow().len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Source>> {
        self.sources.borrow().clone()
    }

    /// How a path below the directory is shown to people.
    pub(crate) fn shown(&self, relative: &str) -> String {
        if self.directory == Path::new(".") {
            return relative.to_owned();
        }
        self.directory.join(relative).display().to_string()
    }

    /// Reads a file below the directory of the line; symbolic links may not lead out of it.
    pub(crate) fn read(&self, relative: &str) -> Result<String, SourceError> {
        let unreadable = |reason| unreadable(relative, reason);
        let below = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if relative.is_empty() || relative.contains('\0') || !Path::new(relative).components().all(below) {
            return Err(SourceError::NotBelow(relative.to_owned()));
        }
        let root = self.directory.canonicalize().map_err(unreadable)?;
        let path = root.join(relative).canonicalize().map_err(unreadable)?;
        if !path.starts_with(&root) {
            return Err(SourceError::Outside(relative.to_owned()));
        }
        let text = read_bounded(&path, relative)?;
        self.digests.borrow_mut().insert(relative.to_owned(), Digest::of(text.as_bytes()));
        Ok(text)
    }

    /// One digest over the paths and contents of all files read.
    pub(crate) fn digest(&self) -> Digest {
        let mut listing = String::new();
        for (path, digest) in self.digests.borrow().iter() {
            listing.push_str(&format!("{digest} {path}\n"));
        }
        Digest::of(listing.as_bytes())
    }
}

/// Reads a regular text file of at most [`MAX_FILE_SIZE`] bytes, and never more than that of any other.
pub(crate) fn read_bounded(path: &Path, shown: &str) -> Result<String, SourceError> {
    let unreadable = |reason| unreadable(shown, reason);
    let metadata = path.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(SourceError::NotAFile(shown.to_owned()));
    }
    if metadata.len() > MAX_FILE_SIZE {
        return Err(SourceError::TooLarge(shown.to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(SourceError::TooLarge(shown.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| SourceError::NotText(shown.to_owned()))
}

fn unreadable(shown: &str, reason: io::Error) -> SourceError {
    match reason.kind() {
        io::ErrorKind::NotFound => SourceError::Missing(shown.to_owned()),
        _ => SourceError::Unreadable { path: shown.to_owned(), reason },
    }
}
