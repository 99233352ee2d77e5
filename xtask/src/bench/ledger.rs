//! Whether a ledger of two years of heavy use is still fast: 100,000 deployments, 20 million facts.
//!
//! A bench of `andon-server` makes the ledger and appends to it; here the real program answers from it. It needs 8 GB
//! below `target/` and removes them. `ANDON_DEPLOYMENTS` makes it smaller, for those who work on it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::figures::{Budget, Figures};
use super::table::{Peer, Row};
use crate::failure::Failure;
use crate::workspace;

/// Two years of 137 deployments a day.
const DEPLOYMENTS: &str = "100000";
/// How often a question is asked; odd, so that the median is an answer that was given.
const ROUNDS: usize = 9;

/// A question to the program, what to call it, and the most milliseconds that it may take.
const QUESTIONS: [(&str, &[&str], f64); 6] = [
    ("andon status, ms", &["status"], 50.0),
    ("andon history, a page, ms", &["history"], 100.0),
    ("andon history of one service, a page, ms", &["history", "shop3"], 100.0),
    ("andon history of one scope, 500 rows, ms", &["history", "shop3", "production", "-n", "500"], 250.0),
    ("andon show of an old deployment, ms", &["show", "77"], 100.0),
    ("andon ledger export of one deployment, ms", &["ledger", "export", "--deployment", "77"], 100.0),
];

/// What the bench itself has measured.
const FIGURES: [Budget; 6] = [
    ("records_millions", "records in the ledger, millions", None),
    ("file_mib", "its file, MiB", None),
    ("generate_seconds", "making it, s", None),
    ("open_ms", "opening it, ms", None),
    ("append_ms", "an append of 3 facts, on the disk, median, ms", None),
    ("append_99_ms", "the same, 99 of 100, ms", None),
];

/// Long work over the whole ledger, for information: seconds, and mebibytes of memory.
const WORK: [(&str, &[&str]); 2] = [
    ("andon ledger verify", &["ledger", "verify"]),
    ("andon ledger backup", &["ledger", "backup", "backup.db"]),
];

/// Makes the ledger, asks, and removes it.
pub(super) fn measure() -> Result<Vec<Row>, Failure> {
    let target = workspace::target();
    let directory = target.join("bench-ledger");
    let _ = fs::remove_dir_all(&directory);
    let io = |doing: &str| {
        let doing = format!("{doing} {}", directory.display());
        move |source| Failure::Io { doing, source }
    };
    fs::create_dir_all(&directory).map_err(io("make"))?;
    let rows = rows(&directory, &target.join("release/andon"));
    fs::remove_dir_all(&directory).map_err(io("remove"))?;
    rows
}

fn rows(directory: &Path, andon: &Path) -> Result<Vec<Row>, Failure> {
    let deployments = std::env::var("ANDON_DEPLOYMENTS").unwrap_or_else(|_| DEPLOYMENTS.to_owned());
    let ledger = directory.join("ledger.db").display().to_string();
    let words = ["--deployments", &deployments, "--at", &ledger];
    let mut rows = Figures::of("andon-server", "two_years", &words)?.rows(&FIGURES);
    for (title, words, most) in QUESTIONS {
        rows.push(Row::within(title, Peer::Measured(median(andon, directory, words)?), Some(most)));
    }
    for (title, words) in WORK {
        let began = Instant::now();
        let memory = peak_memory(andon, directory, words)?;
        rows.push(Row::within(&format!("{title}, s"), Peer::Measured(began.elapsed().as_secs_f64()), None));
        rows.push(Row::within(&format!("{title}, peak memory, MiB"), memory, None));
    }
    Ok(rows)
}

fn ask(andon: &Path, directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(andon);
    command.args(words).arg("--data").arg(directory).current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// The median wall time in milliseconds, the start of the program included. A first time is not counted.
fn median(andon: &Path, directory: &Path, words: &[&str]) -> Result<f64, Failure> {
    let mut took: Vec<Duration> = Vec::new();
    for round in 0..=ROUNDS {
        let began = Instant::now();
        succeed(ask(andon, directory, words), words)?;
        if round > 0 {
            took.push(began.elapsed());
        }
    }
    took.sort();
    Ok(took.get(ROUNDS / 2).map_or(f64::NAN, |took| took.as_secs_f64() * 1000.0))
}

fn succeed(mut command: Command, words: &[&str]) -> Result<(), Failure> {
    let status =
        command.status().map_err(|source| Failure::Io { doing: "start andon".to_owned(), source })?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::Found(format!("andon {} failed: {status}", words.join(" ")))),
    }
}

/// Runs the program to its end and gives the most memory that it had, as the kernel counted it.
fn peak_memory(andon: &Path, directory: &Path, words: &[&str]) -> Result<Peer, Failure> {
    let mut command = ask(andon, directory, words);
    let mut child =
        command.spawn().map_err(|source| Failure::Io { doing: "start andon".to_owned(), source })?;
    let mut most = None;
    loop {
        // The file is there until the process has been waited for, and its last line of memory only while it runs.
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        most = kib.or(most);
        let ended =
            child.try_wait().map_err(|source| Failure::Io { doing: "wait for andon".to_owned(), source })?;
        match ended {
            Some(status) if status.success() => break,
            Some(status) => {
                return Err(Failure::Found(format!("andon {} failed: {status}", words.join(" "))));
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    Ok(most
        .map_or_else(|| Peer::NotMeasured("it was too fast".to_owned()), |kib| Peer::Measured(kib / 1024.0)))
}
