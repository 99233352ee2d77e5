//! What happened to a deployment, told: each fact is one sentence. The same on terminals, pages and for programs.

use super::sentence::{doing, list_hosts};
use super::{Ask, Deployment, DrainProof, Fact, HostState, Phase, SiteState, State};
use crate::legible::neutral;
use crate::name::HostName;
use crate::quantity::format_duration;
use crate::time::Time;

/// The facts of a deployment as sentences; some of them may be left out. Hosts that do the same one after the other share
/// a line, so that a thousand hosts can be read.
pub fn story<'a>(
    deployment: &Deployment,
    facts: impl IntoIterator<Item = (Time, &'a Fact)>,
) -> Vec<(Time, String)> {
    let waves = deployment.plan.as_ref().map_or(usize::MAX, |plan| plan.waves.len());
    let mut lines: Vec<(Time, String)> = Vec::new();
    let mut together: Vec<&HostName> = Vec::new();
    let mut shared = String::new();
    for (at, fact) in facts {
        match fact {
            Fact::Host { host, state } => {
                let what = tell_host(state);
                if together.is_empty() || what != shared {
                    together.clear();
                    shared = what;
                    lines.push((at, String::new()));
                }
                together.push(host);
                if let Some((_, line)) = lines.last_mut() {
                    *line = format!("{} {shared}", list_hosts(together.iter().copied()));
                }
            }
            // All of them are done: what comes next says so.
            Fact::Entered { state: State::Running { phase: Phase::Wave(n) } } if *n >= waves => {}
            other => {
                together.clear();
                lines.push((at, tell(other)));
            }
        }
    }
    lines
}

/// What became of a host, as the end of a sentence about it.
pub fn tell_host(state: &HostState) -> String {
    match state {
        HostState::Failed(failure) | HostState::RevertFailed(failure) => {
            format!("{}: {}", state.name().replace('_', " "), legible(&failure.reason))
        }
        HostState::Unknown { why, .. } | HostState::Unreachable { why, .. } => {
            format!("{}: {}", state.name(), legible(why))
        }
        HostState::Doing(step) => doing(step).to_owned(),
        other => other.name().to_owned(),
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("          {}", legible(line))).collect();
    lines.join("\n")
}

/// A fact as a sentence. What hosts and people said in it does nothing to a terminal.
pub fn tell(fact: &Fact) -> String {
    match fact {
        Fact::Accepted { request } => format!("{} asked for {}", request.by, request.release.id),
        Fact::Planned { plan } => format!(
            "planned: {} hosts in {} waves, {} at a time, floor {}",
            plan.changing(),
            plan.waves.len(),
            plan.max_parallel,
            plan.floor
        ),
        Fact::InCharge { fence, by } => format!("{} on {} took charge (fence {fence})", by.name, by.at),
        Fact::Entered { state } => tell_state(state),
        Fact::Host { host, state } => format!("{host} {}", tell_host(state)),
        Fact::Drained { host, proof } => format!("{host} {}", tell_drain(proof)),
        Fact::Shared { host, share: 0 } => format!("{host} has no traffic any more"),
        Fact::Shared { host, share } => format!("{host} has {share}% of its traffic"),
        Fact::Site { site, state } => match state {
            SiteState::Leaving => format!("users are kept away from {site}"),
            SiteState::Out => format!("{site} has no users"),
            SiteState::Returning => format!("users are brought back to {site}"),
            SiteState::In => format!("{site} is as before"),
            SiteState::Stuck { why } => {
                format!("users could not be brought back to {site}: {}", legible(why))
            }
        },
        Fact::Judged { standing } => format!("{}: {}", standing.title(), legible(&standing.sentence)),
        Fact::Suspected { host, why } => format!("{host} is unlike the others: {}", legible(why)),
        Fact::Serving { host, serving, why } => {
            let what = if *serving { "serves again" } else { "does not serve any more" };
            format!("{host} {what}: {}", legible(why))
        }
        Fact::Asked { ask, by, why } => {
            let what = match ask {
                Ask::Pause => "to pause".to_owned(),
                Ask::Resume => "to go on".to_owned(),
                Ask::Abort { rollback: true } => "to abort and put back".to_owned(),
                Ask::Abort { rollback: false } => "to abort".to_owned(),
                Ask::Supersede { by } => format!("to give way to {by}"),
            };
            let why = why.as_ref().map(|why| format!(": {}", legible(why))).unwrap_or_default();
            format!("{by} asked {what}{why}")
        }
    }
}

fn tell_drain(proof: &DrainProof) -> String {
    let after = format_duration(std::time::Duration::from_secs(proof.took.as_secs()));
    let end = match (proof.cut, proof.sockets) {
        (0, Some(0)) => "no connection is left".to_owned(),
        (0, Some(n)) => format!("nothing is under way on its {n} connections"),
        (0, None) => "its balancers say that nothing is under way".to_owned(),
        (1, _) => "1 session was still under way and is cut".to_owned(),
        (n, _) => format!("{n} sessions were still under way and are cut"),
    };
    let unproven = proof.unproven.as_ref().map(|why| format!(" ({})", legible(why))).unwrap_or_default();
    format!("drained after {after}: {end}{unproven}")
}

fn tell_state(state: &State) -> String {
    match state {
        State::Running { phase: Phase::Prepare } => "the release goes to all hosts".to_owned(),
        State::Running { phase: Phase::Wave(n) } => format!("wave {}", n + 1),
        State::Running { phase: Phase::Judge { wave, .. } } => {
            format!("new hosts are compared with old ones after wave {}", wave + 1)
        }
        State::Running { phase: Phase::Switch { .. } } => "traffic begins to move to the new set".to_owned(),
        State::Baking { .. } => "all waves are done; all hosts are watched".to_owned(),
        State::Paused { reason, .. } => {
            let details = reason.details().map(|text| format!("\n{}", indented(text))).unwrap_or_default();
            format!("paused: {reason}{details}")
        }
        State::RollingBack { cause } => format!("putting back: {cause}"),
        other => other.name().replace('_', " "),
    }
}

fn legible(text: &str) -> String {
    neutral(text.as_bytes())
}
