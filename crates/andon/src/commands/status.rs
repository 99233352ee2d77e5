//! `andon status`: what should run, and what really runs.

use andon_core::balance::HostSight;
use andon_core::deployment::Summary;
use andon_core::deployment::sentence::list_hosts;
use andon_core::host::{HostFacts, InstanceState};
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::plan::Observation;
use andon_core::scope::{Lock, Scope, ScopeName};
use andon_core::time::Time;
use andon_server::clock;
use serde_json::{Value, json};

use super::{Done, say, say_json};
use crate::args::{Common, ScopeArgs};
use crate::context::{Context, open_ledger, unknown};
use crate::failure::Failure;
use crate::paint::Paint;
use crate::screen::legible;
use crate::standing::{self, owners};
use crate::{cord, exit, when};

/// How far back the newest deployment of a scope is looked for.
const RECENT: usize = 500;

pub(crate) async fn status(
    common: &Common,
    service: Option<ServiceName>,
    environment: Option<EnvironmentName>,
) -> Done {
    match service {
        Some(service) => hosts(common, service, environment).await,
        None => ledger(common).await,
    }
}

/// Every scope, from the ledger alone.
async fn ledger(common: &Common) -> Done {
    let controller = open_ledger(common).await?;
    // Both are long to read after years, and neither waits for the other.
    let (of_scopes, of_history) = (controller.records().clone(), controller.records().clone());
    let scopes = tokio::spawn(async move { of_scopes.scopes().await });
    let recent = tokio::spawn(async move { of_history.history(None, RECENT).await });
    let stumbled = |error| Failure::broken(format!("the ledger could not be read: {error}"));
    let (scopes, recent) = (scopes.await.map_err(stumbled)??, recent.await.map_err(stumbled)??);
    let line = controller.records().cord().await?.value;
    let (paint, now) = (Paint::stdout(), clock::now());
    if common.json {
        let rows: Vec<Value> =
            scopes.iter().map(|(name, outline)| scope_json(name, &outline.scope, &recent)).collect();
        say_json(&Value::Array(rows));
        return Ok(exit::OK);
    }
    let sign = if line.is_stopped() { paint.cross() } else { paint.tick() };
    say(&format!("{sign} {}", cord::sentence(&line, now)));
    if line.is_stopped() {
        say(&format!("  next  {}", cord::next(line.stops(), None)));
    }
    if scopes.is_empty() {
        say(
            "Nothing has been deployed yet.\n  next  andon plan SERVICE ENVIRONMENT, then: andon deploy SERVICE ENVIRONMENT",
        );
    }
    for (name, outline) in &scopes {
        say(&scope_line(name, &outline.scope, &recent, now, paint));
    }
    Ok(exit::OK)
}

fn newest<'a>(name: &ScopeName, recent: &'a [Summary]) -> Option<&'a Summary> {
    recent.iter().find(|row| row.scope == *name)
}

fn scope_line(name: &ScopeName, scope: &Scope, recent: &[Summary], now: Time, paint: Paint) -> String {
    let runs = scope.current.as_ref().map_or_else(|| "no good release yet".to_owned(), ToString::to_string);
    let (sign, state) = match &scope.lock {
        Lock::Free => (paint.tick(), String::new()),
        Lock::Owned { deployment, since } => {
            (paint.half(), format!("; {deployment} has been at work since {}", when::clock(*since)))
        }
        Lock::Held { deployment, reason, .. } => (
            paint.cross(),
            format!(
                "; held since {deployment}: {reason}\n  next  andon show {n}; mend, then deploy with --fixes {n}",
                n = deployment.0
            ),
        ),
    };
    let last = newest(name, recent).map(|row| {
        format!(
            "; last {} {} by {} {}",
            row.id,
            row.state.replace('_', " "),
            row.by,
            when::ago(row.accepted, now)
        )
    });
    format!(
        "{sign} {}  {runs}{}{state}{}",
        paint.strong(&paint.spelled(&name.to_string())),
        last.unwrap_or_default(),
        held_hosts(name, scope).map(|held| format!("\n  {held}")).unwrap_or_default()
    )
}

/// Hosts that were left out of traffic, and what puts them back. `None` when there are none.
pub(crate) fn held_hosts(name: &ScopeName, scope: &Scope) -> Option<String> {
    let newest = scope.held.values().map(|held| held.deployment).max()?;
    let hosts = list_hosts(scope.held.keys());
    let was = if scope.held.len() == 1 { "was" } else { "were" };
    let next = format!("andon sweep {} {}", name.service, name.environment);
    Some(format!("{hosts} {was} left out of traffic, last by {newest}; once fit again: {next}"))
}

fn scope_json(name: &ScopeName, scope: &Scope, recent: &[Summary]) -> Value {
    json!({
        "service": name.service,
        "environment": name.environment,
        "current": scope.current,
        "lock": scope.lock,
        "waiting": scope.waiting,
        "held": scope.held,
        "last": newest(name, recent).map(crate::json::summary),
    })
}

/// The hosts of one service, asked now.
async fn hosts(common: &Common, service: ServiceName, environment: Option<EnvironmentName>) -> Done {
    let context = Context::open(common).await?;
    let known = context.service(&service)?;
    let environments: Vec<EnvironmentName> = match environment {
        Some(name) if !known.environments.contains_key(&name) => {
            let all = known.environments.keys().map(EnvironmentName::as_str);
            return Err(unknown("environment", name.as_str(), all));
        }
        Some(name) => vec![name],
        None => known.environments.keys().cloned().collect(),
    };
    let mut rows = Vec::new();
    let mut well = true;
    for environment in environments {
        let args = ScopeArgs { service: service.clone(), environment: Some(environment) };
        let (value, all_serve) = environment_hosts(&context, &args, common.json).await?;
        rows.push(value);
        well &= all_serve;
    }
    if common.json {
        say_json(&Value::Array(rows));
    }
    Ok(if well { exit::OK } else { exit::NOT_WELL })
}

async fn environment_hosts(
    context: &Context,
    args: &ScopeArgs,
    json: bool,
) -> Result<(Value, bool), Failure> {
    let controller = &context.controller;
    let (name, service, hosts) = context.scope(args)?;
    let scope = controller.records().scope(&name).await?.value;
    let recent = controller.records().history(None, RECENT).await?;
    let pools = context.line.pools(&name);
    let (observed, sights) =
        tokio::join!(controller.observe(&name, service, &hosts), controller.look(&name, &pools));
    let (mut observed, sights) = (observed?, sights?);
    let owners = owners(controller, &scope, service, &hosts).await?;
    let paint = Paint::stdout();
    if !json {
        say(&scope_line(&name, &scope, &recent, clock::now(), paint));
    }
    let widest = hosts.iter().map(|host| host.name.as_str().len()).max().unwrap_or(0);
    let mut all_serve = true;
    let mut values = Vec::new();
    for host in hosts {
        let answer = observed
            .remove(&host.name)
            .unwrap_or_else(|| Observation::Unreachable("it was not asked".to_owned()));
        let sight = HostSight::of(&host.name, &pools, &sights);
        let stands = (!sight.pools.is_empty()).then(|| standing::words(&sight, owners.get(&host.name)));
        let (sign, mut text, mut serves) = match &answer {
            Observation::Unreachable(why) => {
                (paint.question(), format!("unreachable: {}", legible(why)), false)
            }
            Observation::Reached(facts) => {
                let lags = scope.current.is_some() && facts.uniform_release() != scope.current.as_ref();
                let away = stands.as_ref().is_some_and(|(well, _)| !well);
                let sign = match (facts.serves(), lags || away) {
                    (true, false) => paint.tick(),
                    (true, true) => paint.half(),
                    (false, _) => paint.cross(),
                };
                (sign, runs(facts, lags), facts.serves())
            }
        };
        if let Some((well, words)) = &stands {
            serves &= well;
            text = format!("{text}; {words}");
        }
        all_serve &= serves;
        if json {
            let facts = match &answer {
                Observation::Reached(facts) => json!(facts),
                Observation::Unreachable(why) => json!({ "unreachable": why }),
            };
            let traffic = stands.map(|(_, words)| words);
            values.push(json!({ "host": host.name, "serves": serves, "traffic": traffic, "facts": facts }));
        } else {
            say(&format!("  {sign} {:<widest$}  {text}", host.name.as_str()));
        }
    }
    let mut value = scope_json(&name, &scope, &recent);
    value["hosts"] = Value::Array(values);
    Ok((value, all_serve))
}

/// What a host runs, in words.
fn runs(facts: &HostFacts, lags: bool) -> String {
    let mut parts: Vec<String> = Vec::new();
    match facts.uniform_release() {
        Some(release) => parts.push(release.to_string()),
        None => parts.push(facts.current.as_ref().map_or_else(
            || "nothing of this service".to_owned(),
            |current| format!("mixed: current is {current}"),
        )),
    }
    if lags {
        parts.push("not what should run".to_owned());
    }
    for instance in &facts.instances {
        let state = match (instance.state, &instance.health) {
            (InstanceState::Running, Some(Err(why))) => format!("unhealthy: {}", legible(why)),
            (InstanceState::Running, _) if instance.restarts > 0 => {
                format!("restarted {} times", instance.restarts)
            }
            (InstanceState::Running, _) => continue,
            (InstanceState::Stopped, _) => "stopped".to_owned(),
            (InstanceState::CrashLooping, _) => "ends again and again".to_owned(),
        };
        parts.push(format!("{} {state}", instance.name));
    }
    parts.join("; ")
}
