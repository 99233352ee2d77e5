//! `andon show`: one deployment, told from its facts.

use andon_core::deployment::story::story;
use andon_core::deployment::{Deployment, DeploymentId};
use andon_core::name::HostName;
use andon_server::answers::DeploymentEvent;
use andon_server::{Entry, clock};
use serde_json::json;

use super::{Done, say, say_json};
use crate::args::Common;
use crate::commands::history::sign;
use crate::context::{open_ledger, unknown};
use crate::door::Door;
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
        let events: Vec<DeploymentEvent> = entries.iter().map(DeploymentEvent::from).collect();
        value["events"] = json!(events);
        say_json(&value);
    } else {
        say(&to_text(&deployment, &entries, Paint::stdout()));
    }
    Ok(exit::OK)
}

async fn show_log(controller: &Door, deployment: &Deployment, host: &HostName) -> Done {
    if !deployment.hosts.contains_key(host) {
        return Err(unknown("host", host.as_str(), deployment.hosts.keys().map(HostName::as_str)));
    }
    let bytes = controller.log(deployment.id, host).await?.map_err(|missing| {
        Failure::refused(format!("nothing was printed by {host} in {}", deployment.id))
            .why(format!("{missing}: it was kept on the machine that drove the deployment"))
    })?;
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
    for (at, line) in story(deployment, entries.iter().map(|entry| (entry.at, &entry.fact))) {
        text.push_str(&format!("{}  {line}\n", paint.dim(&when::clock(at))));
    }
    text.trim_end().to_owned()
}
