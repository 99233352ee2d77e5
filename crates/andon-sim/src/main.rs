//! `andon-sim`: makes the table of how well releases are judged. `cargo xtask calibrate` runs it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the person at the terminal"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use andon_sim::judging::row::{Row, rows};
use andon_sim::judging::runner::{self, Progress};
use andon_sim::judging::table::{Strictness, table};

/// What `cargo xtask calibrate` asks for; its help describes each. Read by hand: a crate for arguments would take longer to
/// build with optimisation than everything else here.
#[derive(Debug, Default)]
struct Arguments {
    quick: bool,
    why: bool,
    seed: u64,
    out: Option<PathBuf>,
    row: Option<String>,
    runs: Option<u64>,
    threads: Option<usize>,
    tick: Option<f64>,
    commit: String,
}

/// Where all chance comes from, when nothing else is said.
const SEED: u64 = 20_261_128;

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn std::error::Error>> {
        let mut read = Self { seed: SEED, commit: "unknown".to_owned(), ..Self::default() };
        while let Some(option) = words.next() {
            match option.as_str() {
                "--quick" => read.quick = true,
                "--why" => read.why = true,
                _ => read.take(&option, words.next().ok_or_else(|| format!("{option} needs a value"))?)?,
            }
        }
        Ok(read)
    }

    fn take(&mut self, option: &str, value: String) -> Result<(), Box<dyn std::error::Error>> {
        match option {
            "--seed" => self.seed = value.parse()?,
            "--out" => self.out = Some(value.into()),
            "--row" => self.row = Some(value),
            "--runs" => self.runs = Some(value.parse()?),
            "--tick" => self.tick = Some(value.parse()?),
            "--threads" => self.threads = Some(value.parse()?),
            "--commit" => self.commit = value,
            _ => return Err(format!("{option} is not an option of this program").into()),
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    match Arguments::read(std::env::args().skip(1)).and_then(|arguments| calibrate(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn calibrate(arguments: &Arguments) -> Result<bool, Box<dyn std::error::Error>> {
    let wanted = |row: &Row| {
        let fleet = row.setup.fleet;
        let text =
            format!("{:?} {} {},{},{}", row.section, row.name, fleet.servers, fleet.canaries, fleet.rate);
        arguments.row.as_ref().is_none_or(|name| text.to_lowercase().contains(&name.to_lowercase()))
    };
    let trials = |row: &Row| match (arguments.runs, arguments.quick) {
        (Some(runs), _) => runs,
        (None, true) => row.quick,
        (None, false) => row.trials,
    };
    let rows: Vec<(Row, u64)> = rows()
        .into_iter()
        .filter(wanted)
        .map(|mut row| {
            let trials = trials(&row);
            row.setup.tick = arguments.tick.unwrap_or(row.setup.tick);
            (row, trials)
        })
        .collect();
    let threads = arguments
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let began = Instant::now();
    let told = Mutex::new(began);
    let ran = runner::run(rows, arguments.seed, threads, &|progress| tell(progress, began, &told))?;
    let strictness = if arguments.quick { Strictness::Quick } else { Strictness::Full };
    let table = table(&ran, strictness);
    let mut text = format!("{}\nSeed {}, commit {}.\n", INTRODUCTION, arguments.seed, arguments.commit);
    text += &table.text;
    println!("{text}");
    eprintln!(
        "{} deployments in {:.0} s",
        ran.iter().map(|ran| ran.outcomes.len()).sum::<usize>(),
        began.elapsed().as_secs_f64()
    );
    if let Some(path) = &arguments.out {
        std::fs::write(path, &text)?;
    }
    if arguments.why {
        for ran in &ran {
            let told =
                ran.outcomes.iter().enumerate().filter_map(|(trial, o)| Some((trial, o.why.as_ref()?)));
            told.take(TOLD).for_each(|(trial, why)| eprintln!("{}, run {trial}: {why}", ran.row.name));
        }
    }
    for missed in &table.missed {
        eprintln!("missed  {missed}");
    }
    Ok(table.missed.is_empty())
}

/// Says now and then how far it is.
fn tell(progress: Progress, began: Instant, told: &Mutex<Instant>) {
    let Ok(mut told) = told.lock() else { return };
    if told.elapsed() < Duration::from_secs(10) {
        return;
    }
    *told = Instant::now();
    let part = progress.done / progress.all;
    let left = began.elapsed().as_secs_f64() * (1.0 - part) / part;
    eprintln!("{:3.0} % done, about {:.0} s left", part * 100.0, left);
}

/// How many sentences of one row are printed.
const TOLD: usize = 10;

/// What opens the table.
const INTRODUCTION: &str = "# Calibration

How often a harmless release is rolled back, and how soon a harmful one is, on simulated fleets. Made by `cargo xtask
calibrate`, which fails when a target is missed. Everything follows from the seed.

Traffic: errors of 0.1 % in bursts of 3; servers whose rates differ by 20 %; a shared wobble of 30 %; garbage collection
in 1 % of a server's ticks, which triples response times. Three metrics: errors, and responses slower than the 90th and the
99th percentile of history. Ticks of 5 s (those of the default rules where it says usual), half an hour in one stage,
default rules. Host factors, dispersion and spread are estimated from twelve hours of history. Times run from the beginning
of the fault, the warm-up is over before it.

Beside them, on the same streams: the rule of Kayenta's judge (Mann–Whitney, confidence 0.98, tolerance 0.25, every metric
critical, minutes as points, asked every minute), Flagger's documented threshold (success below 99 % in five minutes of the
half hour) and Argo Rollouts' documented one (success below 95 % in more than three checks, one a minute). Shares have
Clopper–Pearson intervals. \"First design\" is what an earlier program for the same design showed, at α = 0.002 for faults.
";
