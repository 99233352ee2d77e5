//! *Version DNA*: what every host really runs, service by service. Who lags behind, and who does not answer, is seen at once.

use andon_core::chronicle::dna::{Runs, Standing, Strand, Strip};
use andon_core::host_list::host_list;
use andon_core::name::{HostName, ServiceName};
use andon_core::time::Time;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::{assets, outcome, when};

/// Hosts that are drawn each as a cell of its own; more of them are drawn as runs of equal ones.
const CELLS: usize = 120;
/// Hosts that are linked by name; more of them are written as ranges.
const NAMED: usize = 24;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Dna {
    /// Every service in every environment of the line.
    pub strips: Vec<Asked>,
    /// Only this service; `None` for all.
    pub service: Option<ServiceName>,
    /// Why nobody can be asked, where that is so: one sentence.
    pub unasked: Option<String>,
}

/// What hosts said, and when.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What they said.
    pub strip: Strip,
    /// When they were asked; `None` when they were not yet.
    pub at: Option<Time>,
}

/// The page.
pub fn render(dna: &Dna, frame: &Frame) -> Markup {
    let (asked, unasked): (Vec<&Asked>, Vec<&Asked>) =
        dna.strips.iter().partition(|asked| asked.at.is_some());
    let (empty, asked): (Vec<&Asked>, Vec<&Asked>) =
        asked.into_iter().partition(|asked| asked.strip.was_never_deployed());
    let (uniform, mixed): (Vec<&Asked>, Vec<&Asked>) =
        asked.into_iter().partition(|asked| asked.strip.is_uniform());
    let body = html! {
        link rel="stylesheet" href=(assets::path("insight.css"));
        h1 { "Version DNA" }
        p.lead { "What every host really runs, as the hosts themselves say. The newest release stands on the left." }
        @if let Some(service) = &dna.service {
            p { "Only " strong { (service) } ". " a href="/dna" { "All services" } }
        }
        (hatches())
        section #strips data-live {
            @if let Some(why) = &dna.unasked { p.notice.unknown { "No host can be asked: " (why) } }
            @if dna.strips.is_empty() && dna.unasked.is_none() {
                p.empty { "The line has no service yet. On your machine: " code { "andon init" } }
            }
            @if !dna.strips.is_empty() { (in_short(dna.strips.len(), &mixed, &uniform)) }
            @if !mixed.is_empty() {
                h2 { "Not on one release" }
                @for asked in &mixed { (strip(asked, frame)) }
            }
            @if !uniform.is_empty() {
                h2 { "All on one release" }
                @for asked in &uniform { (strip(asked, frame)) }
            }
            @if !empty.is_empty() {
                h2 { "Not deployed yet" }
                ul { @for asked in &empty {
                    li { (asked.strip.scope.to_string()) ": " (hosts_word(asked.strip.hosts())) ", where nothing runs" }
                } }
            }
            @if !unasked.is_empty() {
                h2 { "Not asked yet" }
                ul { @for asked in &unasked {
                    li { (asked.strip.scope.to_string()) ": " (hosts_word(asked.strip.hosts())) ", none of them asked yet" }
                } }
            }
        }
        (legend())
    };
    frame.page("Version DNA", &body)
}

fn in_short(all: usize, mixed: &[&Asked], uniform: &[&Asked]) -> Markup {
    let sum = |standing| mixed.iter().map(|asked| asked.strip.standing(standing)).sum::<usize>();
    let (behind, unknown) = (sum(Standing::Behind), sum(Standing::Unknown));
    html! {
        @if !uniform.is_empty() && mixed.is_empty() {
            p.good { (outcome::sign("✔")) " Every host that was asked runs what it should." }
        } @else if !mixed.is_empty() {
            p { (outcome::sign("✘")) " "
                (mixed.len()) " of " (all) " services and environments are not on one release: "
                (hosts_word(behind)) " behind, " (unknown) " unknown."
            }
        }
    }
}

fn strip(asked: &Asked, frame: &Frame) -> Markup {
    let strip = &asked.strip;
    let scope = &strip.scope;
    let id = format!("dna-{}-{}", scope.service, scope.environment);
    html! {
        section.strip aria-labelledby=(id) {
            h3 id=(id) { a href={ "/services/" (scope.service) } { (scope.service) } " → " (scope.environment) }
            p.sum { (sum(strip)) @if let Some(at) = asked.at { span.muted { " · asked " (when::ago(at, frame)) } } }
            (drawn(strip))
            @if strip.is_uniform() {
                details { summary { "Which hosts" } (table(strip, frame)) }
            } @else {
                (table(strip, frame))
            }
        }
    }
}

/// `18 hosts: 15 current, 2 behind, 1 unknown`.
fn sum(strip: &Strip) -> Markup {
    const ORDER: [Standing; 8] = [
        Standing::Current,
        Standing::Ahead,
        Standing::Behind,
        Standing::Strange,
        Standing::Mixed,
        Standing::Nothing,
        Standing::Empty,
        Standing::Unknown,
    ];
    let parts: Vec<(Standing, usize)> = ORDER
        .into_iter()
        .map(|standing| (standing, strip.standing(standing)))
        .filter(|(_, count)| *count > 0)
        .collect();
    html! {
        (hosts_word(strip.hosts()))
        @for (at, (standing, count)) in parts.iter().enumerate() {
            @if at == 0 { ": " } @else { ", " }
            span class={ "dna-" (standing.slug()) } { (count) " " (standing.word()) }
        }
        @if strip.releases() > 1 { " · " (strip.releases()) " releases at once" }
    }
}

fn hosts_word(count: usize) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}

/// The strip: one cell for each host, or one run for each strand where they would be too thin to see.
fn drawn(strip: &Strip) -> Markup {
    let hosts = strip.hosts().max(1) as f64;
    let (cells, width) = (strip.hosts() <= CELLS, 1000.0);
    let mut from = 0.0;
    let mut runs = Vec::new();
    for strand in &strip.strands {
        let wide = width * strand.hosts.len() as f64 / hosts;
        // A single host among a thousand is seen as well.
        runs.push((strand, from, wide.max(4.0).min(width - from)));
        from += wide;
    }
    html! {
        svg.dna viewBox="0 0 1000 28" preserveAspectRatio="none" role="img" aria-label={ "Strip of " (strip.scope.to_string()) } {
            @for (strand, x, wide) in runs {
                g class={ "dna-" (strand.standing.slug()) } {
                    title { (strand_title(strand)) }
                    @if cells {
                        @let cell = wide / strand.hosts.len().max(1) as f64;
                        @for at in 0..strand.hosts.len() {
                            rect x=(tenth(x + cell * at as f64)) y="0" width=(tenth((cell - 2.0).max(cell * 0.7))) height="28" {}
                        }
                    } @else {
                        rect x=(tenth(x)) y="0" width=(tenth(wide)) height="28" {}
                    }
                }
            }
        }
    }
}

/// What is read when a run is pointed at.
fn strand_title(strand: &Strand) -> String {
    let hosts =
        if strand.hosts.len() <= 4 { host_list(&strand.hosts) } else { hosts_word(strand.hosts.len()) };
    format!("{} {}: {hosts}", runs_words(&strand.runs), strand.standing.word())
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn table(strip: &Strip, frame: &Frame) -> Markup {
    html! {
        div.wide-table tabindex="0" role="region" aria-label={ "Releases of " (strip.scope.to_string()) } { table.strands {
            thead { tr {
                th scope="col" { "Runs" } th scope="col" { "Stands" } th.num scope="col" { "Hosts" }
                th scope="col" { "Which" } th scope="col" { "First deployed" } th scope="col" { "Commit" }
            } }
            tbody { @for strand in &strip.strands { (row(strand, frame)) } }
        } }
    }
}

fn row(strand: &Strand, frame: &Frame) -> Markup {
    let attention = !strand.standing.is_well();
    html! {
        tr class={ "dna-" (strand.standing.slug()) } {
            th scope="row" { (runs(&strand.runs)) }
            td { (outcome::sign(strand.standing.sign())) " " (strand.standing.word())
                @if strand.steps_behind > 0 {
                    " by " (strand.steps_behind) @if strand.steps_behind == 1 { " release" } @else { " releases" }
                }
            }
            td.num { (strand.hosts.len()) }
            td { (names(&strand.hosts, attention)) }
            td { @if let Some((id, at)) = strand.since {
                a href={ "/deployments/" (id.0) } { (id) } " " (when::day(at, frame))
            } }
            td.subject { @if let Some(revision) = &strand.revision {
                code { (revision.commit) } " " (revision.subject) " " span.muted { "(" (revision.author) ")" }
            } }
        }
    }
}

/// The hosts: each by name and linked where they are few, or where somebody has to look at them.
fn names(hosts: &[HostName], attention: bool) -> Markup {
    let shown = if attention { NAMED } else { 4 };
    html! {
        @if hosts.len() <= shown {
            @for (at, host) in hosts.iter().enumerate() {
                @if at > 0 { " " }
                a href={ "/hosts/" (host) } { (host) }
            }
        } @else { (host_list(hosts)) }
    }
}

/// What a host runs.
pub(crate) fn runs(runs: &Runs) -> Markup {
    html! {
        @match runs {
            Runs::Release(release) => code { (release) },
            other => { (runs_words(other)) },
        }
    }
}

pub(crate) fn runs_words(runs: &Runs) -> String {
    match runs {
        Runs::Release(release) => release.to_string(),
        Runs::Mixed(releases) => {
            let names: Vec<&str> = releases.iter().map(andon_core::release::ReleaseId::as_str).collect();
            match names.as_slice() {
                [only] => format!("{only} on some instances, nothing on others"),
                _ => names.join(" and "),
            }
        }
        Runs::Foreign => "something that is no release".to_owned(),
        Runs::Nothing => "nothing".to_owned(),
        Runs::Unknown => "not known".to_owned(),
    }
}

/// Patterns that tell runs apart without colour.
fn hatches() -> Markup {
    html! {
        svg.hatches width="0" height="0" aria-hidden="true" focusable="false" { defs {
            pattern #hatch-behind width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                rect.ground width="8" height="8" {} rect.mark width="3" height="8" {}
            }
            pattern #hatch-odd width="8" height="8" patternUnits="userSpaceOnUse" {
                rect.ground width="8" height="8" {} circle.mark cx="4" cy="4" r="2" {}
            }
            pattern #hatch-unknown width="8" height="8" patternUnits="userSpaceOnUse" {
                rect.ground width="8" height="8" {} path.mark d="M0 4h8" {}
            }
        } }
    }
}

fn legend() -> Markup {
    const SHOWN: [(Standing, &str); 8] = [
        (
            Standing::Ahead,
            "a release that came after the one they should run: a deployment is under way, or was left there",
        ),
        (Standing::Current, "what they should run"),
        (Standing::Behind, "an older release"),
        (Standing::Strange, "a release that no deployment here brought"),
        (Standing::Mixed, "instances of one host run different releases, or some run nothing"),
        (Standing::Nothing, "nothing, although something was deployed"),
        (Standing::Empty, "nothing, and no deployment ended well here"),
        (Standing::Unknown, "no answer: what they ran before does not count"),
    ];
    html! {
        details.legend { summary { "What the words mean" } dl.facts {
            @for (standing, meaning) in SHOWN {
                dt class={ "dna-" (standing.slug()) } { (outcome::sign(standing.sign())) " " (standing.word()) }
                dd { (meaning) }
            }
        } }
    }
}

#[cfg(test)]
mod tests;
