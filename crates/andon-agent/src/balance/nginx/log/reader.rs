//! What is new in a log that is written, renamed, begun anew and cut short by others. Nothing is read twice; what is
//! lost is said at [`Reader::read_on`]. Changes no log.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use andon_core::digest::Digest;
use serde::{Deserialize, Serialize};

/// The most that is read in one call, in bytes. The rest waits for the next call.
const MAX_READ: u64 = 8 << 20;

/// Who is further behind than this, in bytes, would tell of the past: it goes on at the end.
const MAX_BACKLOG: u64 = 64 << 20;

/// Who has not read for so long, in seconds, begins at the end: nobody has asked for what was between.
const MAX_PAUSE: u64 = 60;

/// How long a renamed log is read on after it has last grown, in seconds: workers write to it until they reopen.
const AFTERLIFE: u64 = 60;

/// The most renamed logs that are read on.
const MAX_FORMER: usize = 8;

/// The most names that are looked through for a renamed log.
const MAX_SIBLINGS: usize = 10_000;

/// The longest line; longer ones are passed over.
const MAX_LINE: usize = 64 * 1024;

/// So many bytes before a mark tell whether the file is still the same there: more than a line or two, since the lines
/// of one second look much alike.
const TAIL: usize = 1024;

/// How far a log was read. Kept between calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::balance::nginx) struct Reader {
    /// The file that had the log's name at the last reading.
    present: Option<Mark>,
    /// Files that had it before.
    former: Vec<Mark>,
    /// When it was last read, in seconds since 1970; `None` before the first time.
    read_at: Option<u64>,
}

/// A place in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    device: u64,
    inode: u64,
    offset: u64,
    /// Of the bytes before the offset.
    tail: Digest,
    /// The line here is too long: its rest is passed over.
    in_long_line: bool,
    /// When the file last had something new.
    grown_at: u64,
}

impl Reader {
    /// Gives all whole lines that are new in the log at `path` to `line`, at most 8 MiB of them.
    ///
    /// The first call only marks the end. Renamed files are read to their end as long as they stay in their directory;
    /// of a log that was copied and cut short, the copy is read. Lost is what was written more than 64 MiB ago, in a
    /// pause of more than 60 s between two calls, or to a file that was removed or compressed within one.
    ///
    /// # Errors
    /// When the log cannot be read, or is no file.
    pub(in crate::balance::nginx) fn read_on(
        &mut self,
        path: &Path,
        now: u64,
        mut line: impl FnMut(&str),
    ) -> io::Result<()> {
        let paused = self.read_at.is_none_or(|read_at| now.saturating_sub(read_at) > MAX_PAUSE);
        // Looked at first: opening a pipe would wait for a writer.
        let file = match fs::metadata(path).and_then(|metadata| open(path, &metadata)) {
            Ok(file) => Some(file),
            // Renamed, and not reopened yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.read_at.is_some() => None,
            Err(error) => return Err(error),
        };
        if paused {
            let present = file.as_ref().map(|file| Mark::at_end(file, now)).transpose()?;
            *self = Self { present, former: Vec::new(), read_at: Some(now) };
            return Ok(());
        }
        self.read_at = Some(now);
        self.follow_renames(path, file.as_ref(), now)?;
        let mut budget = MAX_READ;
        for mark in &mut self.former {
            if let Some(file) = find(path, |metadata| mark.is_of(metadata), |_| Ok(true)) {
                mark.read_on(&file, now, &mut budget, &mut line)?;
            } else {
                mark.grown_at = 0;
            }
        }
        self.former.retain(|mark| now.saturating_sub(mark.grown_at) <= AFTERLIFE);
        if let (Some(file), Some(mark)) = (&file, &mut self.present) {
            mark.read_on(file, now, &mut budget, &mut line)?;
        }
        Ok(())
    }

    /// Finds out what became of the files since the last reading.
    fn follow_renames(&mut self, path: &Path, file: Option<&File>, now: u64) -> io::Result<()> {
        let metadata = file.map(File::metadata).transpose()?;
        let is_present = |mark: &Mark| metadata.as_ref().is_some_and(|metadata| mark.is_of(metadata));
        match (self.present.take(), file) {
            (Some(mark), Some(file)) if is_present(&mark) => {
                if mark.still_stands(file)? {
                    self.present = Some(mark);
                    return Ok(());
                }
                // Cut short, or another file with the same number: what was there before may be in a copy.
                let known = |metadata: &fs::Metadata| self.former.iter().any(|former| former.is_of(metadata));
                let could_be = |metadata: &fs::Metadata| {
                    let is_other = !mark.is_of(metadata) && !known(metadata);
                    let is_young =
                        u64::try_from(metadata.mtime()).is_ok_and(|changed| changed >= mark.grown_at);
                    is_other && is_young && mark.offset > 0 && metadata.len() > mark.offset
                };
                let copy = find(path, could_be, |file| mark.still_stands(file));
                if let Some(copy) = copy {
                    let start = Mark::start(&copy.metadata()?, now);
                    self.former.push(Mark {
                        device: start.device,
                        inode: start.inode,
                        grown_at: now,
                        ..mark
                    });
                }
            }
            (Some(mark), _) => self.former.push(Mark { grown_at: now, ..mark }),
            (None, _) => {}
        }
        // A name may also be given back to a file that had lost it.
        if let Some(metadata) = &metadata {
            let known = self.former.iter().position(|mark| mark.is_of(metadata));
            self.present =
                Some(known.map_or_else(|| Mark::start(metadata, now), |index| self.former.remove(index)));
        }
        let surplus = self.former.len().saturating_sub(MAX_FORMER);
        self.former.drain(..surplus);
        Ok(())
    }
}

impl Mark {
    fn start(metadata: &fs::Metadata, now: u64) -> Self {
        let (device, inode) = (metadata.dev(), metadata.ino());
        Self { device, inode, offset: 0, tail: Digest::of(b""), in_long_line: false, grown_at: now }
    }

    fn at_end(file: &File, now: u64) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let mut mark = Self { offset: metadata.len(), ..Self::start(&metadata, now) };
        mark.tail = mark.tail_in(file)?;
        // The end may be in the middle of a line that is being written.
        mark.in_long_line = mark.offset > 0 && byte_at(file, mark.offset - 1)? != Some(b'\n');
        Ok(mark)
    }

    fn is_of(&self, metadata: &fs::Metadata) -> bool {
        (metadata.dev(), metadata.ino()) == (self.device, self.inode)
    }

    /// Whether the file still holds what was read.
    fn still_stands(&self, file: &File) -> io::Result<bool> {
        Ok(file.metadata()?.len() >= self.offset && self.tail_in(file)? == self.tail)
    }

    fn tail_in(&self, file: &File) -> io::Result<Digest> {
        let length = usize::try_from(self.offset).unwrap_or(TAIL).min(TAIL);
        let mut bytes = [0; TAIL];
        let tail = &mut bytes[..length];
        match file.read_exact_at(tail, self.offset - length as u64) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Digest::of(b"cut short")),
            read => read.map(|()| Digest::of(tail)),
        }
    }

    fn read_on(
        &mut self,
        file: &File,
        now: u64,
        budget: &mut u64,
        line: &mut impl FnMut(&str),
    ) -> io::Result<()> {
        let behind = file.metadata()?.len().saturating_sub(self.offset);
        if behind == 0 {
            return Ok(());
        }
        if behind > MAX_BACKLOG {
            *self = Self::at_end(file, now)?;
            return Ok(());
        }
        self.grown_at = now;
        let mut buffer = vec![0; MAX_LINE];
        while *budget > 0 {
            let read = file.read_at(&mut buffer, self.offset)?;
            let bytes = &buffer[..read];
            let taken = match bytes.iter().rposition(|byte| *byte == b'\n') {
                Some(end) => self.take_lines(&bytes[..=end], line),
                None if read == MAX_LINE => {
                    self.in_long_line = true;
                    read
                }
                None => break,
            } as u64;
            self.offset += taken;
            *budget = budget.saturating_sub(taken);
        }
        self.tail = self.tail_in(file)?;
        Ok(())
    }

    /// Takes whole lines; answers their length.
    fn take_lines(&mut self, bytes: &[u8], line: &mut impl FnMut(&str)) -> usize {
        for text in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !std::mem::take(&mut self.in_long_line) {
                line(String::from_utf8_lossy(text).trim_end_matches(['\n', '\r']));
            }
        }
        bytes.len()
    }
}

fn open(path: &Path, metadata: &fs::Metadata) -> io::Result<File> {
    if metadata.is_file() { File::open(path) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn byte_at(file: &File, offset: u64) -> io::Result<Option<u8>> {
    let mut byte = [0];
    Ok((file.read_at(&mut byte, offset)? == 1).then_some(byte[0]))
}

/// The file in the log's directory, with a name like the log's, for which both hold.
fn find(
    path: &Path,
    fits: impl Fn(&fs::Metadata) -> bool,
    holds: impl Fn(&File) -> io::Result<bool>,
) -> Option<File> {
    let stem = path.file_name()?.to_str()?;
    let stem = stem.strip_suffix(".log").unwrap_or(stem);
    let mut siblings = fs::read_dir(path.parent()?).ok()?.flatten().take(MAX_SIBLINGS);
    siblings.find_map(|entry| {
        let named = entry.file_name().to_str()?.starts_with(stem);
        let metadata = entry.metadata().ok()?;
        let file =
            (named && metadata.is_file() && fits(&metadata)).then(|| File::open(entry.path()).ok())??;
        holds(&file).unwrap_or(false).then_some(file)
    })
}

#[cfg(test)]
mod tests;
