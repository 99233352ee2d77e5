//! What is new in a log that is written and renamed by our own supervisor. Nothing is read twice. What there is too much
//! of is passed over and said so. Changes no file.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use andon_core::vitals::LogScan;

/// The most that is read in one look, in bytes. Of more, the newest is read.
const BUDGET: u64 = 256 * 1024;

/// Of a longer line the rest is passed over.
const MAX_LINE: usize = 16 * 1024;

/// So many bytes before the place tell whether a file is still the same: numbers of files are given out again.
const TAIL: usize = 256;

/// The names that a file may have got since the last look: `log.1`, `log.2`.
const FORMER: u32 = 2;

/// How far a log was read.
#[derive(Debug, Default)]
pub(super) struct LogFile {
    state: State,
    /// The last bytes before that place.
    tail: Vec<u8>,
    /// The beginning of a line whose end is not there yet.
    begun: Vec<u8>,
    /// The line that is being read is longer than is kept.
    too_long: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has looked.
    #[default]
    New,
    /// There was no file.
    Absent,
    /// This one, up to here.
    At { device: u64, inode: u64, offset: u64 },
}

impl LogFile {
    /// Gives all that is new to `scan`. The first call only marks the end.
    ///
    /// # Errors
    /// When the log is there and cannot be read.
    pub(super) fn read_on(&mut self, path: &Path, scan: &mut LogScan) -> io::Result<()> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.state == State::New {
                    self.state = State::Absent;
                }
                scan.pause();
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        let (device, inode) = (metadata.dev(), metadata.ino());
        let begin = match self.state {
            State::New => {
                self.state = State::At { device, inode, offset: metadata.len() };
                // Its end may be the middle of a line.
                self.too_long = metadata.len() > 0 && byte_at(&file, metadata.len() - 1)? != Some(b'\n');
                self.tail = tail(&file, metadata.len())?;
                return Ok(());
            }
            State::Absent => 0,
            State::At { device: known, inode: same, offset } if (known, same) == (device, inode) => {
                if metadata.len() < offset || !self.still_stands(&file, offset)? {
                    // Cut short by somebody else, or another file.
                    self.forget_line();
                    scan.skip(0);
                    0
                } else {
                    offset
                }
            }
            State::At { device, inode, offset } => {
                self.read_former(path, (device, inode), offset, scan)?;
                0
            }
        };
        let grown = metadata.len() > begin;
        if begin == 0 {
            self.tail.clear();
        }
        let offset = self.read(&file, begin, metadata.len(), scan)?;
        self.state = State::At { device, inode, offset };
        if grown {
            self.tail = tail(&file, offset)?;
        } else {
            scan.pause();
        }
        Ok(())
    }

    /// Reads the rest of the file that was known, and those that have come and gone since then.
    fn read_former(
        &mut self,
        path: &Path,
        known: (u64, u64),
        offset: u64,
        scan: &mut LogScan,
    ) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        let is_known = |number: &u32| {
            fs::metadata(numbered(*number)).is_ok_and(|found| (found.dev(), found.ino()) == known)
        };
        let Some(oldest) = (1..=FORMER).find(is_known) else {
            // More was written than is kept, or somebody else has taken the file away.
            self.forget_line();
            scan.skip(0);
            return Ok(());
        };
        for number in (1..=oldest).rev() {
            let file = File::open(numbered(number))?;
            let begin = if number == oldest { offset } else { 0 };
            self.read(&file, begin, file.metadata()?.len(), scan)?;
        }
        Ok(())
    }

    /// Reads from `begin` to `end`, at most the last [`BUDGET`] of it. Answers how far it came.
    fn read(&mut self, file: &File, begin: u64, end: u64, scan: &mut LogScan) -> io::Result<u64> {
        let mut offset = begin;
        if end.saturating_sub(begin) > BUDGET {
            offset = end - BUDGET;
            self.forget_line();
            self.too_long = byte_at(file, offset - 1)? != Some(b'\n');
            scan.skip(offset - begin);
        }
        let mut buffer = vec![0; 64 * 1024];
        while offset < end {
            let most = usize::try_from(end - offset).unwrap_or(buffer.len()).min(buffer.len());
            let read = file.read_at(&mut buffer[..most], offset)?;
            if read == 0 {
                break;
            }
            self.take(&buffer[..read], scan);
            offset += read as u64;
        }
        Ok(offset)
    }

    fn take(&mut self, bytes: &[u8], scan: &mut LogScan) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = MAX_LINE.saturating_sub(self.begun.len()).min(piece.len());
            if !self.too_long {
                self.begun.extend_from_slice(&piece[..room]);
            }
            if piece.ends_with(b"\n") {
                // Of a line whose beginning was not seen nothing can be said.
                if !std::mem::take(&mut self.too_long) {
                    scan.line(&String::from_utf8_lossy(&self.begun), None);
                }
                self.begun.clear();
            }
        }
    }

    fn still_stands(&self, file: &File, offset: u64) -> io::Result<bool> {
        Ok(tail(file, offset)? == self.tail)
    }

    fn forget_line(&mut self) {
        self.begun.clear();
        self.too_long = false;
    }
}

/// The last bytes before a place.
fn tail(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(offset).unwrap_or(TAIL).min(TAIL);
    let mut bytes = vec![0; length];
    let read = file.read_at(&mut bytes, offset - length as u64)?;
    bytes.truncate(read);
    Ok(bytes)
}

fn byte_at(file: &File, offset: u64) -> io::Result<Option<u8>> {
    let mut byte = [0];
    Ok((file.read_at(&mut byte, offset)? == 1).then_some(byte[0]))
}

#[cfg(test)]
mod tests;
