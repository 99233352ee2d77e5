//! Real files: written, renamed, cut short, and far too long.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use andon_core::vitals::{Life, LogCount, LogScan};
use tempfile::TempDir;

use super::{BUDGET, LogFile, MAX_LINE};

struct Bench {
    directory: TempDir,
    log: LogFile,
    scan: LogScan,
}

impl Bench {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            log: LogFile::default(),
            scan: LogScan::new(Life::default()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// As our supervisor does it.
    fn rotate(&self) {
        let _ = fs::rename(self.path("log.1"), self.path("log.2"));
        fs::rename(self.path("log"), self.path("log.1")).unwrap();
    }

    fn look(&mut self) -> LogCount {
        let path = self.path("log");
        self.log.read_on(&path, &mut self.scan).unwrap();
        self.scan.count().clone()
    }

    fn lines(&mut self) -> u64 {
        self.look().lines
    }
}

#[test]
fn only_what_is_new_is_read_and_a_line_only_when_it_is_whole() {
    let mut bench = Bench::new();
    bench.write("ERROR from before\nthe rest of ");
    assert_eq!(bench.lines(), 0);
    bench.write("it\nERROR new\nbeg");
    assert_eq!(bench.lines(), 1);
    bench.write("un\n");
    let count = bench.look();
    assert_eq!((count.lines, count.errors, count.gaps), (2, 1, 0));
    assert_eq!(bench.lines(), 2);
}

#[test]
fn a_log_that_comes_later_is_read_from_its_beginning() {
    let mut bench = Bench::new();
    assert_eq!(bench.lines(), 0);
    bench.write("one\ntwo\n");
    assert_eq!(bench.lines(), 2);
}

#[test]
fn nothing_is_lost_or_read_twice_over_rotations() {
    let mut bench = Bench::new();
    bench.write("old\n");
    bench.look();
    bench.write("one\ntwo\nthr");
    bench.rotate();
    bench.write("ee\n");
    assert_eq!(bench.lines(), 3, "a line lies in two files");
    bench.write("four\n");
    bench.rotate();
    bench.write("five\n");
    bench.rotate();
    bench.write("six\n");
    let count = bench.look();
    assert_eq!((count.lines, count.gaps), (6, 0), "two rotations between two looks");
    (0..3).for_each(|_| {
        bench.write("lost\n");
        bench.rotate();
    });
    bench.write("seven\n");
    let count = bench.look();
    assert_eq!((count.lines, count.gaps), (7, 1), "what is gone is said to be");
}

#[test]
fn too_much_is_passed_over_and_the_newest_is_read() {
    let mut bench = Bench::new();
    bench.write("");
    bench.look();
    let line = "a line of forty characters, and no more\n";
    let many = 3 * usize::try_from(BUDGET).unwrap() / line.len();
    bench.write(&line.repeat(many));
    bench.write("ERROR the last\n");
    bench.look();
    bench.look();
    let count = bench.look();
    assert_eq!((count.errors, count.gaps), (1, 1));
    assert!(count.skipped.0 >= BUDGET && count.lines < many as u64 / 2, "{count:?}");
}

#[test]
fn a_line_without_an_end_is_bounded_and_its_beginning_counts() {
    let mut bench = Bench::new();
    bench.write("");
    bench.look();
    for _ in 0..20 {
        bench.write(&"x".repeat(64 * 1024));
        bench.look();
        assert!(bench.log.begun.len() <= MAX_LINE);
    }
    bench.write("\nERROR after it\n");
    bench.look();
    bench.look();
    let count = bench.look();
    assert_eq!((count.lines, count.errors), (2, 1));
}

#[test]
fn a_log_that_was_cut_short_is_read_from_its_beginning() {
    let mut bench = Bench::new();
    bench.write("a long line that was there before\n");
    bench.look();
    fs::write(bench.path("log"), "short\n").unwrap();
    let count = bench.look();
    assert_eq!((count.lines, count.gaps), (1, 1));
}

#[test]
fn bytes_that_are_no_text_hurt_nobody() {
    let mut bench = Bench::new();
    bench.write("");
    bench.look();
    let mut file = OpenOptions::new().append(true).open(bench.path("log")).unwrap();
    file.write_all(&(0..=255).cycle().take(100_000).collect::<Vec<u8>>()).unwrap();
    file.write_all(b"\nERROR \xff\xfe \x1b[2J\n").unwrap();
    bench.look();
    bench.look();
    let count = bench.look();
    assert!(count.errors >= 1);
    assert!(count.by_fingerprint.values().all(|seen| !seen.sample.contains('\u{1b}')));
}
