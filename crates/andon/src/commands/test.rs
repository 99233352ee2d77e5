//! `andon test`: health checks and production tests, now.

use andon_core::host::Outcome;
use andon_core::line::Host;
use andon_core::name::HostName;
use serde_json::json;

use super::{Done, say, say_json};
use crate::args::{Common, ScopeArgs};
use crate::context::{Context, unknown};
use crate::exit;
use crate::paint::Paint;
use crate::screen::legible;

pub(crate) async fn test(common: &Common, scope: &ScopeArgs, only: &[HostName]) -> Done {
    let context = Context::open(common).await?;
    let (name, service, hosts) = context.scope(scope)?;
    if let Some(stranger) = only.iter().find(|name| !hosts.iter().any(|host| host.name == **name)) {
        return Err(unknown("host", stranger.as_str(), hosts.iter().map(|host| host.name.as_str())));
    }
    let hosts: Vec<&Host> =
        hosts.into_iter().filter(|host| only.is_empty() || only.contains(&host.name)).collect();
    let trials = context.controller.test(&name, service, &hosts).await?;
    let well = trials.iter().all(|trial| trial.result == Ok(Outcome::Succeeded));
    if common.json {
        let rows: Vec<_> = trials
            .iter()
            .map(|trial| match &trial.result {
                Ok(outcome) => json!({ "host": trial.host, "release": trial.release, "outcome": outcome }),
                Err(why) => json!({ "host": trial.host, "release": trial.release, "unknown": why }),
            })
            .collect();
        say_json(&serde_json::Value::Array(rows));
        return Ok(if well { exit::OK } else { exit::NOT_WELL });
    }
    let (paint, tests) = (Paint::stdout(), service.tests.len());
    let widest = hosts.iter().map(|host| host.name.as_str().len()).max().unwrap_or(0);
    for trial in &trials {
        let (sign, text) = match &trial.result {
            Ok(Outcome::Succeeded) => (paint.tick(), format!("healthy, {tests} of {tests} tests passed")),
            Ok(Outcome::Failed { reason, .. }) => (paint.cross(), legible(reason)),
            Ok(Outcome::TimedOut { .. }) => (paint.cross(), "the tests took too long".to_owned()),
            Ok(Outcome::Killed) => (paint.question(), "the tests were ended by somebody".to_owned()),
            Err(why) => (paint.question(), format!("not known: {}", legible(why))),
        };
        let release = trial.release.as_ref().map(|release| format!("{release}  ")).unwrap_or_default();
        say(&format!("{sign} {:<widest$}  {release}{text}", trial.host.as_str()));
    }
    Ok(if well { exit::OK } else { exit::NOT_WELL })
}
