//! *A service*: its environments side by side, what it would go back to, its newest deployments, and who is told.

use andon_core::deployment::Summary;
use andon_core::name::ServiceName;
use andon_core::release::ReleaseId;
use andon_core::scope::Lock;
use maud::{Markup, html};

use crate::assets;
use crate::frame::Frame;
use crate::services::{Placed, deployment, left_out, mark, runs};

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Service {
    /// Which.
    pub name: ServiceName,
    /// Its environments, in the order of the line and then of their names.
    pub environments: Vec<Environment>,
    /// Its newest deployments, the newest first.
    pub recent: Vec<Summary>,
    /// Whom the line tells about it, in words.
    pub told: Vec<String>,
    /// Who asked to be told about it.
    pub asked: Vec<String>,
}

/// The service in one environment.
#[derive(Debug, Clone)]
pub struct Environment {
    /// What runs there.
    pub placed: Placed,
    /// Where a rollback that names no release would go.
    pub way_back: Option<ReleaseId>,
    /// Good releases that are remembered.
    pub good: usize,
    /// Bad releases that are remembered.
    pub bad: usize,
    /// The hosts that the line gives it.
    pub hosts: Vec<String>,
    /// Hosts that were left out of traffic, each with its reason.
    pub held_out: Vec<(String, String)>,
}

/// Hosts that are named; of more the number is enough.
const HOSTS_NAMED: usize = 12;

/// The page.
pub fn render(service: &Service, frame: &Frame) -> Markup {
    let name = service.name.as_str();
    let body = html! {
        link rel="stylesheet" href=(assets::path("registers.css"));
        div class="register" {
            p class="path" { a href="/services" { "Services" } " › " (name) }
            h1 { (name) }
            p { a class="button second" href=(format!("/services/{name}/deploy")) { "Stage or deploy" } }
            div class="beside" {
                @for environment in &service.environments { (side(name, environment, frame)) }
            }
            h2 { "Newest deployments" }
            @if service.recent.is_empty() {
                p { "No deployment yet. On your machine: " code { "andon plan " (name) } ", then " code { "andon deploy " (name) } "." }
            } @else {
                ul class="plain" { @for row in &service.recent { li { (row.scope.environment) ": " code { (row.release) } " " (deployment(row, frame)) } } }
            }
            p { a href=(format!("/releases?service={name}")) { "Every release of " (name) } }
            h2 { "Who is told" }
            (told(service))
            h2 { "For other pages" }
            (elsewhere(service))
        }
    };
    frame.page(name, &body)
}

fn side(service: &str, environment: &Environment, frame: &Frame) -> Markup {
    let placed = &environment.placed;
    let (sign, state) = placed.state();
    let at = placed.scope.environment.as_str();
    html! {
        section aria-labelledby=(format!("in-{at}")) {
            h2 id=(format!("in-{at}")) { (at) }
            p class="stands" { (mark(sign)) " " (state) }
            @if let Lock::Held { reason, deployment, .. } = &placed.lock {
                p class="why" { (reason) }
                p { "next  " code { "andon show " (deployment.0) } "; mend, then deploy with " code { "--fixes " (deployment.0) } }
            }
            dl {
                dt { "Runs" } dd { (runs(placed.current.as_ref(), frame)) }
                dt { "Way back" } dd { (way_back(service, at, environment)) }
                dt { "Last" }
                dd { @match &placed.last { Some(last) => (deployment(last, frame)), None => "nothing was deployed here" } }
                dt { "Releases" } dd { (environment.good) " good, " (environment.bad) " bad" }
                dt { "Hosts" } dd { (hosts(environment)) }
            }
            @if !environment.held_out.is_empty() {
                p { (mark("◐")) " " (left_out(environment.held_out.len())) ":" }
                ul class="plain" { @for (host, why) in &environment.held_out { li { (host) ": " (why) } } }
            }
        }
    }
}

fn way_back(service: &str, environment: &str, of: &Environment) -> Markup {
    match &of.way_back {
        Some(release) => {
            html! { code { (release) } ": " code { "andon rollback " (service) " " (environment) } }
        }
        None => html! { "none: no other release was good here" },
    }
}

fn hosts(environment: &Environment) -> Markup {
    let (all, named) = (environment.hosts.len(), environment.hosts.iter().take(HOSTS_NAMED));
    let names: Vec<&str> = named.map(String::as_str).collect();
    html! {
        @if all == 0 { "the line has this service here no more" } @else { (all) ": " (names.join(", ")) }
        @if all > HOSTS_NAMED { " and " (all - HOSTS_NAMED) " more" }
    }
}

fn told(service: &Service) -> Markup {
    html! {
        @if service.told.is_empty() {
            p { "The line tells nobody when " (service.name) " needs people. It would, with " code { "tell = tell(...)" } " in its service: " code { "andon help tell" } "." }
        } @else {
            p { "When it needs people, the line tells " (service.told.join(", ")) "." }
        }
        @if service.asked.is_empty() {
            p { "Nobody has asked to be told more. " a href="/settings/notifications" { "Ask to be told" } "." }
        } @else {
            p { (service.asked.join(", ")) " asked to be told as well. " a href="/settings/notifications" { "Your own wishes" } "." }
        }
    }
}

fn elsewhere(service: &Service) -> Markup {
    let name = service.name.as_str();
    html! {
        p { "A feed of its deployments: " a href=(format!("/feed.atom?service={name}")) { "/feed.atom?service=" (name) } }
        @for environment in &service.environments {
            @let at = environment.placed.scope.environment.as_str();
            p {
                "A badge for " (at) ": "
                img class="badge" src=(format!("/badge/{name}/{at}.svg")) alt=(format!("badge of {name} in {at}"));
                " " code { "/badge/" (name) "/" (at) ".svg" }
            }
        }
        @if service.environments.is_empty() { p { "A badge needs an environment." } }
    }
}
