//! The access log in a file: one line for each request, in the combined format with a few more fields, or as JSON.
//!
//! The data path only copies a line into memory that is bounded. A thread writes it to the file, and a disk that is
//! slow or full costs lines, which are counted, but never a request.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use line::LineWriter;

pub use line::Format;

use crate::access::{AccessLog, Ended};

mod line;

/// The most that waits for the disk, in bytes. What comes then is dropped and counted.
const MOST_WAITING: usize = 4 * 1024 * 1024;

/// How long lines are gathered before they are written.
const GATHER: Duration = Duration::from_millis(100);

/// How often it is looked whether the file was renamed, and how often a failure is said.
const LOOK: Duration = Duration::from_secs(1);

/// Why there is no access log.
#[derive(Debug, thiserror::Error)]
pub enum FileLogError {
    /// The file cannot be opened.
    #[error(
        "the access log {path} cannot be opened: {source}; mend its directory's permissions, or name another file"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The thread that writes cannot be started.
    #[error("the thread that writes the access log cannot be started: {0}")]
    Thread(io::Error),
}

/// An open access log. When it is dropped, what waits is written first.
#[derive(Debug)]
pub struct FileLog {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    format: Format,
    waiting: Mutex<Waiting>,
    more: Condvar,
    reopen: AtomicBool,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    lines: Vec<u8>,
    writer: LineWriter,
    closed: bool,
}

impl FileLog {
    /// Opens the log for appending; the file is made when it does not exist, readable by its owner and group.
    pub fn open(path: &Path, format: Format) -> Result<Self, FileLogError> {
        let file = append(path).map_err(|source| FileLogError::Open { path: path.to_owned(), source })?;
        let waiting = Waiting { lines: Vec::new(), writer: LineWriter::default(), closed: false };
        let shared = Arc::new(Shared {
            format,
            waiting: Mutex::new(waiting),
            more: Condvar::new(),
            reopen: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
        });
        let mut scribe =
            Scribe { shared: Arc::clone(&shared), path: path.to_owned(), file, complained: None };
        let writer = thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || scribe.work())
            .map_err(FileLogError::Thread)?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)) })
    }

    /// Opens the file anew before the next line is written: for `logrotate`.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Relaxed);
        self.shared.more.notify_one();
    }

    /// Writes what waits and ends the thread. Lines that come later are lost.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.more.notify_one();
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A writer that has panicked has nothing more to say.
            let _ = writer.join();
        }
    }

    /// How many lines were lost because the disk was too slow, full or gone.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl AccessLog for FileLog {
    fn ended(&self, request: &Ended<'_>) {
        let mut waiting = self.shared.lock();
        if waiting.lines.len() >= MOST_WAITING {
            drop(waiting);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = waiting.lines.is_empty();
        let Waiting { lines, writer, .. } = &mut *waiting;
        writer.append(lines, self.shared.format, request);
        drop(waiting);
        if was_empty {
            self.shared.more.notify_one();
        }
    }
}

impl Drop for FileLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// A line half written is cut off by the next one's beginning at worst: nobody has to die of it.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who writes the file.
struct Scribe {
    shared: Arc<Shared>,
    path: PathBuf,
    file: File,
    complained: Option<Instant>,
}

impl Scribe {
    fn work(&mut self) {
        let mut batch = Vec::new();
        let mut looked = Instant::now();
        loop {
            let closed = self.take(&mut batch);
            let asked = self.shared.reopen.swap(false, Ordering::Relaxed);
            if asked || (looked.elapsed() >= LOOK && self.was_renamed()) {
                self.open_again();
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
            }
            self.put(&batch);
            batch.clear();
            if closed {
                return;
            }
        }
    }

    /// Swaps the waiting lines for `batch`, which is empty; says whether the log was closed.
    fn take(&self, batch: &mut Vec<u8>) -> bool {
        let mut waiting = self.shared.lock();
        if waiting.lines.is_empty() && !waiting.closed && !self.shared.reopen.load(Ordering::Relaxed) {
            waiting = self.shared.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if !waiting.closed {
            // Few large writes instead of many small ones.
            drop(waiting);
            thread::sleep(GATHER);
            waiting = self.shared.lock();
        }
        std::mem::swap(&mut waiting.lines, batch);
        waiting.closed
    }

    fn was_renamed(&self) -> bool {
        let (Ok(named), Ok(open)) = (std::fs::metadata(&self.path), self.file.metadata()) else {
            return true;
        };
        (named.dev(), named.ino()) != (open.dev(), open.ino())
    }

    fn open_again(&mut self) {
        match append(&self.path) {
            Ok(file) => self.file = file,
            Err(error) => {
                self.complain(&format!("cannot be opened again, the old file is written further: {error}"))
            }
        }
    }

    fn put(&mut self, batch: &[u8]) {
        if batch.is_empty() {
            return;
        }
        let mut left = batch;
        while !left.is_empty() {
            match self.file.write(left) {
                Ok(0) => break,
                Ok(written) => left = &left[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let lost = left.iter().filter(|byte| **byte == b'\n').count();
                    let dropped = lost as u64 + self.shared.dropped.fetch_add(lost as u64, Ordering::Relaxed);
                    self.complain(&format!("cannot be written, {dropped} lines are lost so far: {error}"));
                    return;
                }
            }
        }
    }

    /// Says it on standard error, where the journal hears it; not more often than once a second.
    #[allow(clippy::print_stderr, reason = "the log itself is what fails")]
    fn complain(&mut self, what: &str) {
        if self.complained.is_none_or(|last| last.elapsed() >= LOOK) {
            eprintln!("andon proxy: the access log {} {what}", self.path.display());
            self.complained = Some(Instant::now());
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use line::example;

    fn lines_of(path: &Path) -> usize {
        std::fs::read_to_string(path).unwrap_or_default().lines().count()
    }

    fn until(what: &str, mut met: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !met() {
            assert!(Instant::now() < deadline, "{what} did not come true");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_log_that_is_closed_has_written_every_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        let log = FileLog::open(&path, Format::Combined).unwrap();
        (0..1000).for_each(|_| log.ended(&example()));
        drop(log);
        assert_eq!(lines_of(&path), 1000);
    }

    #[test]
    fn a_renamed_file_is_left_alone_and_a_new_one_is_begun() {
        let directory = tempfile::tempdir().unwrap();
        let (path, old) = (directory.path().join("access.log"), directory.path().join("access.log.1"));
        let log = FileLog::open(&path, Format::Combined).unwrap();
        log.ended(&example());
        until("the first line", || lines_of(&path) == 1);
        std::fs::rename(&path, &old).unwrap();
        log.reopen();
        until("the new file", || path.exists());
        log.ended(&example());
        until("the second line", || lines_of(&path) == 1);
        assert_eq!(lines_of(&old), 1);
    }

    #[test]
    fn a_rename_is_noticed_without_a_word() {
        let directory = tempfile::tempdir().unwrap();
        let (path, old) = (directory.path().join("access.log"), directory.path().join("access.log.1"));
        let log = FileLog::open(&path, Format::Combined).unwrap();
        std::fs::rename(&path, &old).unwrap();
        until("the new file", || {
            log.ended(&example());
            lines_of(&path) > 0
        });
    }

    #[test]
    fn a_full_disk_costs_lines_which_are_counted() {
        let log = FileLog::open(Path::new("/dev/full"), Format::Combined).unwrap();
        log.ended(&example());
        until("the count", || log.dropped() == 1);
    }

    #[test]
    fn what_waits_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let log = FileLog::open(&directory.path().join("access.log"), Format::Json).unwrap();
        // The writer is kept from taking: it needs the lock to do so.
        let mut waiting = log.shared.lock();
        waiting.lines.resize(MOST_WAITING, b'\n');
        let dropped = thread::scope(|scope| {
            let writing = scope.spawn(|| log.ended(&example()));
            drop(waiting);
            writing.join().unwrap();
            log.dropped()
        });
        // Either the writer was quicker, or the line was dropped: it never waits for the disk.
        assert!(dropped <= 1);
        assert!(log.shared.lock().lines.len() <= MOST_WAITING + 16 * 1024);
    }
}
