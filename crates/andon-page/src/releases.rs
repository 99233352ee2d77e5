//! *Releases*: what is known of every release of a service, in each of its environments: good, bad or current, since when
//! and why, and whether its bytes are still here.

use andon_core::deployment::DeploymentId;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::quantity::ByteSize;
use andon_core::release::{ReleaseId, ReleaseStatus, Revision};
use andon_core::signature::Signed;
use andon_core::time::Time;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::services::mark;
use crate::{assets, when};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct Releases {
    /// Every service, to choose from.
    pub services: Vec<ServiceName>,
    /// The one that was chosen.
    pub service: Option<ServiceName>,
    /// Its environments, in the order of the columns.
    pub environments: Vec<EnvironmentName>,
    /// Its releases, the newest judgement first.
    pub rows: Vec<Known>,
    /// Releases that are known beside those in the rows.
    pub more: usize,
}

/// A release of the service.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its name.
    pub release: ReleaseId,
    /// The commit that it was made from.
    pub revision: Option<Revision>,
    /// The size of its bytes.
    pub packed: ByteSize,
    /// Who signed it.
    pub signed: Option<Signed>,
    /// Whether the controller still has its bytes.
    pub kept: bool,
    /// What is known of it in each environment, in the order of the columns.
    pub judged: Vec<Option<Judged>>,
}

/// What is known of a release in one environment.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The last judgement.
    pub status: ReleaseStatus,
    /// Whether it is what should run there.
    pub current: bool,
    /// When it was judged.
    pub at: Time,
    /// By which deployment.
    pub deployment: DeploymentId,
    /// Why: one sentence.
    pub because: String,
}

/// The page.
pub fn render(releases: &Releases, frame: &Frame) -> Markup {
    let title = match &releases.service {
        Some(service) => format!("Releases of {service}"),
        None => "Releases".to_owned(),
    };
    let body = html! {
        link rel="stylesheet" href=(assets::path("registers.css"));
        div class="register" {
            h1 { (title) }
            @if releases.services.is_empty() {
                p { "There is no release yet. A release is what one build gave, named after its content: the first " code { "andon deploy" } " makes one." }
            } @else {
                (choice(releases))
                @if let Some(service) = &releases.service { (of_service(service, releases, frame)) }
            }
        }
    };
    frame.page(&title, &body)
}

fn choice(releases: &Releases) -> Markup {
    html! {
        nav class="choice" aria-label="Services" {
            @for service in &releases.services {
                @let chosen = releases.service.as_ref() == Some(service);
                a href=(format!("/releases?service={service}")) aria-current=[chosen.then_some("page")] { (service) }
            }
        }
    }
}

fn of_service(service: &ServiceName, releases: &Releases, frame: &Frame) -> Markup {
    html! {
        @if releases.rows.is_empty() {
            p { "No release of " (service) " was judged yet: one is good or bad once a deployment of it ended." }
        } @else {
            @if releases.rows.len() > 1 { (compare(service, releases)) }
            div class="wide" tabindex="0" role="region" aria-label=(format!("Releases of {service}")) {
                table class="rows" {
                    thead { tr {
                        th scope="col" { "Release" }
                        th scope="col" { "Commit" }
                        @for environment in &releases.environments { th scope="col" { (environment) } }
                        th scope="col" { "Size" }
                        th scope="col" { "Bytes" }
                    } }
                    tbody { @for row in &releases.rows { (line(row, releases, frame)) } }
                }
            }
            @if releases.more > 0 {
                p class="aside" { "And " (releases.more) " older: all of them are at " a href=(format!("/v1/releases?service={service}")) { "/v1/releases" } "." }
            }
        }
    }
}

fn compare(service: &ServiceName, releases: &Releases) -> Markup {
    let pick = |name: &str, label: &str, chosen: usize| {
        html! {
            label { (label) " "
                select name=(name) {
                    @for (place, row) in releases.rows.iter().enumerate() {
                        option value=(row.release) selected[place == chosen] { (row.release) @if let Some(revision) = &row.revision { " " (revision.commit) } }
                    }
                }
            }
        }
    };
    html! {
        form class="line" method="get" action="/releases/compare" {
            input type="hidden" name="service" value=(service);
            (pick("from", "From", 1)) " " (pick("to", "To", 0)) " "
            button { "Compare" }
        }
    }
}

fn line(row: &Known, releases: &Releases, frame: &Frame) -> Markup {
    html! {
        tr id=(row.release) {
            th scope="row" data-label="Release" { code { (row.release) } }
            td data-label="Commit" {
                @match &row.revision {
                    Some(revision) => { code { (revision.commit) } " “" (revision.subject) "” " span class="quiet" { "by " (revision.author) } },
                    None => span class="quiet" { "not known" },
                }
            }
            @for (environment, judged) in releases.environments.iter().zip(&row.judged) {
                td data-label=(environment) { (judgement(judged.as_ref(), frame)) }
            }
            td data-label="Size" class="number" { (row.packed.to_string()) }
            td data-label="Bytes" {
                @if row.kept { "kept here" } @else { span class="quiet" { "gone from here" } }
                @if let Some(signed) = &row.signed { " " span class="quiet" { "signed with " (signed.key) } }
            }
        }
    }
}

fn judgement(judged: Option<&Judged>, frame: &Frame) -> Markup {
    let Some(judged) = judged else { return html! { span class="quiet" { "–" } } };
    let (sign, word) = match judged.status {
        ReleaseStatus::Good => ("✔", "good"),
        ReleaseStatus::Bad => ("✘", "bad"),
    };
    html! {
        (mark(sign)) " "
        @if judged.current { strong { "runs, " (word) } } @else { (word) }
        " " span class="quiet" { (when::ago(judged.at, frame)) " by " a href=(format!("/deployments/{}", judged.deployment.0)) { (judged.deployment.to_string()) } }
        @if !judged.because.is_empty() { br; span class="why" { (judged.because) } }
    }
}
