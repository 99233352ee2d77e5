//! Command lines that do the same, run in turns: what disturbs the machine for a while disturbs all of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use andon_testbed::program::find;

use super::table::Peer;
use crate::failure::Failure;

/// How often everyone runs; odd, so that the median is a run that happened.
const ROUNDS: usize = 7;

/// Runs the command line behind it and prints wall, user and system time of it and all children it has waited for.
/// `$1` is the file for what it says when it fails.
const TIMED: &str = r#"log=$1; shift; TIMEFORMAT='%R %U %S'; { time "$@" >"$log" 2>&1 </dev/null; } 2>&1"#;

/// One who takes part.
pub(super) struct Contestant {
    /// What to call it.
    pub(super) name: &'static str,
    /// The program, by name or by path.
    pub(super) program: PathBuf,
    /// How to get the program.
    pub(super) install: &'static str,
    /// Its arguments.
    pub(super) arguments: Vec<String>,
    /// Its environment besides the common one.
    pub(super) environment: Vec<(&'static str, String)>,
}

/// What one contestant needed: medians over all rounds, in seconds.
pub(super) struct Score {
    /// Its name.
    pub(super) name: &'static str,
    /// On the wall.
    pub(super) wall: Peer,
    /// Of processor time on the client's side.
    pub(super) processor: Peer,
}

/// Lets all `contestants` run in turns. `environment` is common to all; `before` is called before each run.
///
/// A first round is not counted. Who is not installed or fails once is left out, and its score says why.
pub(super) fn hold(
    contestants: &[Contestant],
    environment: &[(&str, &Path)],
    log: &Path,
    before: impl Fn(),
) -> Result<Vec<Score>, Failure> {
    let mut runs: Vec<Result<Vec<(f64, f64)>, String>> = contestants.iter().map(presence).collect();
    for round in 0..=ROUNDS {
        for (contestant, so_far) in contestants.iter().zip(&mut runs) {
            let Ok(times) = so_far else { continue };
            before();
            match once(contestant, environment, log)? {
                Ok(time) if round > 0 => times.push(time),
                Ok(_) => {}
                Err(why) => *so_far = Err(why),
            }
        }
    }
    let scores = contestants.iter().zip(runs).map(|(contestant, run)| match run {
        Ok(times) => Score {
            name: contestant.name,
            wall: median(times.iter().map(|(wall, _)| *wall)),
            processor: median(times.iter().map(|(_, processor)| *processor)),
        },
        Err(why) => Score {
            name: contestant.name,
            wall: Peer::NotMeasured(why.clone()),
            processor: Peer::NotMeasured(why),
        },
    });
    Ok(scores.collect())
}

fn presence(contestant: &Contestant) -> Result<Vec<(f64, f64)>, String> {
    let name = contestant.program.to_string_lossy();
    if contestant.program.is_file() || find(&name).is_some() {
        Ok(Vec::new())
    } else {
        Err(format!("not installed: {}", contestant.install))
    }
}

/// One run: wall and processor seconds, or why it failed.
fn once(
    contestant: &Contestant,
    environment: &[(&str, &Path)],
    log: &Path,
) -> Result<Result<(f64, f64), String>, Failure> {
    let output = Command::new("bash")
        .args(["-c", TIMED, "bash"])
        .arg(log)
        .arg(&contestant.program)
        .args(&contestant.arguments)
        .envs(environment.iter().copied())
        .envs(contestant.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Failure::Io { doing: "start bash".to_owned(), source })?;
    if !output.status.success() {
        let said = fs::read(log).map(|said| String::from_utf8_lossy(&said).into_owned()).unwrap_or_default();
        return Ok(Err(format!("failed: {}", said.lines().last().unwrap_or("without a word"))));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| "bash printed no times".to_owned()))
}

/// Reads `WALL USER SYSTEM` into wall and processor seconds.
fn parse(times: &str) -> Option<(f64, f64)> {
    let mut numbers = times.split_whitespace().map(|number| number.parse::<f64>().ok());
    let (wall, user, system) = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some((wall, user + system))
}

fn median(figures: impl Iterator<Item = f64>) -> Peer {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures
        .get(figures.len() / 2)
        .map_or_else(|| Peer::NotMeasured("never ran".into()), |f| Peer::Measured(*f))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &'static str, script: &str) -> Contestant {
        let arguments = vec!["-c".to_owned(), script.to_owned()];
        Contestant { name, program: "sh".into(), install: "", arguments, environment: Vec::new() }
    }

    #[test]
    fn processor_time_of_children_counts_and_sleeping_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let busy = shell("busy", "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'; true");
        let idle = shell("idle", "sleep 0.05");
        let scores = hold(&[busy, idle], &[], &directory.path().join("log"), || {}).unwrap();
        let figure = |peer: &Peer| match peer {
            Peer::Measured(figure) => *figure,
            Peer::NotMeasured(why) => panic!("{why}"),
        };
        assert!(figure(&scores[0].processor) > figure(&scores[1].processor));
        assert!(figure(&scores[1].wall) >= 0.05);
    }

    #[test]
    fn who_fails_or_is_missing_has_no_figure_but_a_reason() {
        let directory = tempfile::tempdir().unwrap();
        let failing = shell("failing", "echo no such host >&2; exit 3");
        let missing = Contestant {
            program: "andon-no-such-program".into(),
            install: "apt install it",
            ..shell("x", "")
        };
        let scores = hold(&[failing, missing], &[], &directory.path().join("log"), || {}).unwrap();
        assert_eq!(scores[0].wall, Peer::NotMeasured("failed: no such host".into()));
        assert_eq!(scores[1].wall, Peer::NotMeasured("not installed: apt install it".into()));
    }

    #[test]
    fn the_median_is_a_run_that_happened() {
        assert_eq!(median([3.0, 1.0, 9.0].into_iter()), Peer::Measured(3.0));
    }
}
