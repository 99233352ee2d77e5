//! *Services*: every service in every environment, in one table: what runs, since when, by whom, and what hinders it.

use andon_core::deployment::Summary;
use andon_core::release::{ReleaseId, Revision};
use andon_core::scope::{Lock, ScopeName};
use andon_core::time::Time;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::{assets, when};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// Every service in every environment, in the order of their names.
    pub rows: Vec<Placed>,
    /// Why the server has no line, where it has none.
    pub lineless: Option<String>,
}

/// A service in an environment.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Which.
    pub scope: ScopeName,
    /// What its hosts should run.
    pub current: Option<Current>,
    /// Who may change its hosts now.
    pub lock: Lock,
    /// Hosts that were left out of their balancers.
    pub held_out: usize,
    /// The newest deployment, among those that were looked at.
    pub last: Option<Summary>,
    /// How many hosts the line gives it; `None` when the line has it no more.
    pub hosts: Option<usize>,
    /// What the line says of it, in one sentence.
    pub described: Option<String>,
}

/// What hosts should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// The release.
    pub release: ReleaseId,
    /// The commit that it was made from.
    pub revision: Option<Revision>,
    /// When it was found good; `None` where that is not remembered.
    pub since: Option<Time>,
}

impl Placed {
    /// Its sign and its state in words: the sign never stands alone.
    pub fn state(&self) -> (&'static str, String) {
        let halfway = self.last.as_ref().filter(|last| last.left_halfway());
        match (&self.lock, halfway) {
            (Lock::Held { deployment, .. }, _) => ("✘", format!("held since {deployment}")),
            (Lock::Owned { deployment, .. }, _) => ("◐", format!("{deployment} is at work")),
            (Lock::Free, Some(last)) => ("✘", format!("left halfway by {}", last.id)),
            (Lock::Free, None) if self.current.is_none() => ("·", "nothing runs yet".to_owned()),
            (Lock::Free, None) if self.held_out > 0 => ("◐", left_out(self.held_out)),
            (Lock::Free, None) => ("✔", "in order".to_owned()),
        }
    }
}

/// A sign with its colour. The word beside it is what is read aloud.
pub(crate) fn mark(sign: &str) -> Markup {
    let tone = match sign {
        "✔" | "+" => "good",
        "✘" | "−" => "bad",
        "◐" | "≠" => "busy",
        "?" => "unknown",
        _ => "quiet",
    };
    html! { span class={ "sign " (tone) } aria-hidden="true" { (sign) } }
}

/// How many hosts were left out of traffic.
pub(crate) fn left_out(count: usize) -> String {
    match count {
        1 => "1 host was left out of traffic".to_owned(),
        more => format!("{more} hosts were left out of traffic"),
    }
}

/// The page.
pub fn render(services: &Services, frame: &Frame) -> Markup {
    let body = html! {
        link rel="stylesheet" href=(assets::path("registers.css"));
        div class="register" {
            h1 { "Services" }
            @if let Some(why) = &services.lineless {
                p class="notice" { "? The server has no line: " (why) ". What is below comes from the ledger." }
            }
            @if services.rows.is_empty() { (nothing_yet()) } @else { (table(&services.rows, frame)) }
        }
    };
    frame.page("Services", &body)
}

fn nothing_yet() -> Markup {
    html! {
        p { "There is no service yet. A service is something that runs on hosts and is released as one; the line describes it." }
        p { "On your machine: " code { "andon init www" } ", then " code { "andon plan www" } " and " code { "andon deploy www" } "." }
    }
}

fn table(rows: &[Placed], frame: &Frame) -> Markup {
    html! {
        div class="wide" tabindex="0" role="region" aria-label="Services" {
            table class="rows" {
                thead { tr {
                    th scope="col" { "Service" }
                    th scope="col" { "Environment" }
                    th scope="col" { "State" }
                    th scope="col" { "Runs" }
                    th scope="col" { "Last deployment" }
                    th scope="col" { "Line" }
                } }
                tbody {
                    @for row in rows { (line(row, frame)) }
                }
            }
        }
        p class="aside" {
            "Deployments and changes of the line as a feed: " a href="/feed.atom" { "feed.atom" } ". "
            "Messages for you: " a href="/settings/notifications" { "notifications" } "."
        }
    }
}

fn line(row: &Placed, frame: &Frame) -> Markup {
    let (sign, state) = row.state();
    let service = row.scope.service.as_str();
    html! {
        tr {
            th scope="row" data-label="Service" { a href=(format!("/services/{service}")) { (service) } }
            td data-label="Environment" { (row.scope.environment) }
            td data-label="State" { (mark(sign)) " " (state) }
            td data-label="Runs" { (runs(row.current.as_ref(), frame)) }
            td data-label="Last deployment" {
                @match &row.last { Some(last) => (deployment(last, frame)), None => span class="quiet" { "none among the newest" } }
            }
            td data-label="Line" {
                @match (&row.described, row.hosts) {
                    (Some(words), _) => (words),
                    (None, Some(hosts)) => { (hosts) " hosts" },
                    (None, None) => span class="quiet" { "not in the line any more" },
                }
            }
        }
    }
}

/// A release, its commit, and since when it is good.
pub(crate) fn runs(current: Option<&Current>, frame: &Frame) -> Markup {
    let Some(current) = current else { return html! { span class="quiet" { "no good release yet" } } };
    html! {
        code { (current.release) }
        @if let Some(revision) = &current.revision { " " span class="subject" { (revision.commit) " “" (revision.subject) "”" } }
        @if let Some(since) = current.since { " " span class="quiet" { "found good " (when::ago(since, frame)) } }
    }
}

/// A deployment in one sentence.
pub(crate) fn deployment(row: &Summary, frame: &Frame) -> Markup {
    html! {
        a href=(format!("/deployments/{}", row.id.0)) { (row.id.to_string()) }
        " " (row.state.replace('_', " ")) " by " (row.by) " " (when::ago(row.ended.unwrap_or(row.accepted), frame))
    }
}
