//! A part of a recording that is quick to read, however long the recording is: for charts, never for a verdict.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use andon_core::analysis::{Entry, Header};

use super::MAX_LINE;

/// A recording that is not longer is read whole, in bytes.
const WHOLE: u64 = 2 * 1024 * 1024;
/// About so much is read of a longer one, in bytes.
const PART: u64 = 6 * 1024 * 1024;
/// Entries that are read of a longer one.
const FEWEST: u64 = 32;
const MOST: u64 = 400;

/// Reads the header, and entries at even distances from begin to end: `each` gets them in their order. `None` where there is
/// no recording that this version can read. Lines that are torn or damaged are left out.
pub fn sample(path: &Path, mut each: impl FnMut(&Header, &Entry)) -> Option<Header> {
    let mut input = BufReader::new(File::open(path).ok()?);
    let size = input.get_ref().metadata().ok()?.len();
    let header: Header = serde_json::from_slice(&line(&mut input)?).ok()?;
    if !header.is_known() {
        return None;
    }
    let begin = input.stream_position().ok()?;
    if size <= WHOLE {
        while let Some(line) = line(&mut input) {
            if let Ok(entry) = serde_json::from_slice(&line) {
                each(&header, &entry);
            }
        }
        return Some(header);
    }
    // The newest lines are the longest: hosts join, none leaves.
    let long = longest(&mut input, size)?.max(1);
    let count = (PART / long).clamp(FEWEST, MOST);
    let stride = (size - begin) / count;
    let mut done = begin;
    for n in 0..count {
        let place = begin + n * stride;
        if place < done {
            continue;
        }
        input.seek(SeekFrom::Start(place)).ok()?;
        if n > 0 {
            // The rest of a line that began before.
            line(&mut input)?;
        }
        let Some(line) = line(&mut input) else { break };
        done = input.stream_position().ok()?;
        if let Ok(entry) = serde_json::from_slice(&line) {
            each(&header, &entry);
        }
    }
    Some(header)
}

/// The length of a line near the end.
fn longest(input: &mut BufReader<File>, size: u64) -> Option<u64> {
    input.seek(SeekFrom::Start(size / 10 * 9)).ok()?;
    line(input)?;
    Some(line(input).map_or(1, |line| line.len() as u64))
}

/// The next whole line; `None` at the end, or where it is longer than any line may be.
fn line(input: &mut BufReader<File>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    input.take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line).ok()?;
    (line.last() == Some(&b'\n')).then_some(line)
}
