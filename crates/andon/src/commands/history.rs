//! `andon history`: deployments, the newest first.

use std::collections::{BTreeMap, BTreeSet};

use andon_core::deployment::{Kind, Summary};
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use andon_server::clock;

use super::{Done, say, say_json};
use crate::args::Common;
use crate::context::{find_line, open_ledger, unknown};
use crate::door::Door;
use crate::failure::Failure;
use crate::paint::Paint;
use crate::{exit, json, when};

/// The most rows that are shown.
const MOST: usize = 10_000;

pub(crate) async fn history(
    common: &Common,
    service: Option<&ServiceName>,
    environment: Option<&EnvironmentName>,
    limit: usize,
) -> Done {
    let controller = open_ledger(common).await?;
    let limit = limit.min(MOST);
    let rows = match service {
        None => controller.records().history(None, limit).await?,
        Some(service) => {
            let mut names: Vec<ScopeName> =
                controller.records().scopes().await?.into_iter().map(|(name, _)| name).collect();
            names.retain(|name| {
                name.service == *service && environment.is_none_or(|wanted| name.environment == *wanted)
            });
            controller.records().history_of(&names, limit).await?
        }
    };
    if rows.is_empty() {
        check_names(common, &controller, service, environment).await?;
    }
    let now = clock::now();
    if common.json {
        let rows: Vec<_> = rows.iter().map(json::summary).collect();
        say_json(&serde_json::Value::Array(rows));
    } else if rows.is_empty() {
        say(
            "No deployment yet.\n  next  andon plan SERVICE ENVIRONMENT, then: andon deploy SERVICE ENVIRONMENT",
        );
    } else {
        for row in &rows {
            say(&line(row, now, Paint::stdout()));
        }
    }
    Ok(exit::OK)
}

/// Nothing was found: was it a slip of the hand? A name is known when the ledger or the line has it.
async fn check_names(
    common: &Common,
    controller: &Door,
    service: Option<&ServiceName>,
    environment: Option<&EnvironmentName>,
) -> Result<(), Failure> {
    let scopes = controller.records().scopes().await?;
    let mut known: BTreeMap<ServiceName, BTreeSet<EnvironmentName>> = BTreeMap::new();
    for (scope, _) in scopes {
        known.entry(scope.service).or_default().insert(scope.environment);
    }
    // A line that is not there or has mistakes knows nothing; the ledger can be read without it.
    let line = find_line(common).ok().and_then(|path| andon_line::load(&path).ok());
    for service in line.iter().flat_map(|loaded| loaded.line.services.values()) {
        known.entry(service.name.clone()).or_default().extend(service.environments.keys().cloned());
    }
    let Some(service) = service else { return Ok(()) };
    let environments = known
        .get(service)
        .ok_or_else(|| unknown("service", service.as_str(), known.keys().map(ServiceName::as_str)))?;
    match environment.filter(|name| !environments.contains(*name)) {
        Some(name) => {
            Err(unknown("environment", name.as_str(), environments.iter().map(EnvironmentName::as_str)))
        }
        None => Ok(()),
    }
}

/// One deployment in one line.
pub(crate) fn line(row: &Summary, now: Time, paint: Paint) -> String {
    let sign = sign(&row.state, paint);
    let took = match (row.started, row.ended) {
        (Some(start), Some(end)) => format!(" in {}", when::span(end.since(start))),
        _ => String::new(),
    };
    let what = match row.kind {
        Kind::Deploy => "",
        Kind::Rollback => "back to ",
    };
    let (changed, total) = (row.hosts.changed, row.hosts.total);
    let (state, scope, release, by) = (row.state.replace('_', " "), &row.scope, &row.release, &row.by);
    let ago = when::ago(row.accepted, now);
    let mut text = format!(
        "{sign} {:<5} {scope}  {what}{release}  {state}{took}, {changed} of {total} hosts changed, by {by} {ago}",
        row.id.to_string()
    );
    let remark = row.reason.as_ref().or(row.why.as_ref());
    if let Some(remark) = remark {
        text.push_str(&format!("\n        {}", paint.dim(remark)));
    }
    text
}

/// The sign of a deployment's state.
pub(crate) fn sign(state: &str, paint: Paint) -> String {
    match state {
        "succeeded" => paint.tick(),
        "failed" | "rolled_back" | "rollback_failed" => paint.cross(),
        "aborted" | "cancelled" | "pending" => paint.dot(),
        "paused" => paint.question(),
        _ => paint.half(),
    }
}
