//! What programs push, from the receiver in one process to the analyses in others: through segments on disk.
//!
//! A receiver writes what was counted since its last record, once a second; a reader follows the records and sums them
//! up. Segments are an hour long and kept for two days. They are not forced to the disk: what a power cut takes is a
//! few seconds of numbers, and no decision depends on their being there later.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_core::name::{HostName, MetricName};
use andon_core::time::Time;

pub use receiver::{PushError, PushReceiver};
use segment::{Change, Entry, HEADER, Segment};

#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod listen;
mod receiver;
mod segment;

/// Who has pushed a number within this time is known to push it: its silence is nought, and not a missing number.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);
/// A receiver writes at least so often, also when nothing comes.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The most that is read of a segment at once, in bytes.
const MAX_PIECE: u64 = 32 << 20;

/// Where pushed numbers lie below the directory of the controller.
pub fn directory(data: &Path) -> PathBuf {
    data.join("pushed")
}

/// What was pushed, summed up by a reader of segments.
#[derive(Debug)]
pub struct Pushed {
    directory: PathBuf,
    at: Option<Position>,
    sums: BTreeMap<(MetricName, HostName), Sum>,
    latest: Option<Time>,
}

/// How far a segment was read.
#[derive(Debug)]
struct Position {
    segment: Segment,
    offset: u64,
    names: Vec<(MetricName, HostName)>,
}

/// What one host pushed of one number since the reader began.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sum {
    /// All events.
    pub count: f64,
    /// The last level.
    pub level: Option<f64>,
    heard: Time,
}

impl Pushed {
    /// A reader that knows what was pushed in the last hour.
    pub fn open(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), at: None, sums: BTreeMap::new(), latest: None }
    }

    /// Reads what was added since the last time.
    pub fn read(&mut self, now: Time) -> std::io::Result<()> {
        let first = Segment::hour_of(now).saturating_sub(1);
        let segments = Segment::all(&self.directory)?;
        for segment in segments.into_iter().filter(|segment| segment.hour >= first) {
            match &self.at {
                Some(position) if segment < position.segment => continue,
                Some(position) if segment == position.segment => {}
                _ => self.at = Some(Position { segment, offset: 0, names: Vec::new() }),
            }
            self.follow()?;
        }
        self.sums.retain(|_, sum| now.since(sum.heard) <= KNOWN_FOR);
        Ok(())
    }

    /// When the receiver wrote last.
    pub fn latest(&self) -> Option<Time> {
        self.latest
    }

    /// Whether a receiver is at work.
    pub fn is_alive(&self, now: Time) -> bool {
        self.latest.is_some_and(|latest| now.since(latest) <= 3 * HEARTBEAT)
    }

    /// What the hosts pushed under `name`, with or without `_total` at its end.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a HostName, Sum)> {
        let called = move |own: &str| own == name || own.strip_suffix("_total") == Some(name);
        self.sums
            .iter()
            .filter(move |((own, _), _)| called(own.as_str()))
            .map(|((_, host), sum)| (host, *sum))
    }

    /// Takes in what the present segment has more of.
    fn follow(&mut self) -> std::io::Result<()> {
        let Some(position) = &mut self.at else { return Ok(()) };
        let mut file = match File::open(self.directory.join(position.segment.file())) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        loop {
            file.seek(SeekFrom::Start(position.offset))?;
            let mut bytes = Vec::new();
            file.by_ref().take(MAX_PIECE).read_to_end(&mut bytes)?;
            let mut records = bytes.as_slice();
            if position.offset == 0 {
                // Another version's segment is nobody's here.
                let Some(rest) = records.strip_prefix(HEADER) else { return Ok(()) };
                position.offset = HEADER.len() as u64;
                records = rest;
            }
            let mut frames = crate::frames::Frames::of(records);
            for record in frames.by_ref() {
                let Some((at, entries)) = segment::read(record, &mut position.names) else { continue };
                self.latest = self.latest.max(Some(at));
                for Entry { series, change } in entries {
                    let Some(key) = position.names.get(series) else { continue };
                    let sum = self.sums.entry(key.clone()).or_default();
                    sum.heard = sum.heard.max(at);
                    match change {
                        Change::More(count) => sum.count += count,
                        Change::Level(level) => sum.level = Some(level),
                    }
                }
            }
            let read = frames.read() as u64;
            position.offset += read;
            if read == 0 {
                return Ok(());
            }
        }
    }
}

/// Removes segments that are older than two days.
fn prune(directory: &Path, now: Time) {
    let oldest = Segment::hour_of(now).saturating_sub(48);
    for segment in Segment::all(directory).unwrap_or_default() {
        if segment.hour < oldest {
            // It is tried again in an hour.
            let _ = fs::remove_file(directory.join(segment.file()));
        }
    }
}
