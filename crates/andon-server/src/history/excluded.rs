//! Stretches of time that do not count as history: failed deployments, drills, incidents. What was seen in them stays
//! on disk.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Range;

use andon_core::time::Time;
use serde::{Deserialize, Serialize};

use super::row::Row;
use super::{History, HistoryError, io};

/// The most that is read of what is excluded, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// A stretch of time that does not count as history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// Its first moment.
    pub from: Time,
    /// The first moment behind it.
    pub until: Time,
    /// Why, in a sentence.
    pub why: String,
}

impl Excluded {
    /// Whether any part of a row lies in it.
    pub fn covers(&self, row: &Row) -> bool {
        row.at >= self.from
            && row.at.0.saturating_sub(i64::try_from(row.over.as_millis()).unwrap_or(0)) < self.until.0
    }
}

impl History {
    /// Takes a stretch of time out of history, for good. It needs not be the process that writes rows; saying it twice
    /// does no harm.
    pub fn exclude(&self, range: Range<Time>, why: &str) -> Result<(), HistoryError> {
        crate::private::directory(&self.directory).map_err(io("make", &self.directory))?;
        let path = self.directory.join("excluded.jsonl");
        let one = Excluded { from: range.start, until: range.end, why: why.chars().take(1000).collect() };
        // One call writes the line, so that two writers do not mix theirs; a line that was torn ends before it.
        let line = serde_json::to_string(&one).map(|line| format!("\n{line}\n")).unwrap_or_default();
        let file = File::options().create(true).append(true).open(&path);
        let written =
            file.and_then(|mut file| file.write_all(line.as_bytes()).and_then(|()| file.sync_data()));
        written.map_err(io("write", &path))
    }

    /// All stretches that were taken out, as far as they can be read.
    pub fn excluded(&self) -> Result<Vec<Excluded>, HistoryError> {
        let path = self.directory.join("excluded.jsonl");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(io("read", &path)(source)),
        };
        let lines = BufReader::new(file.take(MAX_FILE)).split(b'\n');
        Ok(lines.map_while(Result::ok).filter_map(|line| serde_json::from_slice(&line).ok()).collect())
    }
}
