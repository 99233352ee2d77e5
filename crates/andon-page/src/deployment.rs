//! *Deployment*: what it waits for, its hosts by cause, its waves, what its analysis sees, and what happened.

use std::collections::BTreeMap;

use andon_core::analysis::Standing;
use andon_core::chronicle::Outcome;
use andon_core::deployment::{Deployment, DeploymentId};
use andon_core::legible::plain;
use andon_core::name::HostName;
use andon_core::time::Time;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::{band, outcome, when};

mod acts;
mod analysis;
mod hosts;

/// Lines of the story that are shown at once.
const SHOWN: usize = 150;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The deployment.
    pub deployment: Deployment,
    /// Another deployment that it waits for, and since when that one is at work.
    pub behind: Option<(DeploymentId, Time)>,
    /// How its analysis stands, where one has begun.
    pub standing: Option<Standing>,
    /// What hosts on their way out of or into traffic wait for.
    pub awaited: BTreeMap<HostName, String>,
    /// What happened, the oldest first.
    pub story: Vec<(Time, String)>,
    /// Whether whoever looks may act on it.
    pub may: bool,
    /// Whether this server drives it.
    pub driven: bool,
    /// Why this server gave it up, where it did.
    pub given_up: Option<String>,
    /// Whether its hosts are shown as a table.
    pub table: bool,
    /// Whether the whole story is shown.
    pub whole: bool,
    /// Charts of what was seen, drawn elsewhere; nothing where there are none.
    pub evidence: Option<Markup>,
    /// Approvals that it waits for, written elsewhere; nothing where there are none.
    pub approvals: Option<Markup>,
}

/// The page.
pub fn render(shown: &Shown, frame: &Frame) -> Markup {
    let deployment = &shown.deployment;
    let sign = Outcome::of_state(deployment.state.name()).sign();
    let body = html! {
        section #head data-live {
            h1 { (deployment.id) " " (deployment.request.scope.to_string()) }
            p { (outcome::badge(deployment.state.name())) " "
                @if !deployment.state.is_terminal() { span.muted { (deployment.phase_title()) } } }
            (sentence(shown, frame))
            (band::render(deployment))
            (acts::render(shown, frame))
        }
        @if let Some(approvals) = &shown.approvals { (approvals) }
        div.columns {
            div {
                section #hosts data-live { (hosts::render(shown, frame)) }
                section #evidence data-live {
                    (analysis::render(shown))
                }
            }
            div {
                section #about data-live { h2 { "About it" } (about(shown, frame)) }
                section #story data-live { h2 { "What happened" } (story(shown, frame)) }
            }
        }
    };
    frame.page(&format!("{sign} {} {}", deployment.id, deployment.request.scope), &body)
}

/// What it waits for, or how it ended.
fn sentence(shown: &Shown, frame: &Frame) -> Markup {
    let deployment = &shown.deployment;
    html! {
        @match (deployment.ending(), shown.behind) {
            (Some(ending), _) => {
                p.lead { (plain(ending.headline.as_bytes())) }
                p { (ending.detail) }
                @if !ending.next.is_empty() { p { strong { "next" } " " (ending.next.join(" · ")) } }
            },
            (None, Some((owner, since))) => {
                p.lead { "waiting for " a href={ "/deployments/" (owner.0) } { (owner) } ", at work since " (when::clock(since, frame)) }
            },
            (None, None) => {
                p.lead { (plain(deployment.waiting(frame.now).unwrap_or_default().as_bytes())) }
                @for (host, why) in shown.awaited.iter().take(8) { p { (host.as_str()) ": " (why) } }
            },
        }
    }
}

fn about(shown: &Shown, frame: &Frame) -> Markup {
    let (deployment, request) = (&shown.deployment, &shown.deployment.request);
    let release = &request.release;
    let back_to = deployment.plan.as_ref().and_then(|plan| plan.back_to.as_ref());
    html! {
        dl.facts {
            dt { "release" } dd { code { (release.id) }
                @if let Some(back_to) = back_to { ", back to " code { (back_to.id) } } }
            dt { "digest" } dd { code.small { (release.digest.to_string()) } }
            @if let Some(revision) = &release.revision {
                dt { "commit" } dd { code { (revision.commit) } " " (revision.subject) br;
                    span.muted { (revision.author) " " (when::ago(revision.at, frame)) } }
            }
            @if let Some(signed) = &release.signed { dt { "signed" } dd { (signed.key.to_string()) " " (signed.comment) } }
            dt { "by" } dd { (request.by.name) " on " (request.by.at) " " (when::ago(deployment.accepted, frame)) }
            @if let Some(why) = &request.why { dt { "why" } dd { (why) } }
            @if let Some(fixes) = request.fixes { dt { "fixes" } dd { a href={ "/deployments/" (fixes.0) } { (fixes) } } }
            @if let Some(reason) = &request.allow_bad { dt { "insists" } dd { (reason) } }
            @if let Some(reason) = &request.passes.allow_wide { dt { "wide" } dd { (reason) } }
            @if let Some(said) = &request.passes.confirmed { dt { "name" } dd { (said.environment.as_str()) ", " (said.how) } }
            @if let Some(started) = deployment.started {
                dt { "took" } dd { (when::span(deployment.ended.unwrap_or(deployment.clamp(frame.now)).since(started)))
                    @if deployment.ended.is_none() { " so far" } }
            }
            @if let Some(plan) = &deployment.plan {
                dt { "plan" } dd { (plan.changing()) " of " (plan.hosts.len()) " hosts in " (plan.waves.len()) " waves, "
                    (plan.max_parallel) " at a time; at least " (plan.floor) " serve; " (plan.max_failed) " may fail" }
            }
        }
    }
}

/// The newest first: whoever watches reads from the top.
fn story(shown: &Shown, frame: &Frame) -> Markup {
    let most = if shown.whole { usize::MAX } else { SHOWN };
    let hidden = shown.story.len().saturating_sub(most);
    html! {
        @if shown.story.is_empty() { p.empty { "Nothing has happened yet." } }
        ol.story reversed {
            @for (at, words) in shown.story.iter().rev().take(most) { li { (when::clock(*at, frame)) span { (words) } } }
        }
        @if hidden > 0 { p { a href="?story=all#story" { "The " (hidden) " before these" } } }
    }
}

#[cfg(test)]
mod tests;
