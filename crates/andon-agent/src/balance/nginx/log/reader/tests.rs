//! A log that others write, rename and cut.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use super::*;

struct Log {
    directory: tempfile::TempDir,
    reader: Reader,
    now: u64,
}

impl Log {
    /// A log with one old line, which was looked at once.
    fn begun() -> Self {
        let mut log = Self { directory: tempfile::tempdir().unwrap(), reader: Reader::default(), now: 1000 };
        log.write("access.log", "old\n");
        assert_eq!(log.read(), Vec::<String>::new(), "what was before is nobody's business");
        log
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let file = OpenOptions::new().append(true).create(true).open(self.path(name));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// All that is new, by a reader that was kept as a record in between.
    fn read(&mut self) -> Vec<String> {
        let kept = serde_json::to_vec(&self.reader).unwrap();
        self.reader = serde_json::from_slice(&kept).unwrap();
        let (mut lines, path) = (Vec::new(), self.path("access.log"));
        self.reader.read_on(&path, self.now, |line| lines.push(line.to_owned())).unwrap();
        self.now += 1;
        lines
    }
}

#[test]
fn whole_lines_are_read_once() {
    let mut log = Log::begun();
    log.write("access.log", "a\nb\nc without its e");
    assert_eq!(log.read(), ["a", "b"]);
    assert_eq!(log.read(), Vec::<String>::new());
    log.write("access.log", "nd\n");
    assert_eq!(log.read(), ["c without its end"]);
}

#[test]
fn a_line_that_was_begun_before_the_first_look_is_not_taken_for_a_whole_one() {
    let mut log = Log { directory: tempfile::tempdir().unwrap(), reader: Reader::default(), now: 1000 };
    log.write("access.log", "old\nhalf of a li");
    assert_eq!(log.read(), Vec::<String>::new());
    log.write("access.log", "ne\nwhole\n");
    assert_eq!(log.read(), ["whole"]);
}

#[test]
fn a_renamed_log_is_read_to_its_end_and_while_workers_still_write_to_it() {
    let mut log = Log::begun();
    log.write("access.log", "a\n");
    assert_eq!(log.read(), ["a"]);
    log.write("access.log", "b\n");
    fs::rename(log.path("access.log"), log.path("access.log.1")).unwrap();
    assert_eq!(log.read(), ["b"], "there is no log with the name now");
    log.write("access.log.1", "c\n");
    log.write("access.log", "d\n");
    assert_eq!(log.read(), ["c", "d"]);
    log.write("access.log.1", "e\n");
    assert_eq!(log.read(), ["e"]);
    fs::rename(log.path("access.log.1"), log.path("access.log.2")).unwrap();
    fs::rename(log.path("access.log"), log.path("access.log.1")).unwrap();
    log.write("access.log.2", "f\n");
    log.write("access.log.1", "g\n");
    log.write("access.log", "h\n");
    assert_eq!(log.read(), ["f", "g", "h"]);
    assert_eq!(log.read(), Vec::<String>::new());
}

#[test]
fn a_removed_log_is_forgotten_and_one_that_grows_no_more_is_left_alone() {
    let mut log = Log::begun();
    fs::rename(log.path("access.log"), log.path("access.log.1")).unwrap();
    log.write("access.log", "a\n");
    assert_eq!(log.read(), ["a"]);
    assert_eq!(log.reader.former.len(), 1);
    for _ in 0..=AFTERLIFE {
        assert_eq!(log.read(), Vec::<String>::new());
    }
    assert_eq!(log.reader.former, []);
    fs::remove_file(log.path("access.log")).unwrap();
    log.write("access.log", "b\n");
    assert_eq!(log.read(), ["b"]);
    assert_eq!(log.reader.former, []);
}

#[test]
fn of_a_log_that_was_copied_and_cut_the_copy_is_read() {
    let mut log = Log::begun();
    log.write("access.log", "a\n");
    assert_eq!(log.read(), ["a"]);
    log.write("access.log", "b\n");
    fs::copy(log.path("access.log"), log.path("access.log.1")).unwrap();
    fs::write(log.path("access.log"), "").unwrap();
    assert_eq!(log.read(), ["b"]);
    // Cut, and longer than before at the next look.
    fs::copy(log.path("access.log"), log.path("access.log.2")).unwrap();
    fs::write(log.path("access.log"), "c\nd\ne\nf\ng\n").unwrap();
    assert_eq!(log.read(), ["c", "d", "e", "f", "g"]);
    fs::copy(log.path("access.log"), log.path("access.log.3")).unwrap();
    fs::write(log.path("access.log"), "h\ni\nj\nk\nl\nm\n").unwrap();
    assert_eq!(log.read(), ["h", "i", "j", "k", "l", "m"]);
    assert_eq!(log.read(), Vec::<String>::new());
}

#[test]
fn too_long_a_line_is_passed_over_whole() {
    let mut log = Log::begun();
    log.write("access.log", &"x".repeat(MAX_LINE + 10));
    assert_eq!(log.read(), Vec::<String>::new());
    log.write("access.log", &format!("{}\nshort\n", "x".repeat(3 * MAX_LINE)));
    assert_eq!(log.read(), ["short"]);
}

#[test]
fn a_backlog_is_read_in_pieces_and_one_that_is_too_long_is_left() {
    let mut log = Log::begun();
    let line = format!("{}\n", "x".repeat(1023));
    log.write("access.log", &line.repeat(12 * 1024));
    let first = log.read().len();
    assert!((8 * 1024..8 * 1024 + 100).contains(&first), "{first}");
    assert_eq!(log.read().len(), 12 * 1024 - first);
    log.write("access.log", &line.repeat(1024).repeat(65));
    assert_eq!(log.read(), Vec::<String>::new());
    log.write("access.log", "a\n");
    assert_eq!(log.read(), ["a"]);
}

#[test]
fn after_a_long_pause_reading_begins_at_the_end() {
    let mut log = Log::begun();
    log.write("access.log", "a\n");
    log.now += MAX_PAUSE + 1;
    assert_eq!(log.read(), Vec::<String>::new());
    log.write("access.log", "b\n");
    assert_eq!(log.read(), ["b"]);
}

#[test]
fn what_is_no_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut reader = Reader::default();
    assert!(reader.read_on(directory.path(), 1, |_| {}).is_err());
    assert!(reader.read_on(&directory.path().join("none"), 1, |_| {}).is_err());
    let pipe = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert!(reader.read_on(&pipe, 1, |_| {}).is_err(), "and does not wait for a writer");
}
