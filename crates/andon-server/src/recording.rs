//! Recordings: files that hold everything that an analysis heard, one JSON value a line.
//!
//! The first line is the header: the rules and what history said. Each further line is an entry. An entry counts once it
//! is on the disk. A line that a crash tore off at the end is left out, and said; a line that is damaged in the middle
//! is an error, since a verdict must not rest on a part.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use andon_core::analysis::{Entry, Header, Recording};
use serde::Serialize;

pub use sample::sample;

mod sample;

/// The longest line, in bytes.
pub const MAX_LINE: usize = 8 * 1024 * 1024;
/// The longest recording, in bytes.
pub const MAX_SIZE: u64 = 128 * 1024 * 1024;

/// A recording that was read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// What is whole.
    pub recording: Recording,
    /// Bytes at the end that are no whole line: the writer was killed in the middle of it.
    pub torn: u64,
}

/// Why a recording cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The disk says so.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is not a recording, or damaged.
    #[error("{}, line {line}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// It, or an entry, would be longer than it may be.
    #[error("{} is full: a recording holds at most {} MiB", path.display(), MAX_SIZE / 1024 / 1024)]
    Full {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a whole recording.
///
/// # Errors
/// The file cannot be read, or what is in it is no recording.
pub fn read(path: &Path) -> Result<Kept, RecordingError> {
    let failed = |error| RecordingError::Io { path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > MAX_SIZE {
        return Err(RecordingError::Full { path: path.to_owned() });
    }
    let mut input = BufReader::new(file);
    let (mut head, mut entries, mut torn, mut number) = (None, Vec::new(), 0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        number += 1;
        let damaged = |why: String| RecordingError::Damaged { path: path.to_owned(), line: number, why };
        let read =
            io::Read::take(&mut input, MAX_LINE as u64 + 1).read_until(b'\n', &mut line).map_err(failed)?;
        if read == 0 {
            break;
        }
        if line.last() != Some(&b'\n') {
            if read > MAX_LINE {
                return Err(damaged(format!("it is longer than {} MiB", MAX_LINE / 1024 / 1024)));
            }
            torn = read as u64;
            break;
        }
        if head.is_none() {
            let first: Header = serde_json::from_slice(&line).map_err(|why| damaged(why.to_string()))?;
            if !first.is_known() {
                let why = format!("it has version {}, which this andon does not know", first.version);
                return Err(damaged(why));
            }
            head = Some(first);
        } else {
            entries.push(serde_json::from_slice(&line).map_err(|why| damaged(why.to_string()))?);
        }
    }
    match head {
        Some(header) => Ok(Kept { recording: Recording { header, entries }, torn }),
        None => {
            let why = "there is no header, so this is no recording".to_owned();
            Err(RecordingError::Damaged { path: path.to_owned(), line: 1, why })
        }
    }
}

/// Writes a recording, entry by entry.
#[derive(Debug)]
pub struct RecordingWriter {
    path: PathBuf,
    file: File,
    size: u64,
}

impl RecordingWriter {
    /// Begins a recording in a file that is not there yet. The header is on the disk when this returns.
    ///
    /// # Errors
    /// The file is there already, or cannot be written.
    pub fn create(path: &Path, header: &Header) -> Result<Self, RecordingError> {
        let failed = |error| RecordingError::Io { path: path.to_owned(), error };
        let file = OpenOptions::new().append(true).create_new(true).open(path).map_err(failed)?;
        let mut writer = Self { path: path.to_owned(), file, size: 0 };
        writer.write(header)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent).and_then(|dir| dir.sync_all()).map_err(failed)?;
        }
        Ok(writer)
    }

    /// Goes on with a recording; a torn line at its end is cut off.
    ///
    /// # Errors
    /// As [`read`]; or the file cannot be written.
    pub fn open_resume(path: &Path) -> Result<(Self, Kept), RecordingError> {
        let failed = |error| RecordingError::Io { path: path.to_owned(), error };
        let kept = read(path)?;
        let mut file = OpenOptions::new().read(true).append(true).open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len().saturating_sub(kept.torn);
        file.set_len(size).and_then(|()| file.sync_all()).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok((Self { path: path.to_owned(), file, size }, kept))
    }

    /// Adds an entry; it is on the disk when this returns.
    ///
    /// # Errors
    /// It cannot be written, or the recording is full; the recording ends with the entry before it.
    pub fn append(&mut self, entry: &Entry) -> Result<(), RecordingError> {
        self.write(entry)
    }

    fn write(&mut self, value: &impl Serialize) -> Result<(), RecordingError> {
        let failed = |path: &Path, error| RecordingError::Io { path: path.to_owned(), error };
        let mut line =
            serde_json::to_vec(value).map_err(|error| failed(&self.path, io::Error::other(error)))?;
        line.push(b'\n');
        let size = self.size + line.len() as u64;
        if line.len() > MAX_LINE || size > MAX_SIZE {
            return Err(RecordingError::Full { path: self.path.clone() });
        }
        if let Err(error) = self.file.write_all(&line).and_then(|()| self.file.sync_data()) {
            // What was written in part must not stand before the next entry.
            let _ = self.file.set_len(self.size);
            return Err(failed(&self.path, error));
        }
        self.size = size;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
