//! Acts on a host: releases, processes, checks, exactly once.
//!
//! A session ([`main`] with `stdio`) takes orders from a controller. Each step is carried out by a detached half of
//! this program, which no connection can disturb. Synchronous on purpose: small, static, and easy to reason about.
//!
//! It never decides what should run where; that is the controller's work.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use andon_api::agent::PROTOCOL;
use andon_core::digest::Digest;

use run::SelfExe;

mod balance;
mod durable;
mod facts;
mod fence;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod journal;
mod layout;
mod lock;
pub mod observe;
mod output;
pub mod probe;
mod release;
pub mod run;
mod secrecy;
mod self_exe;
mod session;
mod sockets;
mod step;
mod upload;
pub mod verify;
mod vigil;
pub mod vitals;
mod watch;

const USAGE: &str = "\
The agent is started by a controller, over ssh or as a child process. Its subcommands are:
  stdio               talk with a controller over standard input and output
  verify-self DIGEST  exit with 0 when this executable has this BLAKE3 digest
  version             print the version
(step, work, supervise and answer-agent-checks are for the agent's own use.)";

/// Carries out one of the agent's subcommands. `args` are the words after the program's name and after `prefix`,
/// the words that lead to the agent in this program: `["agent"]` in `andon`, none in `andon-agent`.
pub fn main(prefix: &[&str], args: impl Iterator<Item = OsString>) -> ExitCode {
    let exe = SelfExe::running(prefix);
    let args: Vec<OsString> = args.take(4).collect();
    let words: Vec<&str> = args.iter().map(|arg| arg.to_str().unwrap_or_default()).collect();
    match (words.as_slice(), args.as_slice()) {
        (["stdio"], _) => session::stdio(exe),
        (["step", _], [_, directory]) => step::keep(Path::new(directory), &exe),
        ([step::work::SUBCOMMAND, _, keeper], [_, directory, _]) => {
            step::work::work(Path::new(directory), keeper, &exe)
        }
        (["supervise", _], [_, directory]) => run::supervisor::main(Path::new(directory)),
        ([balance::RESPONDER, _, port], [_, records, _]) => balance::respond(Path::new(records), port),
        (["verify-self", digest], _) => verify_self(digest),
        (["version"], _) => say(&format!("andon-agent {} (protocol {PROTOCOL})", env!("CARGO_PKG_VERSION"))),
        _ => {
            let _ = writeln!(io::stderr(), "{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn say(line: &str) -> ExitCode {
    match writeln!(io::stdout(), "{line}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn verify_self(expected: &str) -> ExitCode {
    let problem = match (expected.parse::<Digest>(), self_exe::digest()) {
        (Ok(expected), Ok(actual)) if expected == actual => return ExitCode::SUCCESS,
        (Ok(_), Ok(actual)) => format!("This executable has the digest {actual}; send it again."),
        (Err(error), _) => format!("{expected:?} is not a digest: {error}."),
        (_, Err(error)) => format!("This executable cannot be read: {error}."),
    };
    let _ = writeln!(io::stderr(), "{problem}");
    ExitCode::FAILURE
}
