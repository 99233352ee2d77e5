//! A protected environment: its name is asked for at a terminal, and elsewhere taken from the command.

use std::io::{BufRead, IsTerminal, Write};

use andon_core::guard::{Confirmation, Guard, How, Passes};
use andon_core::line::Line;
use andon_core::name::EnvironmentName;
use andon_core::plan::Plan;

use crate::failure::Failure;
use crate::paint::Paint;
use crate::signals::{self, Signals};

/// The longest name that is read; whoever types more is not typing a name.
const LONGEST: u64 = 1024;

/// What the line guards `environment` with, and what the command says to that.
pub(crate) fn guard(
    line: &Line,
    environment: &EnvironmentName,
    confirmed: Option<Confirmation>,
    allow_wide: Option<String>,
) -> Guard {
    Guard {
        environment: line.environments.get(environment).cloned(),
        passes: Passes { confirmed, allow_wide },
    }
}

/// A name that was given with the command.
pub(crate) fn given(name: Option<EnvironmentName>) -> Option<Confirmation> {
    name.map(|environment| Confirmation { environment, how: How::Given })
}

/// Whether a person has to be asked for the name, and can be.
pub(crate) fn asks(guard: &Guard, json: bool) -> bool {
    let protected = guard.environment.as_ref().is_some_and(|environment| environment.protected);
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    protected && guard.passes.confirmed.is_none() && terminal && !json
}

/// Sees to it that the guard admits `environment`: asks for its name where somebody can answer.
pub(crate) async fn confirmed(
    guard: &mut Guard,
    environment: &EnvironmentName,
    json: bool,
    signals: &Signals,
) -> Result<(), Failure> {
    if asks(guard, json) {
        let question = format!("Type {} to go on: ", Paint::stderr().strong(environment.as_str()));
        let typed = signals.unless_left(tokio::task::spawn_blocking(move || ask(&question))).await;
        if typed.is_err() {
            // The cursor stands behind the question.
            show("\n");
        }
        let typed = typed?.ok().flatten().ok_or_else(signals::left)?;
        let said = EnvironmentName::new(typed.trim()).map_err(|_| {
            let typed: String = typed.trim().chars().filter(|c| !c.is_control()).take(64).collect();
            Failure::refused(format!("this would change {environment}, and {typed:?} was typed"))
                .why("nothing has been changed")
        })?;
        guard.passes.confirmed = Some(Confirmation { environment: said, how: How::Typed });
    }
    Ok(guard.admits(environment).map_err(andon_server::Problem::from)?)
}

/// How much a plan changes, for the person who is asked.
pub(crate) fn at_stake(plan: &Plan) -> String {
    let (changing, total) = (plan.changing(), plan.hosts.len());
    let few = u32::try_from(changing).is_ok_and(|all| plan.reach() >= all);
    let at_once = if few { String::new() } else { format!(", at most {} at one go", plan.reach()) };
    format!("changes {changing} of {total} hosts{at_once}")
}

/// The line that a person types; `None` when they close the terminal instead.
fn ask(question: &str) -> Option<String> {
    show(question);
    let mut typed = Vec::new();
    let read = std::io::Read::take(std::io::stdin().lock(), LONGEST).read_until(b'\n', &mut typed);
    let ended = !typed.ends_with(b"\n");
    if ended {
        show("\n");
    }
    let typed = String::from_utf8_lossy(&typed).into_owned();
    (read.is_ok() && !(ended && typed.is_empty())).then_some(typed)
}

/// A line for whoever is asked.
pub(crate) fn say_to_person(line: &str) {
    show(&format!("{line}\n"));
}

/// Says something to whoever sits at the terminal, at once.
fn show(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}
