//! The line of a process that runs for long: read again when its file changes. A line that has mistakes does not take the
//! place of one that has none; that it waits to be mended is said. Reads the disk; decides nothing about what is in it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::LineOnDisk;

/// Says where the line lies, or why nobody knows.
pub type FindLine = Box<dyn Fn() -> Result<PathBuf, String> + Send + Sync>;

/// A line, and how it is read again. Cheap to clone.
#[derive(Clone)]
pub struct LineKeeper(Arc<Inner>);

struct Inner {
    find: FindLine,
    kept: Mutex<Kept>,
}

struct Kept {
    line: Result<Arc<LineOnDisk>, String>,
    complaint: Option<String>,
    stamp: Option<Stamp>,
}

/// What tells one content of a file from the next without reading it: its time, its size, its place.
type Stamp = (Option<SystemTime>, u64, u64);

/// What came of reading the line again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reread {
    /// It says the same.
    Same,
    /// It is another one from now on.
    New,
    /// It cannot be used, for this reason; the one before it counts on, where there was one.
    Broken(String),
}

impl std::fmt::Debug for LineKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineKeeper").field("complaint", &self.complaint()).finish_non_exhaustive()
    }
}

impl LineKeeper {
    /// Reads the line where `find` says. That there is none, or that it has mistakes, is said by [`LineKeeper::current`].
    /// Blocking.
    pub fn open(find: FindLine) -> Self {
        let none = Kept { line: Err("the line was not read yet".to_owned()), complaint: None, stamp: None };
        let keeper = Self(Arc::new(Inner { find, kept: Mutex::new(none) }));
        keeper.read_again();
        keeper
    }

    /// The line as it was read last and could be used; why there is none.
    ///
    /// # Errors
    /// One sentence.
    pub fn current(&self) -> Result<Arc<LineOnDisk>, String> {
        self.kept().line.clone()
    }

    /// Why the newest line is not the one that counts; `None` when it is.
    pub fn complaint(&self) -> Option<String> {
        self.kept().complaint.clone()
    }

    /// Whether the file is another one than when it was read. Files that it loads are not looked at.
    pub fn is_touched(&self) -> bool {
        let now = (self.0.find)().ok().and_then(|path| stamp(&path));
        now != self.kept().stamp
    }

    /// Reads the line and all that it loads. Blocking.
    pub fn read_again(&self) -> Reread {
        let found = (self.0.find)();
        let stamp = found.as_ref().ok().and_then(|path| stamp(path));
        let read = found.and_then(|path| {
            LineOnDisk::read(&path).map_err(|wrong| {
                let first =
                    wrong.0.first().map(|one| format!("; the first: {}", one.message)).unwrap_or_default();
                format!("{} has {} mistakes{first}", path.display(), wrong.errors())
            })
        });
        let mut kept = self.kept();
        kept.stamp = stamp;
        match read {
            Ok(line) => {
                let before = kept.line.as_ref().ok().map(|line| line.loaded.digest);
                let same = before == Some(line.loaded.digest);
                kept.complaint = None;
                if same {
                    return Reread::Same;
                }
                kept.line = Ok(Arc::new(line));
                Reread::New
            }
            Err(why) => {
                let known = kept.complaint.replace(why.clone()).as_ref() == Some(&why);
                if kept.line.is_err() {
                    kept.line = Err(why.clone());
                }
                if known { Reread::Same } else { Reread::Broken(why) }
            }
        }
    }

    /// The line as it lies on the disk at this moment, where it can be used; else as [`LineKeeper::current`].
    ///
    /// # Errors
    /// One sentence.
    pub async fn fresh(&self) -> Result<Arc<LineOnDisk>, String> {
        let keeper = self.clone();
        // A line of a thousand hosts takes its time.
        let _ = tokio::task::spawn_blocking(move || keeper.read_again()).await;
        self.current()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok(), about.len(), about.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "service(\"www\", hosts = group(\"web\", [\"web1\"]), release = directory(\"d\"), run = process(exec = \"{release}/w\"))\n";

    #[test]
    fn a_broken_line_does_not_take_the_place_of_a_good_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("line.star");
        std::fs::write(&path, GOOD).unwrap();
        let found = path.clone();
        let keeper = LineKeeper::open(Box::new(move || Ok(found.clone())));
        let first = keeper.current().unwrap().loaded.digest;
        assert!(!keeper.is_touched());
        assert_eq!(keeper.read_again(), Reread::Same);
        std::fs::write(&path, format!("{GOOD}servce()\n")).unwrap();
        assert!(keeper.is_touched());
        assert!(matches!(keeper.read_again(), Reread::Broken(why) if why.contains("1 mistakes")));
        assert_eq!(keeper.current().unwrap().loaded.digest, first);
        assert!(keeper.complaint().is_some());
        std::fs::write(&path, GOOD.replace("web1", "web2")).unwrap();
        assert_eq!(keeper.read_again(), Reread::New);
        assert_ne!(keeper.current().unwrap().loaded.digest, first);
        assert_eq!(keeper.complaint(), None);
    }
}
