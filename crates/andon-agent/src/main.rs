//! The agent as a program of its own: what is sent to hosts. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    andon_agent::main(&[], std::env::args_os().skip(1))
}
