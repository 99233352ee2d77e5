//! The hosts of a deployment, each in its place from the first moment to the last: as a grid or as a table.

use std::collections::BTreeMap;

use andon_core::deployment::{Deployment, HostCause};
use andon_core::name::HostName;
use maud::{Markup, html};

use super::Shown;
use crate::frame::Frame;
use crate::{outcome, when};

/// With more hosts than that each is one short word in the grid.
const ROOMY: usize = 60;

pub(super) fn render(shown: &Shown, frame: &Frame) -> Markup {
    let deployment = &shown.deployment;
    let total = deployment.hosts.len();
    if total == 0 {
        return html! { h2 { "Hosts" } p.empty { "Which hosts change is known once it is planned." } };
    }
    let (other, words) =
        if shown.table { ("?hosts=grid", "as a grid") } else { ("?hosts=table", "as a table") };
    html! {
        h2 { (andon_core::phrase::hosts(u32::try_from(total).unwrap_or(u32::MAX))) }
        ul.key {
            @for (cause, count) in counts(deployment) {
                li class=(cause.tone()) { (outcome::sign(cause.sign())) " " (count) " " (cause) }
            }
        }
        @for (name, hosts) in groups(deployment) {
            @if shown.table { (table(deployment, &name, &hosts, frame)) } @else { (grid(deployment, &name, &hosts)) }
        }
        p.small { a href={ (other) "#hosts" } { "Show them " (words) } }
    }
}

fn counts(deployment: &Deployment) -> BTreeMap<HostCause, usize> {
    let mut counts = BTreeMap::new();
    for host in deployment.hosts.keys() {
        if let Some(cause) = deployment.cause_of(host) {
            *counts.entry(cause).or_default() += 1;
        }
    }
    counts
}

/// Wave by wave in the order of the plan, then those that are left as they are.
fn groups(deployment: &Deployment) -> Vec<(String, Vec<&HostName>)> {
    let waves = deployment.plan.as_ref().map(|plan| plan.waves.as_slice()).unwrap_or_default();
    let mut groups: Vec<(String, Vec<&HostName>)> = waves
        .iter()
        .enumerate()
        .filter(|(_, wave)| !wave.is_empty())
        .map(|(number, wave)| (format!("Wave {} of {}", number + 1, waves.len()), wave.iter().collect()))
        .collect();
    let changing: std::collections::BTreeSet<&HostName> = waves.iter().flatten().collect();
    let rest: Vec<&HostName> = deployment.hosts.keys().filter(|host| !changing.contains(host)).collect();
    if !rest.is_empty() {
        groups.push(("Not changed".to_owned(), rest));
    }
    groups
}

fn grid(deployment: &Deployment, name: &str, hosts: &[&HostName]) -> Markup {
    let many = deployment.hosts.len() > ROOMY;
    html! {
        h3.wave-name { (name) ", " (andon_core::phrase::hosts(u32::try_from(hosts.len()).unwrap_or(u32::MAX))) }
        ul.hosts.many[many] {
            @for host in hosts {
                @let cause = deployment.cause_of(host).unwrap_or(HostCause::Waiting);
                @let words = deployment.standing_of(host).unwrap_or_default();
                li class={ "c-" (cause.tone()) } {
                    a href={ (deployment.id.0) "/hosts/" (host.as_str()) } title=[trouble(deployment, host)] {
                        (outcome::sign(cause.sign())) " " (host.as_str())
                        @if many { span.visually-hidden { " " (words) } } @else { span.word { (words) } }
                    }
                }
            }
        }
    }
}

fn table(deployment: &Deployment, name: &str, hosts: &[&HostName], frame: &Frame) -> Markup {
    html! {
        div.wide-table { table {
            caption.visually-hidden { (name) }
            thead { tr { th scope="col" { (name) } th scope="col" { "Stands" } th scope="col" { "Since" } th scope="col" { "Why" } } }
            tbody { @for host in hosts {
                @let cause = deployment.cause_of(host).unwrap_or(HostCause::Waiting);
                tr {
                    th scope="row" { a href={ (deployment.id.0) "/hosts/" (host.as_str()) } { (host.as_str()) } }
                    td class=(cause.tone()) { (outcome::sign(cause.sign())) " " (deployment.standing_of(host).unwrap_or_default()) }
                    td { @if let Some(run) = deployment.hosts.get(*host) { (when::clock(run.since, frame)) } }
                    td { @if let Some(why) = trouble(deployment, host) { (why) } }
                }
            } }
        } }
    }
}

/// What is wrong with a host, or was.
fn trouble(deployment: &Deployment, host: &HostName) -> Option<String> {
    let run = deployment.hosts.get(host)?;
    run.trouble().map(|why| andon_core::legible::plain(why.as_bytes()))
}
