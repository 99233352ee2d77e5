//! *Hosts*: what runs where, who is out of traffic and why, who does not answer. One host: all that is known of it.

use andon_core::chronicle::dna::{Runs, Standing};
use andon_core::deployment::DeploymentId;
use andon_core::name::{GroupName, HostName};
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::{assets, dna, outcome, when};

pub mod host;

/// Services of a host that are written out when all of them are as they should be.
const WRITTEN_OUT: usize = 3;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// The groups of the line with their hosts; a host stands in the first group that has it.
    pub groups: Vec<(Option<GroupName>, Vec<Row>)>,
    /// How many hosts there are in all.
    pub total: usize,
    /// How many fit what was looked for, those that are not shown included.
    pub fitting: usize,
    /// What was looked for.
    pub query: String,
    /// Why nobody can be asked, where that is so: one sentence.
    pub unasked: Option<String>,
}

/// One host.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which.
    pub host: HostName,
    /// Every group that has it.
    pub groups: Vec<GroupName>,
    /// What it runs, service by service.
    pub services: Vec<Service>,
    /// Where it is out of traffic.
    pub out: Vec<Out>,
    /// Why it did not answer when it was asked last, and when that was.
    pub silence: Option<(Time, String)>,
    /// When it answered last.
    pub answered: Option<Time>,
}

/// One service on a host.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Which, and where.
    pub scope: ScopeName,
    /// What runs.
    pub runs: Runs,
    /// How that stands to what should run.
    pub standing: Standing,
    /// Instances that run and are healthy, and all of them; `None` where that is not known.
    pub serving: Option<(usize, usize)>,
}

/// A host that was left out of its balancers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Out {
    /// For which service, and where.
    pub scope: ScopeName,
    /// By which deployment.
    pub deployment: DeploymentId,
    /// Why: one sentence.
    pub reason: String,
    /// Since when.
    pub since: Time,
}

impl Row {
    fn ill(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|service| service.needs_a_look())
    }

    /// Whether somebody should look at it.
    pub fn needs_a_look(&self) -> bool {
        !self.out.is_empty() || self.silence.is_some() || self.ill().next().is_some()
    }

    /// Whether it fits what somebody looks for: every word is part of its name, of a group, a service, an environment or
    /// a release of it, or of how it stands (`out`, `unknown`, `behind`).
    pub fn fits(&self, query: &str) -> bool {
        query.split_whitespace().take(16).all(|word| {
            let word = word.to_lowercase();
            let has = |text: &str| text.to_lowercase().contains(&word);
            has(self.host.as_str())
                || self.groups.iter().any(|group| has(group.as_str()))
                || (word == "out" && !self.out.is_empty())
                || (word == "unknown" && self.silence.is_some())
                || self.out.iter().any(|out| has(&out.reason))
                || self.services.iter().any(|service| {
                    has(service.scope.service.as_str())
                        || has(service.scope.environment.as_str())
                        || service.standing.word() == word
                        || has(&dna::runs_words(&service.runs))
                })
        })
    }
}

impl Service {
    /// Whether it is not as it should be.
    pub fn needs_a_look(&self) -> bool {
        !self.standing.is_well() || self.serving.is_some_and(|(serving, all)| serving < all)
    }
}

/// The page.
pub fn render(hosts: &Hosts, frame: &Frame) -> Markup {
    let shown: usize = hosts.groups.iter().map(|(_, rows)| rows.len()).sum();
    let all = || hosts.groups.iter().flat_map(|(_, rows)| rows);
    let body = html! {
        link rel="stylesheet" href=(assets::path("insight.css"));
        script type="module" src=(assets::path("hosts.js")) {}
        h1 { "Hosts" }
        @if let Some(why) = &hosts.unasked { p.notice.unknown { "No host can be asked: " (why) } }
        @if hosts.total == 0 {
            p.empty { "The line names no host yet. They stand in " code { "line.star" } ": "
                code { "web = group(\"web\", [\"web1.example.com\"])" } }
        } @else {
            form.inline #find role="search" method="get" action="/hosts" {
                div { label for="q" { "Find hosts" }
                    input #q type="search" name="q" value=(hosts.query) placeholder="web3, production, out, behind, r-51bc" autocomplete="off"; }
                button.second { "Find" }
            }
            p #found role="status" data-part[shown < hosts.fitting] { (found(hosts, shown)) }
            section #hosts data-live {
                (attention(&all().filter(|row| row.needs_a_look()).collect::<Vec<_>>(), frame))
                @for (group, rows) in &hosts.groups { (table(group.as_ref(), rows, frame)) }
            }
        }
    };
    frame.page("Hosts", &body)
}

fn found(hosts: &Hosts, shown: usize) -> String {
    let all = count(hosts.total);
    match (hosts.query.is_empty(), shown < hosts.fitting) {
        (true, false) => all,
        (true, true) => format!("{all}; the first {shown} are shown. Look for others by name."),
        (false, false) => format!("{} of {all}", hosts.fitting),
        (false, true) => format!("{} of {all}; the first {shown} are shown", hosts.fitting),
    }
}

fn count(hosts: usize) -> String {
    if hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") }
}

/// Who needs somebody: out of traffic, silent, or on something else than the others.
fn attention(rows: &[&Row], frame: &Frame) -> Markup {
    /// More of them are not read one by one; the tables below have all.
    const MOST: usize = 50;
    let out: Vec<(&Row, &Out)> =
        rows.iter().flat_map(|row| row.out.iter().map(move |out| (*row, out))).collect();
    let silent: Vec<&&Row> = rows.iter().filter(|row| row.silence.is_some()).collect();
    html! {
        @if !out.is_empty() {
            h2 { "Out of traffic" }
            ul.rows { @for (row, out) in out.iter().take(MOST) { li {
                (outcome::sign("✘")) " " a href={ "/hosts/" (row.host) } { (row.host) } ", " (out.scope.to_string())
                ", since " (when::ago(out.since, frame)) ": " (out.reason)
                " (" a href={ "/deployments/" (out.deployment.0) } { (out.deployment) } ")"
            } } }
            @if out.len() > MOST { p.muted { "and " (out.len() - MOST) " more" } }
        }
        @if !silent.is_empty() {
            h2 { "Do not answer" }
            ul.rows { @for row in silent.iter().take(MOST) { @if let Some((at, why)) = &row.silence { li {
                (outcome::sign("?")) " " a href={ "/hosts/" (row.host) } { (row.host) } ", asked " (when::ago(*at, frame)) ": " (why)
                @if let Some(answered) = row.answered { span.muted { " · answered last " (when::ago(answered, frame)) } }
            } } } }
            @if silent.len() > MOST { p.muted { "and " (silent.len() - MOST) " more" } }
        }
    }
}

fn table(group: Option<&GroupName>, rows: &[Row], frame: &Frame) -> Markup {
    let name = group.map_or("In no group", GroupName::as_str);
    html! {
        @if !rows.is_empty() {
            section.group {
                h2 { (name) " " span.muted { (count(rows.len())) } }
                div.wide-table tabindex="0" role="region" aria-label={ "Hosts of " (name) } { table.hosts-table {
                    thead { tr {
                        th scope="col" { "Host" } th scope="col" { "Stands" } th scope="col" { "Runs" }
                    } }
                    tbody { @for row in rows { (line(row, frame)) } }
                } }
            }
        }
    }
}

fn line(row: &Row, frame: &Frame) -> Markup {
    html! {
        tr {
            th scope="row" { a href={ "/hosts/" (row.host) } { (row.host) } }
            td { (stands(row, frame)) }
            td { (runs(row)) }
        }
    }
}

/// A sign and a word: the worst that is known.
fn stands(row: &Row, frame: &Frame) -> Markup {
    html! {
        @if row.silence.is_some() {
            span.unknown { (outcome::sign("?")) " unknown" }
        } @else if row.answered.is_none() {
            span.unknown { (outcome::sign("?")) " not asked yet" }
        } @else if let Some(out) = row.out.first() {
            span.bad { (outcome::sign("✘")) " out" } " since " (when::ago(out.since, frame))
        } @else if let Some(ill) = row.ill().next() {
            span class={ "dna-" (ill.standing.slug()) } { (outcome::sign("✘")) " "
                @if ill.standing == Standing::Current { "not healthy" } @else { (ill.standing.word()) } }
        } @else {
            span.good { (outcome::sign("✔")) " well" }
        }
    }
}

/// What it runs: all of it where that is little, else how much is as it should be, and what is not.
fn runs(row: &Row) -> Markup {
    let (ill, well): (Vec<&Service>, Vec<&Service>) =
        row.services.iter().partition(|service| service.needs_a_look());
    html! {
        @if row.services.is_empty() { span.muted { "no service of the line" } }
        @for service in &ill { (one(service)) }
        @if well.len() <= WRITTEN_OUT { @for service in &well { (one(service)) } }
        @else { span.run { (outcome::sign("✔")) " " (well.len()) " services as they should be" } }
    }
}

fn one(service: &Service) -> Markup {
    html! {
        span.run {
            (outcome::sign(service.standing.sign())) " " (service.scope.to_string()) " "
            @if service.runs != Runs::Unknown { span.mono { (dna::runs_words(&service.runs)) } " " }
            @if service.standing != Standing::Current { "(" (service.standing.word()) ")" }
            @if let Some((serving, all)) = service.serving { @if serving < all { " " (serving) " of " (all) " healthy" } }
        }
    }
}

#[cfg(test)]
mod tests;
