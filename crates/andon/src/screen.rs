//! The live picture of a deployment: a few lines that say where it is, host by host and cause by cause.
//!
//! Pure: a deployment and a moment in, lines out.

use std::collections::BTreeMap;

use andon_core::deployment::sentence::{doing, hosts as count_of_hosts};
use andon_core::deployment::{Deployment, HostRun, HostState, Phase, State, Way};
use andon_core::name::HostName;
use andon_core::plan::Plan;
use andon_core::time::Time;
use andon_server::Progress;

use crate::paint::Paint;
use crate::when;

pub(crate) mod analysis;
pub(crate) mod waiting;

/// Names of one kind that are shown before they are counted only.
const SHOWN: usize = 8;
/// Cells of the bar.
const BAR: usize = 20;

/// Text from hosts, harmless to a terminal: control characters become visible.
pub(crate) fn legible(text: &str) -> String {
    andon_core::legible::neutral(text.as_bytes())
}

/// `text` after `lead`, in lines of at most `width` columns that all begin below the first word. A word that is
/// longer has a line of its own.
pub(crate) fn paragraph(lead: &str, text: &str, width: usize) -> String {
    let indent = " ".repeat(console::measure_text_width(lead));
    let room = width.saturating_sub(indent.len());
    let mut lines: Vec<String> = Vec::new();
    for given in text.split('\n') {
        let mut line = String::new();
        for word in given.split(' ') {
            let full = console::measure_text_width(&line) + 1 + console::measure_text_width(word) > room;
            if !line.is_empty() && full {
                lines.push(std::mem::take(&mut line));
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    format!("{lead}{}", lines.join(&format!("\n{indent}")))
}

/// The lines of the live picture, each within `width` columns. What goes on `beside` the deployment comes last.
pub(crate) fn picture(
    progress: &Progress,
    now: Time,
    paint: Paint,
    width: usize,
    beside: Option<String>,
) -> Vec<String> {
    let deployment = &progress.deployment;
    let mut lines = Vec::new();
    match (&deployment.plan, progress.behind) {
        (_, Some((owner, since))) => {
            let since = when::clock(since);
            lines.push(format!("  waiting for {owner}, at work since {since}; Ctrl-C leaves the queue"));
        }
        (Some(plan), None) => {
            lines.push(bar(deployment, plan, now, paint));
            lines.extend(hosts(progress, plan, now, paint, width));
            let sentence = deployment.waiting(deployment.clamp(now));
            lines.extend(sentence.map(|sentence| format!("  {}", legible(&sentence))));
            let judged = progress.standing.as_ref().filter(|_| deployment.is_judged());
            lines.extend(judged.into_iter().flat_map(|standing| analysis::lines(standing, paint)));
        }
        (None, None) => lines.push("  about to start".to_owned()),
    }
    lines.extend(beside.map(|text| format!("  {text}")));
    let cut = if paint.unicode { "…" } else { "..." };
    lines.iter().map(|line| console::truncate_str(line, width, cut).into_owned()).collect()
}

fn bar(deployment: &Deployment, plan: &Plan, now: Time, paint: Paint) -> String {
    let (done, total) = progress(deployment, plan);
    let filled = (done * BAR).checked_div(total).map_or(BAR, |cells| cells.min(BAR));
    let (full, empty) = if paint.unicode { ("█", "░") } else { ("#", ".") };
    let began = deployment.started.unwrap_or(deployment.accepted);
    format!(
        "{}  {}{}  {done} of {}   {}",
        deployment.phase_title(),
        full.repeat(filled),
        paint.dim(&empty.repeat(BAR - filled)),
        count_of_hosts(u32::try_from(total).unwrap_or(u32::MAX)),
        when::span(deployment.clamp(now).since(began)),
    )
}

/// How many hosts are done, and of how many. On the way back only hosts count that there is something to undo on.
fn progress(deployment: &Deployment, plan: &Plan) -> (usize, usize) {
    let states = || deployment.hosts.values().map(|run| &run.state);
    match &deployment.state {
        State::RollingBack { .. } => {
            let back =
                states().filter(|state| matches!(state, HostState::Reverted | HostState::RevertFailed(_)));
            (back.count(), deployment.touched().count())
        }
        // All of them were changed; that they are looked at once more takes nothing away.
        State::Baking { .. } => (plan.changing(), plan.changing()),
        _ => (states().filter(|state| is_done(state)).count(), plan.changing()),
    }
}

fn is_done(state: &HostState) -> bool {
    matches!(
        state,
        HostState::Succeeded
            | HostState::Failed(_)
            | HostState::Unreachable { .. }
            | HostState::Idle
            | HostState::Reverted
            | HostState::RevertFailed(_)
            | HostState::Cancelled
    )
}

/// Hosts by cause: what is done, what is at work, what went wrong, what waits. Nothing untouched is red.
fn hosts(progress: &Progress, plan: &Plan, now: Time, paint: Paint, width: usize) -> Vec<String> {
    let deployment = &progress.deployment;
    // The order of the plan: sick hosts first, then wave by wave.
    let mut groups: BTreeMap<(u8, String, Option<String>), Vec<&HostName>> = BTreeMap::new();
    for (wave, host) in
        plan.waves.iter().enumerate().flat_map(|(wave, hosts)| hosts.iter().map(move |h| (wave, h)))
    {
        if let Some(run) = deployment.hosts.get(host) {
            let (rank, cause) = cause(deployment, run, wave);
            let awaited = progress.awaited(host, deployment.clamp(now));
            groups.entry((rank, cause, awaited)).or_default().push(host);
        }
    }
    let lost = deployment
        .hosts
        .iter()
        .filter(|(_, run)| matches!(&run.state, HostState::Unreachable { doing: None, .. }));
    for (host, _) in lost {
        groups.entry((4, "unreachable from the start".to_owned(), None)).or_default().push(host);
    }
    groups
        .into_iter()
        .flat_map(|((rank, cause, awaited), hosts)| {
            let sign = match rank {
                0 => paint.tick(),
                1 => paint.half(),
                2 => paint.cross(),
                3 | 4 => paint.question(),
                _ => paint.dot(),
            };
            let names: Vec<&str> = hosts.iter().take(SHOWN).map(|host| host.as_str()).collect();
            let more = match hosts.len().saturating_sub(SHOWN) {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            // What is waited for is never cut off: somebody may have to act on it.
            let awaited = awaited.map(|reason| paragraph("      ", &reason, width)).unwrap_or_default();
            let mut lines = vec![format!("  {sign} {}{more}  {}", names.join(" "), paint.dim(&cause))];
            lines.extend(awaited.lines().map(str::to_owned));
            lines
        })
        .collect()
}

/// The rank of a host's line, and its cause in words.
fn cause(deployment: &Deployment, run: &HostRun, wave: usize) -> (u8, String) {
    match &run.state {
        HostState::Succeeded => (0, format!("on {}", deployment.request.release.id)),
        HostState::Skipped => (0, "there already".to_owned()),
        HostState::Doing(step) if step.way == Way::Back => (1, doing(step).to_owned()),
        HostState::Doing(step) => (1, doing(step).to_owned()),
        HostState::Failed(failure) => {
            (2, format!("failed to {}: {}", failure.stage, first_line(&failure.reason)))
        }
        HostState::RevertFailed(failure) => (2, format!("not restored: {}", first_line(&failure.reason))),
        HostState::Unknown { why, .. } => (3, format!("unknown, being called: {}", first_line(why))),
        HostState::Unreachable { why, .. } => (4, format!("unreachable: {}", first_line(why))),
        HostState::Ready => (1, "verified, waiting for the others".to_owned()),
        HostState::Reverted => (5, "put back".to_owned()),
        HostState::Idle => (5, "whole and without traffic".to_owned()),
        HostState::Cancelled => (6, "never touched".to_owned()),
        HostState::Pending => (7, "waiting for the release".to_owned()),
        HostState::Prepared => match &deployment.state {
            State::Running { phase: Phase::Wave(current) } if *current == wave => {
                (7, "next in this wave".to_owned())
            }
            _ => (8, "later".to_owned()),
        },
    }
}

fn first_line(text: &str) -> String {
    legible(text.lines().next().unwrap_or_default())
}

/// What changed between two pictures, as plain lines for logs and pipes. Hosts that fared alike share a line.
pub(crate) fn changes(before: Option<&Deployment>, after: &Deployment, now: Time) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |text: String| lines.push(format!("{}  {text}", when::clock(now)));
    if before.is_none_or(|before| before.state != after.state) && !after.state.is_terminal() {
        let reason = after.reason().map(|reason| format!(": {}", legible(&reason))).unwrap_or_default();
        add(format!("{} {}{reason}", after.id, after.phase_title()));
    }
    let baked = |deployment: &Deployment| matches!(deployment.state, State::Baking { .. });
    let bakes = baked(after) || before.is_some_and(baked);
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    for (host, run) in &after.hosts {
        let was = before.and_then(|before| before.hosts.get(host)).map(|run| &run.state);
        let calm = matches!(run.state, HostState::Doing(_) | HostState::Succeeded);
        // While all hosts are watched, every one of them begins and ends to be observed once more.
        if was == Some(&run.state) || (was.is_none() && run.state == HostState::Pending) || (bakes && calm) {
            continue;
        }
        let text = change(after, &run.state);
        match alike.iter_mut().find(|(other, _)| *other == text) {
            Some((_, hosts)) => hosts.push(host.as_str()),
            None => alike.push((text, vec![host.as_str()])),
        }
    }
    for (text, hosts) in alike {
        hosts.chunks(SHOWN).for_each(|hosts| add(format!("{} {text}", hosts.join(" "))));
    }
    lines
}

/// What has become of a host, in the words of the picture.
fn change(deployment: &Deployment, state: &HostState) -> String {
    match state {
        HostState::Doing(step) => doing(step).to_owned(),
        HostState::Succeeded => format!("on {}", deployment.request.release.id),
        HostState::Reverted => "put back".to_owned(),
        HostState::Cancelled => "never touched".to_owned(),
        HostState::Failed(failure) => format!("failed to {}: {}", failure.stage, first_line(&failure.reason)),
        HostState::RevertFailed(failure) => format!("not restored: {}", first_line(&failure.reason)),
        HostState::Unknown { why, .. } | HostState::Unreachable { why, .. } => {
            format!("{}: {}", state.name(), first_line(why))
        }
        other => other.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_keeps_within_its_width_and_below_its_first_word() {
        assert_eq!(paragraph("", "one two three", 7), "one two\nthree");
        assert_eq!(
            paragraph("\u{1b}[31m!!\u{1b}[0m ", "a verylongword b", 6),
            "\u{1b}[31m!!\u{1b}[0m a\n   verylongword\n   b"
        );
        assert_eq!(paragraph("  ", "two\nlines", usize::MAX), "  two\n  lines");
        assert_eq!(paragraph("  ", "", 0), "  ");
    }
}
