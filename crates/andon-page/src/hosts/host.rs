//! One host: what runs on it, how it is, and the deployments that were planned for it.

use andon_core::chronicle::dna::Condition;
use andon_core::chronicle::dna::Sighting;
use andon_core::deployment::Summary;
use andon_core::host::InstanceState;
use andon_core::name::{GroupName, HostName, SiteName};
use andon_core::release::ReleaseId;
use andon_core::vitals::Room;
use maud::{Markup, html};

use super::{Out, Service};
use crate::frame::Frame;
use crate::{assets, dna, outcome, when};

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Host {
    /// Which.
    pub name: HostName,
    /// How it is reached; `None` of one that the line does not name any more.
    pub reached: Option<String>,
    /// Every group that has it.
    pub groups: Vec<GroupName>,
    /// Where it stands.
    pub site: Option<SiteName>,
    /// Its services.
    pub services: Vec<Running>,
    /// Deployments that were planned for it, the newest first.
    pub deployments: Vec<Summary>,
    /// Whether there are more of these.
    pub more: bool,
}

/// One service on it.
#[derive(Debug, Clone)]
pub struct Running {
    /// How it stands.
    pub service: Service,
    /// What should run.
    pub current: Option<ReleaseId>,
    /// Why it is out of traffic, where it is.
    pub out: Option<Out>,
    /// What it said last; `None` when it was not asked yet.
    pub sighting: Option<Sighting>,
}

/// The page.
pub fn render(host: &Host, frame: &Frame) -> Markup {
    let condition =
        host.services.iter().filter_map(|running| running.sighting.as_ref()?.condition.as_ref()).next();
    let body = html! {
        link rel="stylesheet" href=(assets::path("insight.css"));
        p.muted { a href="/hosts" { "Hosts" } }
        h1 { (host.name) }
        section #host data-live {
            dl.facts {
                dt { "Reached" } dd { @match &host.reached {
                    Some(way) => { (way) },
                    None => { "the line does not name it any more; it was deployed to before" },
                } }
                @if !host.groups.is_empty() {
                    dt { "Groups" } dd { (host.groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ")) }
                }
                @if let Some(site) = &host.site { dt { "Site" } dd { (site) } }
                @if let Some(condition) = condition { (vitals(condition)) }
            }
            @for running in &host.services { (service(running, frame)) }
            @if host.services.is_empty() { p.empty { "No service of the line runs here." } }
            (deployments(host, frame))
        }
    };
    frame.page(host.name.as_str(), &body)
}

fn vitals(condition: &Condition) -> Markup {
    let room = |room: Room| format!("{} of {} free", room.free, room.total);
    html! {
        dt { "Up for" } dd { (when::span(condition.uptime)) }
        @if let Some(memory) = condition.memory { dt { "Memory" } dd { (room(memory)) } }
        @if let Some(disk) = condition.disk { dt { "Disk" } dd { (room(disk)) } }
        @if let Some(load) = condition.load {
            dt { "Load" } dd { (format!("{load:.2}")) @if condition.processors > 0 { " on " (condition.processors) " processors" } }
        }
    }
}

fn service(running: &Running, frame: &Frame) -> Markup {
    let Running { service, sighting, .. } = running;
    let id = format!("on-{}-{}", service.scope.service, service.scope.environment);
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { a href={ "/services/" (service.scope.service) } { (service.scope.service) } " → " (service.scope.environment) }
            p class={ "dna-" (service.standing.slug()) } {
                (outcome::sign(service.standing.sign())) " " (service.standing.word()) ": runs " (dna::runs(&service.runs))
                @if let Some(current) = running.current.as_ref().filter(|_| service.needs_a_look()) {
                    ", should run " span.mono { (current) }
                }
            }
            @if let Some(out) = &running.out {
                p.notice.bad { "Out of traffic since " (when::ago(out.since, frame)) ": " (out.reason) " ("
                    a href={ "/deployments/" (out.deployment.0) } { (out.deployment) } ")" }
            }
            @match sighting {
                None => { p.muted { "It was not asked yet." } },
                Some(sighting) => { (said(sighting, frame)) },
            }
        }
    }
}

fn said(sighting: &Sighting, frame: &Frame) -> Markup {
    html! {
        @if let Some((at, why)) = &sighting.silence {
            p.notice.unknown { "It did not answer " (when::ago(*at, frame)) ": " (why)
                @if sighting.answer.is_some() { " Below is what it said before; what runs now is not known." } }
        }
        @if let Some((at, facts)) = &sighting.answer {
            div.wide-table tabindex="0" role="region" aria-label="Instances" { table {
                thead { tr {
                    th scope="col" { "Instance" } th scope="col" { "State" } th scope="col" { "Runs" }
                    th.num scope="col" { "Restarts" } th scope="col" { "Health" }
                } }
                tbody { @for instance in &facts.instances { tr {
                    th scope="row" { (instance.name) }
                    td { @match instance.state {
                        InstanceState::Running => { (outcome::sign("✔")) " running" },
                        InstanceState::Stopped => { (outcome::sign("·")) " stopped" },
                        InstanceState::CrashLooping => { (outcome::sign("✘")) " ends again and again" },
                    } }
                    td.mono { @match &instance.release { Some(release) => { (release) }, None => { "not known" } } }
                    td.num { (instance.restarts) }
                    td { @match &instance.health {
                        None => { span.muted { "no check" } },
                        Some(Ok(())) => { (outcome::sign("✔")) " healthy" },
                        Some(Err(why)) => { (outcome::sign("✘")) " " (why) },
                    } }
                } } }
            } }
            p.muted { "Said " (when::ago(*at, frame)) ". " (facts.free) " free for releases, "
                (facts.releases.len()) " of them kept, " (facts.arch) "." }
            @for obstacle in &facts.obstacles { p.notice.bad { (obstacle) } }
        }
    }
}

fn deployments(host: &Host, frame: &Frame) -> Markup {
    html! {
        h2 { "Deployments" }
        @if host.deployments.is_empty() {
            p.empty { "None that is known to have been planned for it." }
        } @else {
            div.wide-table tabindex="0" role="region" aria-label="Deployments" { table {
                thead { tr {
                    th scope="col" { "Deployment" } th scope="col" { "Of" } th scope="col" { "Release" }
                    th scope="col" { "How it ended" } th scope="col" { "When" } th scope="col" { "By" } th scope="col" { "Here" }
                } }
                tbody { @for row in &host.deployments { tr {
                    th scope="row" { a href={ "/deployments/" (row.id.0) } { (row.id) } }
                    td { (row.scope.to_string()) }
                    td.mono { (row.release) }
                    td { (outcome::badge(&row.state)) }
                    td { (when::ago(row.accepted, frame)) }
                    td { (row.by) }
                    td { @if row.hosts.changed > 0 {
                        a href={ "/deployments/" (row.id.0) "/hosts/" (host.name) } { "output of " (row.id) }
                    } }
                } } }
            } }
            @if host.more { p { a href={ "/timeline?q=host:" (host.name) } { "All of them on the timeline" } } }
        }
    }
}
