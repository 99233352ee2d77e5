//! A power cut in a write storm: everything that was acknowledged is there after it.
//!
//! The ledger lies on a file system of its own, on a loop device. It is shut down as by a power cut: what was not
//! flushed is gone, and nothing more is written. It needs root: it is part of the fleet set.

// Clippy takes only the functions with `#[test]` for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use andon_core::time::Time;
use andon_store::{Batch, Ledger, SqliteLedger, StoreError, StreamAppend};
use andon_testbed::deadline::wait_until;
use andon_testbed::program::{find, require};
use serde_json::json;

/// Names the ledger, in the copies of this program that write.
const PATH: &str = "ANDON_TEST_LEDGER";
/// The first number that such a copy writes.
const FIRST: &str = "ANDON_TEST_FIRST";
const WRITERS: u64 = 3;
/// Power cuts, unless `ANDON_ROUNDS` says otherwise.
const ROUNDS: u64 = 5;
const LONG: Duration = Duration::from_secs(60);

/// `EXT4_IOC_SHUTDOWN` with the flag to flush nothing: the kernel drops what it has not written yet.
const CUT: &str =
    "open(my $fs, '<', $ARGV[0]) or die; my $flag = pack('L', 2); ioctl($fs, 0x8004587d, $flag) or die";

fn run(program: &str, words: &[&str]) {
    let program = find(program).unwrap();
    let output = Command::new(&program).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{} {words:?}: {said}", program.display());
}

/// A small ext4 on a loop device, mounted.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let disk = Self { dir: tempfile::tempdir().unwrap() };
        File::create(disk.image()).unwrap().set_len(64 << 20).unwrap();
        fs::create_dir(disk.root()).unwrap();
        run("mkfs.ext4", &["-q", "-F", disk.image().to_str().unwrap()]);
        disk.mount();
        disk
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn mount(&self) {
        let (image, root) = (self.image(), self.root());
        run("mount", &["-o", "loop", image.to_str().unwrap(), root.to_str().unwrap()]);
    }

    /// The power fails. Whoever still has a file open there has lost it.
    fn cut(&self) {
        run("perl", &["-e", CUT, self.root().to_str().unwrap()]);
    }

    fn come_back(&self) {
        run("umount", &[self.root().to_str().unwrap()]);
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.root()).status();
    }
}

/// A process that appends until it cannot, and what it has acknowledged.
struct Writer {
    child: Killed,
    acknowledged: JoinHandle<Vec<u64>>,
}

impl Writer {
    /// Everything that it acknowledges adds a byte to the file `count`.
    fn start(ledger: &Path, first: u64, count: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "a_writing_process"])
            .env(PATH, ledger)
            .env(FIRST, first.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut count = File::options().append(true).create(true).open(count).unwrap();
        let acknowledged = spawn(move || {
            let numbers = lines.filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
            numbers.inspect(|_| count.write_all(b".").unwrap()).collect()
        });
        Self { child: Killed(child), acknowledged }
    }

    /// Stops it where it is. Without power nobody goes on: a call to the system that is under way in the moment of the
    /// cut would end well here, although nothing of it was kept, and its process would tell so.
    fn stand_still(&self) {
        let process = self.child.0.id();
        run("kill", &["-STOP", &process.to_string()]);
        let stands = |task: fs::DirEntry| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
        };
        let all = || fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten().all(stands);
        assert!(wait_until(LONG, all), "a writer goes on");
    }

    fn end(self) -> Vec<u64> {
        drop(self.child);
        self.acknowledged.join().unwrap()
    }
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "fleet: another test starts it as a process of its own"]
fn a_writing_process() {
    let (Ok(path), Ok(first)) = (std::env::var(PATH), std::env::var(FIRST)) else { return };
    runtime().block_on(async {
        let ledger = SqliteLedger::open(path).await.unwrap();
        let (mut number, mut expected) = (first.parse::<u64>().unwrap(), 0);
        loop {
            let facts = vec![json!({ "number": number })];
            let append = StreamAppend { stream: "storm".to_owned(), expected, facts };
            let batch = Batch { at: Time(1), by: "ada".to_owned(), appends: vec![append], views: Vec::new() };
            match ledger.append(batch).await {
                Ok(_) => println!("\nacknowledged {number}"),
                Err(StoreError::Conflict { found, .. }) => {
                    expected = found;
                    continue;
                }
                Err(_) => return,
            }
            expected += 1;
            number += 1;
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
#[ignore = "fleet: needs root; run by `cargo xtask test`"]
fn a_power_cut_in_a_storm_loses_nothing_that_was_acknowledged() {
    require(&["mkfs.ext4", "mount", "umount", "perl"]).unwrap();
    let rounds = std::env::var("ANDON_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let disk = Disk::new();
    let ledger = disk.root().join("ledger.db");
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let count = disk.dir.path().join(format!("count-{round}"));
        let first = |writer| (round * WRITERS + writer) * 1_000_000;
        let writers: Vec<Writer> =
            (0..WRITERS).map(|writer| Writer::start(&ledger, first(writer), &count)).collect();
        // Each round is cut at another place: also while the ledger is made, and around checkpoints of its log.
        let enough = round * round * 40;
        let heard = wait_until(LONG, || fs::metadata(&count).is_ok_and(|count| count.len() >= enough));
        assert!(heard, "the writers did not come so far");
        writers.iter().for_each(Writer::stand_still);
        disk.cut();
        let ended: Vec<Vec<u64>> = writers.into_iter().map(Writer::end).collect();
        acknowledged.extend(ended.into_iter().flatten());
        disk.come_back();

        let kept = runtime().block_on(kept(&ledger));
        let lost: Vec<_> = acknowledged.iter().filter(|number| !kept.contains(number)).collect();
        assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
        println!("round {round}: {} acknowledged so far, {} kept", acknowledged.len(), kept.len());
    }
}

/// What is in the ledger, which must hold from its first record to its head.
async fn kept(path: &Path) -> Vec<u64> {
    let ledger = SqliteLedger::open(path).await.unwrap();
    assert_eq!(ledger.verify().await.unwrap().fault, None);
    let (mut kept, mut after) = (Vec::new(), 0);
    loop {
        let page = ledger.tail(after, 10_000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.position;
        kept.extend(page.iter().filter_map(|record| record.fact["number"].as_u64()));
    }
    ledger.close().await.unwrap();
    kept
}
