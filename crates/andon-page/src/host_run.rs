//! One host in a deployment: its steps, and what they printed.

use andon_core::deployment::passage::{Passed, by_step};
use andon_core::deployment::sentence::doing;
use andon_core::deployment::{Deployment, HostCause};
use andon_core::name::HostName;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::{outcome, when};

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The deployment.
    pub deployment: Deployment,
    /// The host.
    pub host: HostName,
    /// Its steps, the first one first.
    pub steps: Vec<Passed>,
    /// The end of what its steps printed, as plain text; `None` where nothing is kept here.
    pub output: Option<String>,
    /// Whether more was printed before that.
    pub cut: bool,
    /// What it waits for in its balancers.
    pub awaited: Option<String>,
}

/// The page.
pub fn render(shown: &Shown, frame: &Frame) -> Markup {
    let Shown { deployment, host, .. } = shown;
    let cause = deployment.cause_of(host).unwrap_or(HostCause::Waiting);
    let going = !deployment.state.is_terminal();
    let run = deployment.hosts.get(host);
    let body = html! {
        p { a href={ "/deployments/" (deployment.id.0) } { (deployment.id) " " (deployment.request.scope.to_string()) } }
        section #head data-live data-every=[going.then_some("2")] {
            h1 { (host.as_str()) }
            p.lead class=(cause.tone()) { (outcome::sign(cause.sign())) " " (deployment.standing_of(host).unwrap_or_default())
                @if let Some(run) = run { span.muted { ", since " (when::clock(run.since, frame)) } } }
            @if let Some(why) = run.and_then(|run| run.trouble()) { p { (andon_core::legible::plain(why.as_bytes())) } }
            @if let Some(why) = &shown.awaited { p { "waits for " (why) } }
        }
        section #steps data-live {
            h2 { "Steps" }
            @if shown.steps.is_empty() { p.empty { "Nothing was done here yet." } } @else {
                div.wide-table.steps-table { table {
                    thead { tr { th scope="col" { "Step" } th scope="col" { "Began" } th.num scope="col" { "Took" } th scope="col" { "Became" } } }
                    tbody { @for step in &shown.steps { tr {
                        th scope="row" { (doing(&step.doing)) }
                        td { (when::clock(step.began, frame)) }
                        td.num { @match step.ended {
                            Some(ended) => (when::span(ended.since(step.began))),
                            None => { "◐ " (when::span(deployment.clamp(frame.now).since(step.began))) },
                        } }
                        td { (step.became.clone().unwrap_or_default()) }
                    } } }
                } }
            }
        }
        section #output data-live {
            h2 { "What its steps printed" }
            @match &shown.output {
                None => p.empty { "Nothing is kept here: output is kept on the machine that drives the deployment." },
                Some(text) => (printed(shown, text)),
            }
        }
    };
    frame.page(&format!("{host} in {}", deployment.id), &body)
}

fn printed(shown: &Shown, text: &str) -> Markup {
    let name = |token: &str| {
        let step = shown.steps.iter().rev().find(|step| step.token().to_string() == token);
        step.map_or_else(|| token.to_owned(), |step| doing(&step.doing).to_owned())
    };
    let parts: Vec<(String, String)> = by_step(text)
        .into_iter()
        .map(|(token, text)| (token.map_or_else(|| "before".to_owned(), name), text))
        .filter(|(_, text)| !text.trim().is_empty())
        .collect();
    html! {
        @if shown.cut { p.muted { "Only its end. All of it: " code { "andon show " (shown.deployment.id.0) " --log " (shown.host.as_str()) } } }
        @if parts.is_empty() { p.empty { "Its steps printed nothing." } }
        @for (name, text) in &parts { h3 { (name) } pre.output tabindex="0" data-tail { (text) } }
    }
}
