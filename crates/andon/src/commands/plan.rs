//! `andon plan`: everything that a deployment would do, in final numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::analysis::planner::Outlook;
use andon_core::deployment::Kind;
use andon_core::deployment::sentence::{hosts, list_hosts};
use andon_core::name::HostName;
use andon_core::plan::{Before, OnFailure, Plan, PlannedSite};
use andon_core::release::{Release, ReleaseId};
use serde_json::json;

use super::{Done, say, say_json};
use crate::args::{Common, Exceptions, ScopeArgs};
use crate::commands::deploy::wish;
use crate::context::Context;
use crate::paint::Paint;
use crate::{cord, exit, when};

pub(crate) async fn plan(common: &Common, scope: &ScopeArgs, exceptions: Exceptions) -> Done {
    let context = Context::open(common).await?;
    let wish = wish(common, &context, scope, None, exceptions).await?;
    let (plan, outlook) = context.controller.plan(&wish, true).await?;
    let line = context.controller.records().cord().await?.value;
    if common.json {
        say_json(&to_json(&plan, outlook.as_ref()));
    } else {
        say(&to_text(&plan, outlook.as_ref(), Paint::stdout()));
        if line.admits(wish.kind, wish.fixes).is_err() {
            let stopped = cord::stopped(line.stops(), andon_server::clock::now());
            say(&format!("It would be refused now: {stopped}."));
        }
    }
    Ok(exit::OK)
}

/// The first line of a plan and of a deployment: where, and from what to what.
pub(crate) fn headline(plan: &Plan, paint: Paint) -> String {
    let from = current(plan).map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let mut text = format!(
        "{}    {from} {} {}",
        paint.strong(&paint.spelled(&plan.scope.to_string())),
        paint.arrow(),
        plan.release.id
    );
    if let Some(commit) = commit(&plan.release) {
        text.push_str(&format!("    {commit}"));
    }
    text
}

fn commit(release: &Release) -> Option<String> {
    let revision = release.revision.as_ref()?;
    let ago = when::ago(revision.at, andon_server::clock::now());
    Some(format!("{} \"{}\" ({}, {ago})", revision.commit, revision.subject, revision.author))
}

/// What most hosts run now.
fn current(plan: &Plan) -> Option<&ReleaseId> {
    running(plan).into_iter().max_by_key(|(_, hosts)| hosts.len()).and_then(|(release, _)| release)
}

/// The hosts that answered, by what they run.
fn running(plan: &Plan) -> BTreeMap<Option<&ReleaseId>, Vec<&HostName>> {
    let mut by_release: BTreeMap<Option<&ReleaseId>, Vec<&HostName>> = BTreeMap::new();
    for (name, planned) in &plan.hosts {
        if let Before::Reached { release, .. } = &planned.before {
            by_release.entry(release.as_ref()).or_default().push(name);
        }
    }
    by_release
}

fn now(plan: &Plan) -> String {
    let mut parts: Vec<String> = running(plan)
        .into_iter()
        .map(|(release, names)| {
            let what = release.map_or_else(|| "nothing of it".to_owned(), ToString::to_string);
            match names.as_slice() {
                [one] => format!("{one} runs {what}"),
                many => format!("{} hosts run {what}", many.len()),
            }
        })
        .collect();
    let lost: Vec<&HostName> = plan
        .hosts
        .iter()
        .filter(|(_, planned)| matches!(planned.before, Before::Unreachable { .. }))
        .map(|(name, _)| name)
        .collect();
    if !lost.is_empty() {
        parts.push(format!("{} cannot be reached", list_hosts(lost)));
    }
    let sick = plan.hosts.iter().filter(|(_, planned)| {
        matches!(&planned.before, Before::Reached { serves: false, release: Some(_), .. })
    });
    let sick: Vec<&HostName> = sick.map(|(name, _)| name).collect();
    if !sick.is_empty() {
        parts.push(format!("{} does not serve and goes first", list_hosts(sick)));
    }
    parts.join("; ")
}

/// Who signed the release; empty where the line does not ask.
fn signed(plan: &Plan) -> String {
    let signed = plan.release.signed.as_ref();
    signed.map(|signed| format!("by {}: {}", signed.key, signed.comment)).unwrap_or_default()
}

fn back(plan: &Plan) -> String {
    let Some(target) = &plan.back_to else {
        return match plan.kind {
            Kind::Rollback => "this is the way back: nothing undoes it by itself".to_owned(),
            Kind::Deploy => {
                "to nothing: no good release is known here yet; a failure stops and leaves things".to_owned()
            }
        };
    };
    let lacking = plan
        .hosts
        .values()
        .filter(|planned| matches!(planned.before, Before::Reached { has_back_to: false, .. }));
    let who = match lacking.count() {
        0 => "which every host still has".to_owned(),
        n => format!("which {} must fetch again", hosts(u32::try_from(n).unwrap_or(u32::MAX))),
    };
    let how = match plan.on_failure {
        OnFailure::RollBack => "by itself",
        OnFailure::Stop | OnFailure::GoOn => "by a person: the line says auto_rollback = False",
    };
    format!("to {}, {who}; {how}", target.id)
}

/// The balancers that hosts are taken out of, and for how long they are waited for; empty for a service without any.
fn traffic(plan: &Plan) -> String {
    let rollout = &plan.service.rollout;
    let pools: Vec<String> = plan.pools.iter().map(|planned| planned.pool.name()).collect();
    if pools.is_empty() {
        return String::new();
    }
    let shown = 4;
    let more = match pools.len().saturating_sub(shown) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let held: Vec<&HostName> = plan
        .hosts
        .iter()
        .filter(|(_, planned)| matches!(planned.before, Before::Reached { held_out: Some(_), .. }))
        .map(|(name, _)| name)
        .collect();
    let held = match held.is_empty() {
        true => String::new(),
        false => format!("; {} was taken out by somebody else and stays out", list_hosts(held)),
    };
    let names = pools.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
    format!(
        "each host leaves {names}{more} and is seen idle first; after {} what is left is cut{held}",
        when::span(rollout.drain_timeout)
    )
}

/// How traffic moves from one set to the other; empty for a release that spreads host by host.
fn sets(plan: &Plan) -> String {
    let Some(switch) = &plan.switch else { return String::new() };
    let count = |names: &[HostName]| hosts(u32::try_from(names.len()).unwrap_or(u32::MAX));
    let shares: Vec<String> = switch.steps.iter().map(|share| format!("{share}%")).collect();
    let from = match switch.from_hosts.is_empty() {
        true => "nothing serves yet".to_owned(),
        false => format!("{} serves with {}", switch.to.other(), count(&switch.from_hosts)),
    };
    let (to, steps) = (switch.to, shares.join(", "));
    format!(
        "{from}; {to} ({}) is changed and tested, then gets {steps} of the traffic",
        count(&switch.to_hosts)
    )
}

/// The sites in the order in which they leave; empty for a release that spreads host by host.
fn sites(plan: &Plan) -> String {
    let named = |(site, wave): (&PlannedSite, &Vec<HostName>)| format!("{} ({})", site.site.name, wave.len());
    let names: Vec<String> = plan.sites.iter().zip(&plan.waves).map(named).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("one after another, each taken out as a whole: {}", names.join(", ")),
    }
}

/// The time for which hosts are watched, which no hardware makes shorter.
fn least_time(plan: &Plan) -> Duration {
    let stages = u32::try_from(plan.waves.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let judged = plan.watch().filter(|watch| watch.can_pass()).map_or(Duration::ZERO, |watch| {
        let held = if plan.holdback > 0 { watch.rules.holdback } else { Duration::ZERO };
        (watch.rules.warmup + watch.rules.observe) * stages + held
    });
    let each = plan.service.rollout.min_healthy_time;
    let rounds: usize =
        plan.waves.iter().map(|wave| wave.len().div_ceil(plan.max_parallel.max(1) as usize)).sum();
    each * u32::try_from(rounds).unwrap_or(u32::MAX) + judged + plan.bake
}

/// What the release is judged by, and what each stage can see; empty where nothing is judged.
fn watch(plan: &Plan, outlook: Option<&Outlook>) -> String {
    let Some(watch) = plan.watch() else { return String::new() };
    let mut names: Vec<&str> = watch.metrics.iter().map(|watched| watched.metric.name.as_str()).collect();
    if watch.vitals {
        names.push("the processes");
    }
    let held = match plan.holdback {
        0 => String::new(),
        n => format!("; {} stays as it is for {} at the end", hosts(n), when::span(watch.rules.holdback)),
    };
    let mut lines = vec![format!("{}{held}", names.join(", "))];
    lines.extend(outlook.map(Outlook::lines).unwrap_or_default());
    lines.join("\n        ")
}

/// How many hosts change at one go; empty where the line does not limit that.
fn limit(plan: &Plan) -> String {
    let Some(most) = plan.max_changed else { return String::new() };
    let (reach, total) = (plan.reach(), plan.reachable());
    let excepted = match plan.kind {
        Kind::Rollback if reach > most => "; the way back is not held up by it",
        Kind::Deploy if reach > most => "; it is passed for a reason",
        Kind::Rollback | Kind::Deploy => "",
    };
    format!("{reach} of {} at one go; {} allows {most}{excepted}", hosts(total), plan.scope.environment)
}

fn to_text(plan: &Plan, outlook: Option<&Outlook>, paint: Paint) -> String {
    let total = plan.hosts.len();
    let in_service = plan.switch.as_ref().map_or(total, |switch| switch.to_hosts.len());
    let sizes: Vec<String> = plan.waves.iter().map(|wave| wave.len().to_string()).collect();
    let at_once = match plan.max_parallel {
        1 => "one at a time".to_owned(),
        n => format!("at most {n} at a time"),
    };
    let first: Vec<&HostName> = plan.waves.first().into_iter().flatten().collect();
    let packed = plan.release.packed;
    let sending = plan
        .hosts
        .values()
        .filter(|planned| {
            matches!(planned.before, Before::Reached { has_release: false, already: false, .. })
        })
        .count();
    let send = match sending {
        0 => "nothing: every host has it".to_owned(),
        n => format!("{packed} to {}", hosts(u32::try_from(n).unwrap_or(u32::MAX))),
    };
    let rows = [
        ("now", now(plan)),
        ("signed", signed(plan)),
        ("send", send),
        (
            "waves",
            format!(
                "{} of {}, {at_once}; first {}",
                sizes.join(if paint.unicode { " → " } else { " -> " }),
                hosts(u32::try_from(total).unwrap_or(u32::MAX)),
                list_hosts(first)
            ),
        ),
        ("traffic", traffic(plan)),
        ("sets", sets(plan)),
        ("sites", sites(plan)),
        ("limit", limit(plan)),
        ("floor", format!("at least {} of {in_service} in service at every moment", plan.floor)),
        (
            "budget",
            format!(
                "first wave: 0 failures; whole run: {} failed, {} unreachable; {} failing alike are a bad release",
                plan.max_failed, plan.max_unreachable, plan.correlated_failures
            ),
        ),
        ("watch", watch(plan, outlook)),
        ("back", back(plan)),
        ("takes", format!("at least {}, for watching alone", when::span(least_time(plan)))),
    ];
    let mut text = headline(plan, paint);
    for (label, line) in rows.into_iter().filter(|(_, line)| !line.is_empty()) {
        text.push_str(&format!("\n{} {line}", paint.dim(&format!("{label:<7}"))));
    }
    text.push_str("\nNothing has been changed.");
    text
}

fn to_json(plan: &Plan, outlook: Option<&Outlook>) -> serde_json::Value {
    let hosts: BTreeMap<_, _> = plan.hosts.iter().map(|(name, planned)| (name, &planned.before)).collect();
    json!({
        "service": plan.scope.service,
        "environment": plan.scope.environment,
        "kind": plan.kind,
        "release": plan.release,
        "back_to": plan.back_to.as_ref().map(|release| &release.id),
        "waves": plan.waves,
        "reach": plan.reach(),
        "max_changed": plan.max_changed,
        "max_parallel": plan.max_parallel,
        "floor": plan.floor,
        "max_failed": plan.max_failed,
        "max_unreachable": plan.max_unreachable,
        "correlated_failures": plan.correlated_failures,
        "pools": plan.pools.iter().map(|planned| planned.pool.name()).collect::<Vec<_>>(),
        "switch": plan.switch,
        "sites": plan.sites.iter().map(|site| &site.site.name).collect::<Vec<_>>(),
        "drain_timeout_seconds": when::seconds(plan.service.rollout.drain_timeout),
        "on_failure": plan.on_failure,
        "watch": plan.watch().map(|watch| watch.metrics.iter().map(|one| &one.metric.name).collect::<Vec<_>>()),
        "holdback": plan.holdback,
        "outlook": outlook,
        "outlook_in_words": outlook.map(Outlook::lines),
        "bake_seconds": when::seconds(plan.bake),
        "at_least_seconds": when::seconds(least_time(plan)),
        "hosts": hosts,
    })
}
