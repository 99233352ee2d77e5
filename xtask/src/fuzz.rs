//! Hostile input for everything that reads what comes from outside: builds `fuzz/`, and runs its targets.
//!
//! What must hold for an input stands in the crates. Here is only who runs, for how long, and what is shown of it.

mod report;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use clap::Args;

use crate::failure::Failure;
use crate::packages;
use crate::program::{cargo, output, program, run, text};
use crate::workspace;
use report::Report;

/// The longest input, in bytes.
const LONGEST: usize = 16 * 1024;

/// The longest time for one input, in seconds. Far more than any takes on a busy machine.
const PATIENCE: u32 = 30;

/// The most memory of a process, in MiB. Each target has a bound of its own besides, see `fuzz/src/main.rs`.
const MEMORY: u32 = 1024;

/// The most inputs of one target that are kept, besides those that people have named.
const KEPT: usize = 140;

/// What is run.
#[derive(Debug, Default, Args)]
pub(crate) struct Fuzzing {
    /// Only these targets; all when none is named
    targets: Vec<String>,
    /// How long each target runs, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,
    /// Show the names of all targets
    #[arg(long)]
    list: bool,
    /// Try this one input again, and show what happens
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Afterwards, keep in fuzz/corpus as few and as short inputs as reach all that was reached
    #[arg(long)]
    keep: bool,
    /// Where all chance comes from
    #[arg(long)]
    seed: Option<u32>,
}

impl Fuzzing {
    /// What CI runs: the same inputs each time, as far as they come.
    pub(crate) fn quick() -> Self {
        Self { seconds: 3, seed: Some(1), ..Self::default() }
    }

    fn wanted(&self, all: &[String]) -> Result<Vec<String>, Failure> {
        if let Some(unknown) = self.targets.iter().find(|target| !all.contains(target)) {
            let known = all.join(", ");
            return Err(Failure::Found(format!("there is no target {unknown}; there are {known}")));
        }
        Ok(if self.targets.is_empty() { all.to_vec() } else { self.targets.clone() })
    }
}

/// Builds the targets and runs those that are wanted, as many at a time as there are cores.
pub(crate) fn fuzz(fuzzing: &Fuzzing) -> Result<(), Failure> {
    packages::ensure(&["c++"])?;
    run(cargo()
        .current_dir(workspace::root().join("fuzz"))
        .env("CARGO_TARGET_DIR", workspace::target())
        .args(["build", "--quiet", "--locked"]))?;
    let all: Vec<String> = text(&mut target("list"))?.lines().map(str::to_owned).collect();
    if fuzzing.list {
        all.iter().for_each(|target| println!("{target}"));
        return Ok(());
    }
    let wanted = fuzzing.wanted(&all)?;
    if let Some(input) = &fuzzing.replay {
        let [one] = wanted.as_slice() else {
            return Err(Failure::Found("name the one target that the input is for".to_owned()));
        };
        return run(target(one).args(limits()).arg(input));
    }
    let waiting = Mutex::new(wanted.iter());
    let reports = Mutex::new(Vec::new());
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(name) = next() {
                    let report = try_out(name, fuzzing);
                    if let Ok(report) = &report {
                        println!("{report}");
                    }
                    if let Ok(mut reports) = reports.lock() {
                        reports.push(report);
                    }
                }
            });
        }
    });
    let reports = reports.into_inner().unwrap_or_default().into_iter().collect::<Result<Vec<_>, _>>()?;
    if fuzzing.keep {
        wanted.iter().try_for_each(|name| keep(name))?;
    }
    match reports.iter().filter(|report| report.finding.is_some()).count() {
        0 => Ok(()),
        found => Err(Failure::Found(format!("{found} of {} targets found something", reports.len()))),
    }
}

/// The program, told which target to run.
fn target(name: &str) -> Command {
    let mut command = program(workspace::target().join("debug/andon-fuzz"));
    command.env("ANDON_FUZZ_TARGET", name);
    command
}

fn limits() -> [String; 4] {
    [
        format!("-max_len={LONGEST}"),
        format!("-timeout={PATIENCE}"),
        format!("-rss_limit_mb={MEMORY}"),
        "-print_final_stats=1".to_owned(),
    ]
}

/// Runs one target.
fn try_out(name: &str, fuzzing: &Fuzzing) -> Result<Report, Failure> {
    let (corpus, found) = (corpus(name), workspace::target().join("fuzz/found").join(name));
    let harm = workspace::target().join("fuzz/harm");
    for directory in [&found, &harm, &corpus] {
        fs::create_dir_all(directory).map_err(Failure::io("make", directory))?;
    }
    let mut command = target(name);
    command.args(limits()).arg(format!("-max_total_time={}", fuzzing.seconds));
    command.args(fuzzing.seed.map(|seed| format!("-seed={seed}")));
    let mut prefix = OsString::from("-artifact_prefix=");
    prefix.push(harm.join(format!("{name}-")));
    command.arg(prefix);
    let dictionary = workspace::root().join(format!("fuzz/dictionary/{name}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    // What is new goes to the first.
    let ended = output(command.arg(&found).arg(&corpus))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    Ok(Report::read(name, ended.status.success(), &said))
}

fn corpus(name: &str) -> PathBuf {
    workspace::root().join("fuzz/corpus").join(name)
}

/// Replaces the inputs whose names are digests, which are libFuzzer's own. Those that people have named stay.
fn keep(name: &str) -> Result<(), Failure> {
    let (corpus, found) = (corpus(name), workspace::target().join("fuzz/found").join(name));
    let fresh = tempfile::tempdir().map_err(Failure::io("make a directory for", &corpus))?;
    run(target(name)
        .args(limits())
        .args(["-set_cover_merge=1", "-verbosity=0"])
        .arg(fresh.path())
        .args([&corpus, &found]))?;
    for file in files(&corpus)?.iter().filter(|file| is_digest(file)) {
        fs::remove_file(file).map_err(Failure::io("remove", file))?;
    }
    // The shortest first: what long ones reach besides is rarely worth their room.
    let mut shortest = files(fresh.path())?;
    shortest.sort_by_key(|file| (file.metadata().map_or(0, |metadata| metadata.len()), file.clone()));
    for file in shortest.into_iter().take(KEPT) {
        let Some(own) = file.file_name() else { continue };
        let bytes = fs::read(&file).map_err(Failure::io("read", &file))?;
        let named = files(&corpus)?.iter().any(|other| fs::read(other).is_ok_and(|other| other == bytes));
        if !named {
            fs::write(corpus.join(own), bytes).map_err(Failure::io("write", &corpus))?;
        }
    }
    println!("{name:16} keeps {} inputs", files(&corpus)?.len());
    Ok(())
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(directory).map_err(Failure::io("read", directory))?;
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
}

fn is_digest(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
