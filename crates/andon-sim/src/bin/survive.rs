//! `survive`: plays stories from seeds, and says what did not hold. `cargo xtask sim` runs it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the person at the terminal"
)]

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use andon_sim::survival::campaign::{Campaign, Summary};
use andon_sim::survival::minimise::minimise;
use andon_sim::survival::play::play;
use andon_sim::survival::sabotage::Sabotage;
use andon_sim::survival::story::Story;
use andon_sim::survival::trouble::Spoken;

type Failure = Box<dyn std::error::Error>;

/// What `cargo xtask sim` asks for; its help describes each.
struct Arguments {
    seeds: u64,
    from: u64,
    hours: Option<f64>,
    seed: Option<u64>,
    only: Option<BTreeSet<usize>>,
    sabotage: Option<Sabotage>,
    threads: usize,
}

/// After so many failures it is not worth going on.
const MOST_FAILURES: usize = 20;
/// How many failures are made small and told.
const TOLD: usize = 3;
/// How often a long run says how far it is.
const SAYS: Duration = Duration::from_secs(20);

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut read =
            Self { seeds: 2000, from: 1, hours: None, seed: None, only: None, sabotage: None, threads };
        while let Some(option) = words.next() {
            let value = words.next().ok_or_else(|| format!("{option} needs a value"))?;
            match option.as_str() {
                "--seeds" => read.seeds = value.parse()?,
                "--from" => read.from = value.parse()?,
                "--hours" => read.hours = Some(value.parse()?),
                "--seed" => read.seed = Some(value.parse()?),
                "--only" if value == "none" => read.only = Some(BTreeSet::new()),
                "--only" => read.only = Some(value.split(',').map(str::parse).collect::<Result<_, _>>()?),
                "--threads" => read.threads = value.parse()?,
                "--sabotage" => {
                    let known = Sabotage::ALL.iter().find(|(name, _)| *name == value);
                    let names = || Sabotage::ALL.map(|(name, _)| name).join(", ");
                    read.sabotage = Some(
                        known.ok_or_else(|| format!("nothing is called {value}; there are {}", names()))?.1,
                    );
                }
                _ => return Err(format!("{option} is not an option of this program").into()),
            }
        }
        Ok(read)
    }
}

fn main() -> ExitCode {
    let held = Arguments::read(std::env::args().skip(1)).map(|arguments| match arguments.seed {
        Some(seed) => one(seed, &arguments),
        None => many(&arguments),
    });
    match held {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays one story and tells it whole.
fn one(seed: u64, arguments: &Arguments) -> bool {
    describe(seed, arguments.only.as_ref());
    let played = play(seed, arguments.only.as_ref(), arguments.sabotage);
    println!("\nwhat happened");
    played.told.iter().for_each(|line| println!("  {line}"));
    println!("\ndigest {}, {:.0} s simulated", played.digest, played.simulated.as_secs_f64());
    println!("ends: {:?}; struck: {:?}", played.ends, played.struck);
    match &played.violation {
        Some(violation) => println!("\nVIOLATED  {violation}"),
        None => println!("\nevery invariant held"),
    }
    played.violation.is_none()
}

fn describe(seed: u64, only: Option<&BTreeSet<usize>>) {
    let story = Story::of(seed);
    println!("seed {seed}");
    story.describe().iter().for_each(|line| println!("  {line}"));
    println!("\ntroubles");
    for (number, timed) in story.troubles.iter().enumerate() {
        if only.is_none_or(|only| only.contains(&number)) {
            let at = timed.at.as_secs_f64();
            println!("  [{number}] {at:7.3} s  {}", Spoken(&timed.what, story.hosts));
        }
    }
}

/// Plays many stories, and makes the first failures small.
fn many(arguments: &Arguments) -> bool {
    let began = Instant::now();
    let said = Mutex::new(began);
    let summary = Campaign {
        from: arguments.from,
        threads: arguments.threads,
        sabotage: arguments.sabotage,
        goes_on: &|begun, failed| {
            let in_time = match arguments.hours {
                Some(hours) => began.elapsed().as_secs_f64() < hours * 3600.0,
                None => begun < arguments.seeds,
            };
            in_time && failed < MOST_FAILURES
        },
        heard: &|_, summary| {
            if let Ok(mut said) = said.lock()
                && said.elapsed() >= SAYS
            {
                *said = Instant::now();
                let (stories, failed) = (summary.stories, summary.failed.len());
                eprintln!("{stories} stories in {:.0} s, {failed} failed", began.elapsed().as_secs_f64());
            }
        },
    }
    .run();
    report(&summary, began.elapsed());
    for seed in summary.failed.keys().take(TOLD) {
        tell(*seed, arguments.sabotage);
    }
    summary.failed.is_empty()
}

fn report(summary: &Summary, took: Duration) {
    println!(
        "{} stories from seeds, {:.1} h simulated in {:.0} s",
        summary.stories,
        summary.simulated.as_secs_f64() / 3600.0,
        took.as_secs_f64()
    );
    println!("\nwhat struck                              stories    times");
    for (what, (stories, times)) in &summary.struck {
        println!("  {what:<38} {stories:>7} {times:>8}");
    }
    println!("\nhow deployments ended");
    for (end, count) in &summary.ends {
        println!("  {end:<38} {count:>7}");
    }
    for (seed, invariant) in &summary.failed {
        println!("\nfailed  seed {seed}: {invariant}");
    }
}

/// A failure, made small: the story, the invariant, and the command.
fn tell(seed: u64, sabotage: Option<Sabotage>) {
    let Some(minimal) = minimise(seed, sabotage) else { return };
    println!("\n{}", "-".repeat(100));
    println!("{} of {} troubles are enough:", minimal.only.len(), minimal.of);
    describe(seed, Some(&minimal.only));
    println!("\nthe last that happened");
    let told = &minimal.played.told;
    told.iter().skip(told.len().saturating_sub(40)).for_each(|line| println!("  {line}"));
    if let Some(violation) = &minimal.played.violation {
        println!("\nVIOLATED  {violation}");
    }
    println!("\nplay it again:  {}", minimal.command(sabotage));
}
