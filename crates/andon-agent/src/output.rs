//! The output of a step on disk: all of a short one, the beginning and the end of a long one.
//!
//! Offsets count what the step wrote, not what is kept. The file `output` holds the first MiB; after it come
//! segments `output.<offset>`, of which only the newest stay.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use andon_core::quantity::ByteSize;

/// What is kept of the beginning, in bytes.
const HEAD: u64 = 1 << 20;

/// The length of a segment after the beginning, in bytes.
const SEGMENT: u64 = 5 << 20;

/// Segments that are kept: with the beginning 16 MiB.
const SEGMENTS: usize = 3;

/// The longest tail in a result, in bytes.
const TAIL: usize = 4096;

/// Writes a step's output.
#[derive(Debug)]
pub(crate) struct Output {
    directory: PathBuf,
    file: File,
    /// Where the current file must end.
    end: u64,
    written: u64,
    segments: Vec<u64>,
}

impl Output {
    /// Begins the output in a step's directory.
    pub(crate) fn create(directory: &Path) -> io::Result<Self> {
        let file = open(&path_of(directory, 0))?;
        let directory = directory.to_owned();
        Ok(Self { directory, file, end: HEAD, written: 0, segments: Vec::new() })
    }

    fn next_segment(&mut self) -> io::Result<()> {
        self.file = open(&path_of(&self.directory, self.written))?;
        self.end = self.written + SEGMENT;
        self.segments.push(self.written);
        if self.segments.len() > SEGMENTS {
            let oldest = self.segments.remove(0);
            fs::remove_file(path_of(&self.directory, oldest))?;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written == self.end {
            self.next_segment()?;
        }
        let room = usize::try_from(self.end - self.written).unwrap_or(usize::MAX);
        let part = &bytes[..bytes.len().min(room)];
        let count = self.file.write(part)?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a reader finds at its position.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The next bytes.
    Bytes(Vec<u8>),
    /// So many bytes were dropped here.
    Dropped(u64),
}

impl Piece {
    /// How far the position moves beyond the piece.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::Dropped(count) => *count,
        }
    }

    /// What is shown of the piece.
    pub(crate) fn shown(self) -> Vec<u8> {
        match self {
            Piece::Bytes(bytes) => bytes,
            Piece::Dropped(count) => {
                format!("\n[{} of output left out here]\n", ByteSize(count)).into_bytes()
            }
        }
    }
}

/// Up to `most` bytes of the output in `directory` from `position` on; `None` where it ends for now.
pub(crate) fn read(directory: &Path, position: u64, most: usize) -> io::Result<Option<Piece>> {
    loop {
        let starts = starts(directory)?;
        let Some(&start) = starts.iter().rev().find(|start| **start <= position) else { return Ok(None) };
        let mut bytes = vec![0; most];
        let count = match File::open(path_of(directory, start)) {
            Ok(file) => file.read_at(&mut bytes, position - start)?,
            // Dropped since the look.
            Err(error) if error.kind() == io::ErrorKind::NotFound && start > 0 => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if count > 0 {
            bytes.truncate(count);
            return Ok(Some(Piece::Bytes(bytes)));
        }
        let next = starts.iter().find(|start| **start > position);
        return Ok(next.map(|next| Piece::Dropped(next - position)));
    }
}

/// The length of the output up to now, what was dropped included.
pub(crate) fn length(directory: &Path) -> io::Result<u64> {
    let last = starts(directory)?.last().copied().unwrap_or(0);
    match fs::metadata(path_of(directory, last)) {
        Ok(found) => Ok(last + found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// The last lines, as text.
pub(crate) fn tail(directory: &Path) -> String {
    let from = length(directory).unwrap_or(0).saturating_sub(TAIL as u64);
    let mut bytes = Vec::new();
    let mut position = from;
    while let Ok(Some(piece)) = read(directory, position, TAIL) {
        position += piece.length();
        bytes.extend(piece.shown());
    }
    let text = String::from_utf8_lossy(&bytes);
    // Only whole lines, unless there is but a part of one.
    let rest = text.split_once('\n').map(|(_, rest)| rest).filter(|rest| from > 0 && !rest.is_empty());
    let whole = rest.unwrap_or(&text);
    // Replacement characters may have made it longer.
    let mut cut = whole.len().saturating_sub(TAIL);
    while !whole.is_char_boundary(cut) {
        cut += 1;
    }
    whole[cut..].to_owned()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn path_of(directory: &Path, start: u64) -> PathBuf {
    if start == 0 { directory.join("output") } else { directory.join(format!("output.{start}")) }
}

/// Where the files of the output begin, in order. The beginning always counts as there.
fn starts(directory: &Path) -> io::Result<Vec<u64>> {
    let mut starts = vec![0];
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let segment: Option<u64> = name.to_str().and_then(|name| name.strip_prefix("output.")?.parse().ok());
        starts.extend(segment);
    }
    starts.sort_unstable();
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_output_keeps_its_beginning_and_its_end_and_says_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = Output::create(dir.path()).unwrap();
        let line = |n: u64| format!("{n:063}\n");
        let lines = (100 << 20) / 64;
        let block: u64 = 1024;
        for first in (0..lines).step_by(1024) {
            let text: String = (first..first + block).map(line).collect();
            output.write_all(text.as_bytes()).unwrap();
        }
        let on_disk: u64 =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
        assert!(on_disk <= 16 << 20, "{on_disk}");

        let (mut position, mut kept, mut dropped) = (0, 0, 0);
        while let Some(piece) = read(dir.path(), position, 256 * 1024).unwrap() {
            match &piece {
                Piece::Dropped(count) => dropped += count,
                Piece::Bytes(bytes) => {
                    kept += bytes.len() as u64;
                    assert!(bytes.starts_with(line(position / 64).as_bytes()));
                }
            }
            position += piece.length();
        }
        assert_eq!(position, 100 << 20);
        assert_eq!(kept, on_disk);
        assert_eq!(kept + dropped, position);
        let tail = tail(dir.path());
        assert!(tail.ends_with(&line(lines - 1)) && tail.len() <= 4096);
        assert!(tail.starts_with("000"));
    }

    #[test]
    fn a_tail_of_broken_text_is_still_text() {
        let dir = tempfile::tempdir().unwrap();
        Output::create(dir.path()).unwrap().write_all(&[0xff; 9000]).unwrap();
        assert!(tail(dir.path()).len() <= 4096);
    }
}
