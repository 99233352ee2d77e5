//! *Now*: how the line stands in one glance, what runs, and what ran last.

use andon_core::cord::{Cord, words};
use andon_core::deployment::{Deployment, Summary};
use andon_core::release::ReleaseId;
use andon_core::scope::{Lock, Scope, ScopeName};
use andon_core::time::Time;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::{band, outcome, when};

/// Changes of the line that are shown while it runs.
const CHANGES: usize = 3;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Now {
    /// The line.
    pub line: Cord,
    /// Deployments under way, the newest first.
    pub going: Vec<Deployment>,
    /// Every scope of the line and of the ledger, in the order of their names.
    pub scopes: Vec<Row>,
    /// Deployments, the newest first.
    pub recent: Vec<Summary>,
    /// Releases that wait until others agree, the oldest first.
    pub approvals: Vec<Approval>,
    /// Whether whoever looks may stop and start the line.
    pub may_line: bool,
    /// Why the line of this server could not be read, where it could not.
    pub no_line: Option<String>,
}

/// A release that waits until others agree.
#[derive(Debug, Clone)]
pub struct Approval {
    /// Where to.
    pub scope: ScopeName,
    /// Which.
    pub release: ReleaseId,
    /// Who wanted to deploy it.
    pub by: String,
    /// Why, in that person's words.
    pub why: Option<String>,
    /// Since when.
    pub since: Time,
    /// So many approvals are needed.
    pub needed: u32,
    /// Who approved, and counts.
    pub given: Vec<String>,
    /// Whether whoever looks may approve it: they may deploy there, and did not ask for it themselves.
    pub may: bool,
}

/// One service in one environment.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which.
    pub name: ScopeName,
    /// What is known of it.
    pub scope: Scope,
    /// Its newest deployment.
    pub last: Option<Summary>,
}

/// The page.
pub fn render(now: &Now, frame: &Frame) -> Markup {
    let body = html! {
        (line(now, frame))
        div.columns {
            div {
                section #going data-live {
                    @if !now.going.is_empty() {
                        h2 { "Running" }
                        @for deployment in &now.going { (going(deployment, frame)) }
                    }
                }
                section #approvals data-live {
                    @if !now.approvals.is_empty() {
                        h2 { "Waiting for approval" }
                        @for approval in &now.approvals { (waits(approval, frame)) }
                    }
                }
                section #scopes data-live {
                    h2 { "Services" }
                    (scopes(now, frame))
                }
            }
            section #recent data-live {
                h2 { "What was deployed last" }
                @if now.recent.is_empty() {
                    p.empty { "No deployment yet. On your machine: " code { "andon init" } ", then "
                        code { "andon deploy SERVICE ENVIRONMENT" } "; it is seen here while it runs." }
                } @else {
                    ul.rows { @for row in &now.recent { (recent(row, frame)) } }
                    p { a href="/timeline" { "All of them on a time axis" } }
                }
            }
        }
    };
    let title = if now.line.is_stopped() { "✘ Line stopped" } else { "Now" };
    frame.page(title, &body)
}

fn line(now: &Now, frame: &Frame) -> Markup {
    let stopped = now.line.is_stopped();
    html! {
        section.cord.stopped[stopped] #line data-live aria-label="The line" {
            @match now.line.stops().split_first() {
                None => {
                    h1 { (outcome::sign("✔")) " The line is running" }
                    @match now.line.since() {
                        Some(since) => p.muted { "started " (when::ago(since, frame)) ". Changes flow." },
                        None => p.muted { "It has never stood. Changes flow." },
                    }
                    @if now.may_line { (pull(frame)) }
                }
                Some((first, more)) => {
                    h1 { (outcome::sign("✘")) " The line is stopped" }
                    p.why { "by " (when::sentence(&first.sentence(), frame)) }
                    @if !more.is_empty() {
                        ul { @for stop in more { li { "also by " (when::sentence(&stop.sentence(), frame)) } } }
                    }
                    p.next { strong { "next" } " "
                        @if let Some(id) = first.deployment() { a href={ "/deployments/" (id.0) } { "look at " (id) } " · " }
                        (words::next(now.line.stops(), None))
                    }
                    @if now.may_line { (start(frame)) }
                }
            }
            @let changes: Vec<_> = now.line.changes().take(CHANGES).collect();
            @if !changes.is_empty() {
                details { summary.muted { "What happened to the line" }
                    ul.rows { @for change in changes { li { (when::ago(change.at, frame)) ": " (change.sentence()) } } }
                }
            }
        }
    }
}

fn pull(frame: &Frame) -> Markup {
    html! {
        details { summary { "Stop the line" }
            form method="post" action="/line/stop" {
                (frame.token())
                p.muted { "Only rollbacks and declared fixes begin while it stands. What is under way goes on." }
                div.inline {
                    div { label for="stop-why" { "What was seen" }
                        input #stop-why type="text" name="why" required maxlength="1000" autocomplete="off"; }
                    button.hurts { "Stop the line" }
                }
            }
        }
    }
}

fn start(frame: &Frame) -> Markup {
    html! {
        form method="post" action="/line/start" {
            (frame.token())
            div.inline {
                div { label for="start-why" { "It is over, because" }
                    input #start-why type="text" name="why" required maxlength="1000" autocomplete="off"; }
                button { "Start the line" }
            }
        }
    }
}

fn going(deployment: &Deployment, frame: &Frame) -> Markup {
    let (id, request) = (deployment.id, &deployment.request);
    let now = deployment.clamp(frame.now);
    html! {
        article.going data-key={ "going-" (id.0) } {
            h3 { a href={ "/deployments/" (id.0) } { (id) " " (request.scope.to_string()) } }
            p { (deployment.phase_title()) ", by " (request.by.to_string()) ", begun " (when::ago(deployment.accepted, frame)) }
            (band::render(deployment))
            @if let Some(sentence) = deployment.waiting(now) { p { (sentence) } }
        }
    }
}

fn waits(approval: &Approval, frame: &Frame) -> Markup {
    let Approval { scope, release, by, why, since, needed, given, may } = approval;
    html! {
        article.going data-key={ "approval-" (scope.to_string()) (release) } {
            h3 { (scope.to_string()) " " code { (release) } }
            p { (by) " wants to deploy it, since " (when::ago(*since, frame)) @if let Some(why) = why { ": " (why) } }
            p { (given.len()) " of " (needed) " approvals" @if !given.is_empty() { ": " (given.join(", ")) } }
            @if given.len() >= *needed as usize {
                p { (by) " can " a href={ "/services/" (scope.service.as_str()) "/deploy" } { "deploy it" } " now." }
            } @else if *may {
                form method="post" action="/approvals" {
                    (frame.token())
                    input type="hidden" name="service" value=(scope.service.as_str());
                    input type="hidden" name="environment" value=(scope.environment.as_str());
                    input type="hidden" name="release" value=(release);
                    button.second { "Approve" }
                }
            }
        }
    }
}

fn scopes(now: &Now, frame: &Frame) -> Markup {
    html! {
        @if let Some(why) = &now.no_line {
            p.notice.unknown { "The line of this server could not be read, so only what was deployed is listed: " (why) }
        }
        @if now.scopes.is_empty() {
            p.empty { "No service is known yet. " code { "andon init www" } " writes a commented " code { "line.star" } "." }
        } @else {
            div.wide-table { table {
                thead { tr { th scope="col" { "Where" } th.optional scope="col" { "Runs" } th scope="col" { "Last deployment" } } }
                tbody { @for row in &now.scopes { tr data-key={ "scope-" (row.name.to_string()) } {
                    th scope="row" { a href={ "/services/" (row.name.service.as_str()) } { (row.name.to_string()) } }
                    td.optional { (runs(row)) }
                    td { (last(row, frame)) }
                } } }
            } }
        }
    }
}

fn runs(row: &Row) -> Markup {
    let scope = &row.scope;
    html! {
        @match &scope.current {
            Some(release) => code { (short(release)) },
            None => span.muted { "no good release yet" },
        }
        @if let Lock::Held { deployment, reason, .. } = &scope.lock {
            div.bad { (outcome::sign("✘")) " held since " a href={ "/deployments/" (deployment.0) } { (deployment) } ": " (reason) }
        }
        @for (host, held) in &scope.held {
            div.unknown { (outcome::sign("?")) " " (host.as_str()) " is out of traffic since "
                a href={ "/deployments/" (held.deployment.0) } { (held.deployment) } ": " (held.reason) }
        }
    }
}

fn last(row: &Row, frame: &Frame) -> Markup {
    html! {
        @match &row.last {
            Some(last) => { (outcome::badge(&last.state)) " " a href={ "/deployments/" (last.id.0) } { (last.id) }
                " " (when::ago(last.accepted, frame)) " by " (last.by) },
            None => span.muted { "never" },
        }
    }
}

fn recent(row: &Summary, frame: &Frame) -> Markup {
    html! {
        li data-key={ "recent-" (row.id.0) } {
            a href={ "/deployments/" (row.id.0) } { (row.id) " " (row.scope.to_string()) } " "
            (outcome::badge(&row.state)) br;
            span.muted { code { (short(&row.release)) } " by " (row.by) " " (when::ago(row.accepted, frame))
                @if let Some(revision) = &row.revision { ", " (revision.subject) } }
            @if let Some(reason) = row.reason.as_ref().or(row.why.as_ref()) { div.small { (reason) } }
        }
    }
}

/// A release as it is written among others.
fn short(release: &ReleaseId) -> &str {
    release.as_str()
}

#[cfg(test)]
mod tests;
