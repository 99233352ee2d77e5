//! `survive`: plays stories from seeds. `cargo xtask sim` runs it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the person at the terminal"
)]

use std::process::ExitCode;

use andon_sim::survival::play::play;

fn main() -> ExitCode {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let played = play(seed, None, None);
    for line in &played.told {
        println!("{line}");
    }
    println!("{:?} {:?} {}", played.struck, played.ends, played.digest);
    ExitCode::SUCCESS
}
