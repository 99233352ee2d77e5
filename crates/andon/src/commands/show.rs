//! `andon show`: one deployment, told from its facts.

use andon_core::deployment::{Deployment, DeploymentId, Fact, HostState, Phase, State};
use andon_core::name::HostName;
use andon_server::{Controller, Entry, clock};
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::{Done, say};
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
    let deployment = controller.records().deployment(id).await?.value;
    if let Some(host) = log {
        return show_log(&controller, &deployment, &host).await;
    }
    let entries = controller.records().entries(id, 0).await?;
    let now = clock::now();
    if common.json {
        let mut value = json::deployment(&deployment, now);
        let events: Vec<_> = entries
            .iter()
            .map(|entry| json!({ "at": when::iso(entry.at), "by": entry.by, "what": tell(&entry.fact) }))
            .collect();
        value["events"] = json!(events);
        say(&value.to_string());
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
        request.scope,
        request.release.id
    );
    let mut row =
        |label: &str, line: String| text.push_str(&format!("{} {line}\n", paint.dim(&format!("{label:<7}"))));
    let now = clock::now();
    row("by", format!("{} on {}, {}", request.by.name, request.by.at, when::ago(deployment.accepted, now)));
    if let Some(revision) = &request.release.revision {
        row("commit", format!("{} \"{}\" by {}", revision.commit, revision.subject, revision.author));
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
    match deployment.ending() {
        Some(ending) => row("end", format!("{}. {}", ending.headline, ending.detail)),
        None => row("now", deployment.waiting(now).unwrap_or_default()),
    }
    let tails: Vec<String> = deployment
        .hosts
        .iter()
        .filter_map(|(host, run)| {
            let failure = run.failure.as_ref()?;
            let tail: Vec<String> =
                failure.tail.lines().map(|line| format!("          {}", legible(line))).collect();
            Some(format!("{} {host}: {}\n{}", paint.cross(), legible(&failure.reason), tail.join("\n")))
        })
        .collect();
    for tail in tails {
        text.push_str(&format!("{}\n", tail.trim_end()));
    }
    for entry in entries {
        if let Some(line) = tell(&entry.fact) {
            text.push_str(&format!("{}  {line}\n", paint.dim(&when::clock(entry.at))));
        }
    }
    text.trim_end().to_owned()
}

/// A fact as a sentence; `None` for what only machines care about.
fn tell(fact: &Fact) -> Option<String> {
    Some(match fact {
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
        Fact::Host { host, state } => match state {
            HostState::Failed(failure) | HostState::RevertFailed(failure) => {
                format!("{host} {}: {}", state.name().replace('_', " "), legible(&failure.reason))
            }
            HostState::Unknown { why, .. } | HostState::Unreachable { why, .. } => {
                format!("{host} {}: {}", state.name(), legible(why))
            }
            HostState::Doing(doing) => format!("{host} {}", andon_core::deployment::sentence::doing(doing)),
            other => format!("{host} {}", other.name()),
        },
        Fact::Asked { ask, by, why } => {
            let what = match ask {
                andon_core::deployment::Ask::Pause => "to pause".to_owned(),
                andon_core::deployment::Ask::Resume => "to go on".to_owned(),
                andon_core::deployment::Ask::Abort { rollback: true } => "to abort and put back".to_owned(),
                andon_core::deployment::Ask::Abort { rollback: false } => "to abort".to_owned(),
                andon_core::deployment::Ask::Supersede { by } => format!("to give way to {by}"),
            };
            let why = why.as_ref().map(|why| format!(": {}", legible(why))).unwrap_or_default();
            format!("{by} asked {what}{why}")
        }
    })
}

fn tell_state(state: &State) -> String {
    match state {
        State::Running { phase: Phase::Prepare } => "the release goes to all hosts".to_owned(),
        State::Running { phase: Phase::Wave(n) } => format!("wave {}", n + 1),
        State::Baking { .. } => "all waves are done; all hosts are watched".to_owned(),
        State::Paused { reason, .. } => format!("paused: {reason}"),
        State::RollingBack { cause } => format!("putting back: {cause}"),
        other => other.name().replace('_', " "),
    }
}
