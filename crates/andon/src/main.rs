//! The command line of Andon. Words in, sentences out; everything that happens is `andon-server`'s.

use std::process::ExitCode;

mod args;
mod commands;
mod confirm;
mod context;
mod cord;
mod door;
mod exit;
mod failure;
mod follow;
mod json;
mod logs;
mod paint;
mod remote;
mod screen;
mod signals;
mod standing;
mod still;
mod told;
mod voice;
mod when;

fn main() -> ExitCode {
    // The agent is synchronous and must not drag a runtime along; it is asked for first.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "agent") {
        return andon_agent::main(&["agent"], words);
    }
    args::run()
}
