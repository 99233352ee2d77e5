//! `andon sweep`: nothing stays out of traffic that nobody owns.

use andon_core::deployment::sentence::list_hosts;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::scope::ScopeName;
use andon_server::{Found, Problem, Sweep};
use serde_json::{Value, json};

use super::{Done, say, say_json};
use crate::args::{Common, ScopeArgs};
use crate::context::{Context, unknown};
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;
use crate::screen::legible;
use crate::told;

pub(crate) async fn sweep(
    common: &Common,
    service: Option<ServiceName>,
    environment: Option<EnvironmentName>,
) -> Done {
    let context = Context::open(common).await?;
    let wanted = wanted(&context, service.as_ref(), environment.as_ref())?;
    let swept = context.controller.sweep(wanted, service, environment).await?;
    if common.json {
        let rows: Vec<Value> = swept.iter().map(|(scope, found)| scope_json(scope, found)).collect();
        say_json(&Value::Array(rows));
    } else {
        tell(&swept);
    }
    told::in_time(&context).await;
    let mut well = true;
    for (_, found) in swept {
        match found {
            Ok(found) => well &= found.iter().all(Found::is_well),
            // Said already, beside its scope; the exit code tells what kind it is.
            Err(problem) => return Ok(Failure::from(problem).code),
        }
    }
    Ok(if well { exit::OK } else { exit::NOT_WELL })
}

/// The scopes that the words mean: all of the line's without any.
fn wanted(
    context: &Context,
    service: Option<&ServiceName>,
    environment: Option<&EnvironmentName>,
) -> Result<Vec<Sweep>, Failure> {
    let services = match service {
        Some(name) => vec![context.service(name)?],
        None => context.line.line().services.values().collect(),
    };
    let mut wanted = Vec::new();
    for service in services {
        let all = service.environments.keys();
        if let Some(name) = environment.filter(|name| !service.environments.contains_key(*name)) {
            return Err(unknown("environment", name.as_str(), all.map(EnvironmentName::as_str)));
        }
        for environment in all.filter(|name| environment.is_none_or(|only| only == *name)) {
            let args = ScopeArgs { service: service.name.clone(), environment: Some(environment.clone()) };
            let (scope, service, hosts) = context.scope(&args)?;
            wanted.push(Sweep {
                pools: context.line.pools(&scope),
                scope,
                service: service.clone(),
                hosts: hosts.into_iter().cloned().collect(),
            });
        }
    }
    Ok(wanted)
}

fn tell(swept: &[(ScopeName, Result<Vec<Found>, Problem>)]) {
    let paint = Paint::stdout();
    let mut silent = true;
    for (scope, found) in swept {
        match found {
            Ok(found) => {
                for found in found {
                    silent = false;
                    let sign = match found {
                        _ if !found.is_well() => paint.cross(),
                        Found::Stranger { .. } | Found::Driven { .. } => paint.dot(),
                        _ => paint.tick(),
                    };
                    let (what, next) = words(scope, found);
                    say(&format!("{sign} {}  {what}", paint.strong(&paint.spelled(&scope.to_string()))));
                    if let Some(next) = next {
                        say(&format!("  {}  {next}", paint.dim("next")));
                    }
                }
            }
            Err(problem) => {
                silent = false;
                let name = paint.strong(&paint.spelled(&scope.to_string()));
                say(&format!("{} {name}  not swept: {}", paint.question(), legible(&problem.to_string())));
            }
        }
    }
    if silent {
        say("Every instance has an owner or its traffic. Nothing was changed.");
    }
}

/// What was found, and what to do about it.
fn words(scope: &ScopeName, found: &Found) -> (String, Option<String>) {
    let deploy = || format!("andon deploy {} {}", scope.service, scope.environment);
    match found {
        Found::Driven { deployment: Some(id), by } => {
            (format!("{id} is driven by {}: left alone", legible(by)), None)
        }
        Found::Driven { deployment: None, by } => (format!("left alone: {}", legible(by)), None),
        Found::Orphan { deployment, state, driven, at_rest, out } => {
            let began = if *driven { "was brought to rest" } else { "waits" };
            let rest = match (at_rest, out.is_empty()) {
                (false, _) => format!("; not all of its hosts came to rest, {} out of traffic", are(out)),
                (true, true) => "; all of its hosts are in traffic as before".to_owned(),
                (true, false) => format!("; {} out of traffic", are(out)),
            };
            let what = format!("{deployment} is driven by nobody and {began}: it is {state}{rest}");
            let n = deployment.0;
            (what, Some(format!("andon resume {n}, or: andon abort {n} --rollback")))
        }
        Found::Ended { deployment, state } => {
            let state = state.replace('_', " ");
            (format!("{deployment} was driven by nobody, and was brought to its end: {state}"), None)
        }
        Found::Returned { host } => {
            (format!("{host} is healthy, passed its tests, and is in traffic again"), None)
        }
        Found::Out { host, why, deploy: true } => {
            (format!("{host} stays out of traffic: {}", legible(why)), Some(deploy()))
        }
        Found::Out { host, why, deploy: false } => {
            let next = format!(
                "mend it, then: andon sweep {} {s}; or change it: {}",
                scope.service,
                deploy(),
                s = scope.environment
            );
            (format!("{host} stays out of traffic: {}", legible(why)), Some(next))
        }
        Found::Stranger { host, pool } => {
            (format!("{host} was taken out of {pool} by somebody else: left alone"), None)
        }
        Found::Silent { pool, why } => (
            format!("{pool} does not say who is out: {}", legible(why)),
            Some("mend that, then: andon sweep".to_owned()),
        ),
    }
}

fn are(hosts: &[andon_core::name::HostName]) -> String {
    format!("{} {}", list_hosts(hosts), if hosts.len() == 1 { "is" } else { "are" })
}

fn scope_json(scope: &ScopeName, found: &Result<Vec<Found>, Problem>) -> Value {
    let mut value = json!({ "service": scope.service, "environment": scope.environment });
    match found {
        Ok(found) => value["found"] = found.iter().map(found_json).collect(),
        Err(problem) => value["problem"] = json!(problem.to_string()),
    }
    value
}

fn found_json(found: &Found) -> Value {
    match found {
        Found::Driven { deployment, by } => {
            json!({ "found": "driven", "deployment": deployment.map(|id| id.0), "by": by })
        }
        Found::Orphan { deployment, state, driven, at_rest, out } => json!({
            "found": "orphan", "deployment": deployment.0, "state": state, "driven": driven, "at_rest": at_rest,
            "out": out,
        }),
        Found::Ended { deployment, state } => {
            json!({ "found": "ended", "deployment": deployment.0, "state": state })
        }
        Found::Returned { host } => json!({ "found": "returned", "host": host }),
        Found::Out { host, why, deploy } => {
            json!({ "found": "out", "host": host, "why": why, "deploy": deploy })
        }
        Found::Stranger { host, pool } => json!({ "found": "stranger", "host": host, "pool": pool }),
        Found::Silent { pool, why } => json!({ "found": "silent", "pool": pool, "why": why }),
    }
}
