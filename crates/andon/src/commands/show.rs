//! `andon show`: one deployment, told from its facts.

use andon_core::deployment::sentence::{doing, list_hosts};
use andon_core::deployment::{
    Ask, Deployment, DeploymentId, DrainProof, Fact, HostState, Phase, SiteState, State,
};
use andon_core::name::HostName;
use andon_core::time::Time;
use andon_server::{Controller, Entry, clock};
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::{Done, say, say_json};
use crate::args::Common;
use crate::commands::history::sign;
use crate::context::{open_ledger, unknown};
use crate::failure::Failure;
use crate::paint::Paint;
use crate::screen::legible;
use crate::{exit, json, when};

pub(crate) async fn show(common: &Common, id: Option<DeploymentId>, log: Option<HostName>) -> Done {
    let controller = open_ledger(common).await?;
    let id = match id {
        Some(id) => id,
        None => {
            let newest = controller.records().history(None, 1).await?;
            newest.first().map(|row| row.id).ok_or_else(|| {
                Failure::refused("there is no deployment yet").next("andon deploy SERVICE ENVIRONMENT")
            })?
        }
    };
    let known = controller.records().deployment(id).await?;
    let deployment = known.value;
    if let Some(host) = log {
        return show_log(&controller, &deployment, &host).await;
    }
    let mut entries = controller.records().entries(id, 0).await?;
    // What was recorded since is not told of a deployment that does not know of it yet.
    entries.truncate(usize::try_from(known.seq).unwrap_or(usize::MAX));
    let now = clock::now();
    if common.json {
        let mut value = json::deployment(&deployment, now);
        let events: Vec<_> = entries
            .iter()
            .map(|entry| json!({ "at": when::iso(entry.at), "by": entry.by, "what": tell(&entry.fact) }))
            .collect();
        value["events"] = json!(events);
        say_json(&value);
    } else {
        say(&to_text(&deployment, &entries, Paint::stdout()));
    }
    Ok(exit::OK)
}

async fn show_log(controller: &Controller, deployment: &Deployment, host: &HostName) -> Done {
    /// The most that is shown, in bytes.
    const MOST: u64 = 4 << 20;
    if !deployment.hosts.contains_key(host) {
        return Err(unknown("host", host.as_str(), deployment.hosts.keys().map(HostName::as_str)));
    }
    let path = controller.output_path(deployment.id, host);
    let missing = || {
        Failure::refused(format!("nothing was printed by {host} in {}", deployment.id)).why(format!(
            "{} is not there: it was kept on the machine that drove the deployment",
            path.display()
        ))
    };
    let file = tokio::fs::File::open(&path).await.map_err(|_| missing())?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).await.map_err(|_| missing())?;
    say(legible(&String::from_utf8_lossy(&bytes)).trim_end());
    Ok(exit::OK)
}

fn to_text(deployment: &Deployment, entries: &[Entry], paint: Paint) -> String {
    let request = &deployment.request;
    let mut text = format!(
        "{} {} {}  {}\n",
        sign(deployment.state.name(), paint),
        paint.strong(&deployment.id.to_string()),
        paint.spelled(&request.scope.to_string()),
        request.release.id
    );
    let mut row =
        |label: &str, line: String| text.push_str(&format!("{} {line}\n", paint.dim(&format!("{label:<7}"))));
    let now = clock::now();
    row("by", format!("{} on {}, {}", request.by.name, request.by.at, when::ago(deployment.accepted, now)));
    if let Some(revision) = &request.release.revision {
        row("commit", format!("{} \"{}\" by {}", revision.commit, revision.subject, revision.author));
    }
    if let Some(signed) = &request.release.signed {
        row("signed", format!("by {} \"{}\"", signed.key, signed.comment));
    }
    if let Some(why) = &request.why {
        row("why", why.clone());
    }
    if let Some(fixes) = request.fixes {
        row("fixes", fixes.to_string());
    }
    if let Some(reason) = &request.allow_bad {
        row("insists", reason.clone());
    }
    if let Some(reason) = &request.passes.allow_wide {
        row("wide", reason.clone());
    }
    if let Some(said) = &request.passes.confirmed {
        row("name", format!("{}, {}", said.environment, said.how));
    }
    match deployment.ending() {
        Some(ending) => row("end", format!("{}. {}", ending.headline, ending.detail)),
        None => row("now", deployment.waiting(now).unwrap_or_default()),
    }
    let tails: Vec<String> = deployment
        .hosts
        .iter()
        .filter_map(|(host, run)| {
            let Some(failure) = &run.failure else {
                return run.trouble().map(|why| format!("{} {host}: {}", paint.question(), legible(why)));
            };
            let tail: Vec<String> =
                failure.tail.lines().map(|line| format!("          {}", legible(line))).collect();
            Some(format!("{} {host}: {}\n{}", paint.cross(), legible(&failure.reason), tail.join("\n")))
        })
        .collect();
    for tail in tails {
        text.push_str(&format!("{}\n", tail.trim_end()));
    }
    for (at, line) in story(entries) {
        text.push_str(&format!("{}  {line}\n", paint.dim(&when::clock(at))));
    }
    text.trim_end().to_owned()
}

/// The facts as sentences. Hosts that do the same one after the other share a line, so that a thousand hosts can be read.
fn story(entries: &[Entry]) -> Vec<(Time, String)> {
    let mut lines: Vec<(Time, String)> = Vec::new();
    let mut together: Vec<&HostName> = Vec::new();
    let mut shared = String::new();
    for entry in entries {
        match &entry.fact {
            Fact::Host { host, state } => {
                let what = tell_host(state);
                if together.is_empty() || what != shared {
                    together.clear();
                    shared = what;
                    lines.push((entry.at, String::new()));
                }
                together.push(host);
                if let Some((_, line)) = lines.last_mut() {
                    *line = format!("{} {shared}", list_hosts(together.iter().copied()));
                }
            }
            other => {
                together.clear();
                lines.push((entry.at, tell(other)));
            }
        }
    }
    lines
}

fn tell_host(state: &HostState) -> String {
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

/// A fact as a sentence.
fn tell(fact: &Fact) -> String {
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
    let after = when::span(proof.took);
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
