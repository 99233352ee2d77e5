//! History: what was seen of each host of a service in the last weeks, compactly on disk.
//!
//! Whole minutes are kept for five weeks, and what was seen every few seconds for a day. One process writes, any number
//! read. A record that was torn by a power cut is lost with what stands behind it; a file that another version wrote is
//! left out with a word. Nothing here decides anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_core::name::MemberName;
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use rustix::fs::{FlockOperation, flock};

pub use excluded::Excluded;
pub use row::Row;
pub use sampler::{ERRORS, PERIOD, Sampled, Sampler};

use crate::frames::{Frames, push_frame};

mod block;
mod excluded;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod row;
mod sampler;

/// Stands at the start of each file.
const HEADER: &[u8] = b"andon history 1\n";
/// The most that is read of a file, in bytes.
const MAX_FILE: u64 = 512 << 20;
const DAY: i64 = 86_400_000;

/// How finely something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// Whole minutes, for five weeks.
    Minutes,
    /// Every few seconds, for a day.
    Seconds,
}

impl Grain {
    fn word(self) -> &'static str {
        match self {
            Grain::Minutes => "minutes",
            Grain::Seconds => "seconds",
        }
    }

    /// The time that is packed together.
    fn block(self) -> Duration {
        match self {
            Grain::Minutes => Duration::from_secs(3600),
            Grain::Seconds => Duration::from_secs(600),
        }
    }

    /// The days before today that are kept.
    fn days(self) -> i64 {
        match self {
            Grain::Minutes => 36,
            Grain::Seconds => 1,
        }
    }
}

/// Why history cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Another process writes it.
    #[error("another process writes the history in {0}")]
    Taken(PathBuf),
    /// A file.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The history of one scope.
#[derive(Debug)]
pub struct History {
    directory: PathBuf,
    /// Held from the first row that is written.
    lock: Option<File>,
    waiting: BTreeMap<Grain, Vec<Row>>,
}

/// What was found in a stretch of the past.
#[derive(Debug, Default)]
pub struct Found {
    /// By time, and by member.
    pub rows: Vec<Row>,
    /// Files that could not be used, in sentences.
    pub left_out: Vec<String>,
}

impl History {
    /// The history of `scope` below the directory of the controller. Makes nothing yet.
    pub fn of(data: &Path, scope: &ScopeName) -> Self {
        Self::open(data.join("history").join(scope.service.as_str()).join(scope.environment.as_str()))
    }

    /// The history in a directory.
    pub fn open(directory: PathBuf) -> Self {
        Self { directory, lock: None, waiting: BTreeMap::new() }
    }

    /// Adds rows that are newer than all before. They are on their way to the disk when this returns, and packed with
    /// others when an hour is full.
    pub fn append(&mut self, grain: Grain, rows: &[Row]) -> Result<(), HistoryError> {
        let Some(newest) = rows.iter().map(|row| row.at).max() else { return Ok(()) };
        self.take_lock()?;
        let path = self.tail(grain);
        if let std::collections::btree_map::Entry::Vacant(vacant) = self.waiting.entry(grain) {
            let (known, read) = read_records(&path).map_err(io("read", &path))?;
            let known = known.iter().filter_map(|record| block::read(record)).flatten().collect();
            vacant.insert(known);
            // What is torn must not stand before what comes.
            cut(&path, read).map_err(io("mend", &path))?;
        }
        let mut bytes = Vec::new();
        push_frame(&mut bytes, &block::write(rows));
        append(&path, &bytes, false).map_err(io("write", &path))?;
        let waiting = self.waiting.entry(grain).or_default();
        waiting.extend_from_slice(rows);
        let oldest = waiting.iter().map(|row| row.at).min().unwrap_or(newest);
        if newest.since(oldest) + rows.first().map_or(Duration::ZERO, |row| row.over) >= grain.block() {
            self.pack(grain, oldest)?;
        }
        Ok(())
    }

    /// Packs what waits into the file of its day.
    fn pack(&mut self, grain: Grain, oldest: Time) -> Result<(), HistoryError> {
        let rows = self.waiting.remove(&grain).unwrap_or_default();
        let path = self.directory.join(file(grain, day(oldest)));
        let (_, read) = read_records(&path).map_err(io("read", &path))?;
        cut(&path, read).map_err(io("mend", &path))?;
        let mut bytes = Vec::new();
        push_frame(&mut bytes, &block::write(&rows));
        append(&path, &bytes, true).map_err(io("write", &path))?;
        // A crash before this leaves the rows in both files: whoever reads takes each once.
        let tail = self.tail(grain);
        fs::remove_file(&tail).map_err(io("remove", &tail))?;
        self.waiting.insert(grain, Vec::new());
        for (known, day_of, path) in self.files()? {
            if known == grain && day_of < day(oldest) - grain.days() {
                // It is tried again with the next block.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// All rows of a stretch of time that no [`History::exclude`] has taken out.
    pub fn rows(&self, grain: Grain, range: Range<Time>) -> Result<Found, HistoryError> {
        let mut found = Found::default();
        let mut seen = BTreeSet::new();
        found.left_out = self.visit(grain, range, |row| {
            if seen.insert((row.at, row.member.clone())) {
                found.rows.push(row);
            }
        })?;
        found.rows.sort_by(|one, other| (one.at, &one.member).cmp(&(other.at, &other.member)));
        Ok(found)
    }

    /// Shows each of those rows, block by block, in no order that counts: for stretches that would not fit in memory.
    /// After a crash a few of them may be shown twice. Answers which files were left out.
    pub fn visit(
        &self,
        grain: Grain,
        range: Range<Time>,
        mut show: impl FnMut(Row),
    ) -> Result<Vec<String>, HistoryError> {
        let excluded = self.excluded()?;
        let mut left_out = Vec::new();
        let mut paths = vec![self.tail(grain)];
        // A block belongs to the day of its first row.
        let days = day(range.start) - 1..=day(range.end);
        let files = self.files()?.into_iter().filter(|(known, day, _)| *known == grain && days.contains(day));
        paths.extend(files.map(|(_, _, path)| path));
        for path in paths {
            let (records, read) = read_records(&path).map_err(io("read", &path))?;
            if read == 0 && path.exists() {
                left_out.push(format!("{} is of another version, and left out", path.display()));
            }
            for record in &records {
                let rows = block::read(record).unwrap_or_default().into_iter();
                let wanted =
                    |row: &Row| range.contains(&row.at) && !excluded.iter().any(|one| one.covers(row));
                rows.filter(wanted).for_each(&mut show);
            }
        }
        Ok(left_out)
    }

    /// Members that were seen in a stretch of time.
    pub fn members(&self, grain: Grain, range: Range<Time>) -> Result<BTreeSet<MemberName>, HistoryError> {
        let mut members = BTreeSet::new();
        self.visit(grain, range, |row| {
            members.insert(row.member);
        })?;
        Ok(members)
    }

    fn tail(&self, grain: Grain) -> PathBuf {
        self.directory.join(format!("{}-now.history", grain.word()))
    }

    /// All files of whole days.
    fn files(&self) -> Result<Vec<(Grain, i64, PathBuf)>, HistoryError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(io("list", &self.directory)(source)),
        };
        let known = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            let (word, day) = path.file_name()?.to_str()?.strip_suffix(".history")?.split_once('-')?;
            let grain = [Grain::Minutes, Grain::Seconds].into_iter().find(|grain| grain.word() == word)?;
            let day = day.parse().ok()?;
            Some((grain, day, path))
        });
        let mut files: Vec<_> = known.collect();
        files.sort();
        Ok(files)
    }

    fn take_lock(&mut self) -> Result<(), HistoryError> {
        if self.lock.is_some() {
            return Ok(());
        }
        crate::private::directory(&self.directory).map_err(io("make", &self.directory))?;
        let path = self.directory.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(io("open", &path))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(HistoryError::Taken(self.directory.clone()));
        }
        self.lock = Some(lock);
        Ok(())
    }
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> HistoryError {
    let path = path.to_owned();
    move |source| HistoryError::Io { doing, path, source }
}

fn day(time: Time) -> i64 {
    time.0.div_euclid(DAY)
}

fn file(grain: Grain, day: i64) -> String {
    format!("{}-{day:06}.history", grain.word())
}

/// The whole records of a file, and how many bytes of it make sense; none where there is no file.
fn read_records(path: &Path) -> std::io::Result<(Vec<Vec<u8>>, u64)> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    let Some(records) = bytes.strip_prefix(HEADER) else { return Ok((Vec::new(), 0)) };
    let mut frames = Frames::of(records);
    let whole = frames.by_ref().map(<[u8]>::to_vec).collect();
    Ok((whole, (HEADER.len() + frames.read()) as u64))
}

/// Leaves the first bytes of a file, and nothing of one of which nothing makes sense.
fn cut(path: &Path, length: u64) -> std::io::Result<()> {
    match File::options().write(true).open(path) {
        Ok(file) if file.metadata()?.len() > length => file.set_len(length),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn append(path: &Path, bytes: &[u8], to_disk: bool) -> std::io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    if file.metadata()?.len() == 0 {
        file.write_all(HEADER)?;
    }
    file.write_all(bytes)?;
    if to_disk { file.sync_data() } else { Ok(()) }
}

#[cfg(test)]
mod tests;
