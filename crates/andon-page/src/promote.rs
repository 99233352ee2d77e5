//! *Stage* and *deploy*: two buttons. What the line builds goes to the first environment; what runs there, bit for bit, is
//! what the next one gets. With the commits in between, and who wrote them.

use std::collections::BTreeSet;

use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::release::{ReleaseId, Revision};
use andon_core::scope::KnownRelease;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::{outcome, question, when};

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The service.
    pub service: ServiceName,
    /// Its environments: those that get the line's release first, then those that get what another one runs.
    pub environments: Vec<Stage>,
    /// Whether the line stands: nothing but a repair begins then.
    pub stopped: bool,
}

/// One environment, and what it would get.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its name.
    pub name: EnvironmentName,
    /// What it runs.
    pub current: Option<ReleaseId>,
    /// Where its release comes from.
    pub source: Source,
    /// The commits that would come in, the newest first; why they are not known, where they are not.
    pub commits: Result<Vec<Revision>, String>,
    /// Whether its name has to be typed.
    pub protected: bool,
    /// Whether whoever looks may deploy to it.
    pub may: bool,
}

/// Where a release comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The line, as it lies on the server's disk: its newest commit, where there is one.
    Line(Option<Revision>),
    /// Another environment: what it runs, exactly; or why that does not go on.
    Environment(EnvironmentName, Result<Box<KnownRelease>, String>),
}

/// The page.
pub fn render(shown: &Shown, frame: &Frame) -> Markup {
    let service = shown.service.as_str();
    let body = html! {
        p { a href={ "/services/" (service) } { (service) } }
        h1 { "Deploy " (service) }
        @if shown.stopped {
            p.notice.bad { (outcome::sign("✘")) " The line is stopped: only a repair begins, from the command line with " code { "--fixes" } ". " a href="/" { "Why it is stopped" } }
        }
        @if shown.environments.is_empty() { p.empty { "The line of this server has no such service." } }
        @for stage in &shown.environments { (environment(shown, stage, frame)) }
        p.muted.small.prose { "Which environment comes before which stands in " code { "line.star" } ": "
            code { "environment(\"production\", after = \"staging\")" } ". Without it, " code { "staging" } " comes first where there is one." }
    };
    frame.page(&format!("Deploy {service}"), &body)
}

fn environment(shown: &Shown, stage: &Stage, frame: &Frame) -> Markup {
    let name = stage.name.as_str();
    html! {
        section aria-labelledby={ "to-" (name) } {
            h2 id={ "to-" (name) } { (name) }
            p { "It runs " @match &stage.current { Some(release) => code { (release) }, None => "nothing that was deployed to the end" } "." }
            @match &stage.source {
                Source::Line(revision) => {
                    p { "It gets what the line describes, as it lies on the server's disk"
                        @if let Some(revision) = revision { ", at " code { (revision.commit) } " " (revision.subject) " (" (revision.author) ")" } "." }
                    (commits(&stage.commits, frame))
                    (form(shown, stage, "stage", &said(shown, stage), revision.as_ref().map(|it| ("commit", it.commit.as_str())), frame))
                }
                Source::Environment(from, Ok(known)) => {
                    p { "It gets what " (from.as_str()) " runs, bit for bit: " code { (known.release.id) } ", good there since "
                        a href={ "/deployments/" (known.deployment.0) } { (known.deployment) } " " (when::ago(known.at, frame)) "." }
                    p.small.muted { "digest " code { (known.release.digest.to_string()) } }
                    (commits(&stage.commits, frame))
                    (form(shown, stage, "deploy", &format!("Deploy to {name}"), Some(("release", known.release.id.as_str())), frame))
                }
                Source::Environment(_, Err(why)) => { p.notice.unknown { (outcome::sign("?")) " Nothing goes on to " (name) " now: " (why) "." } }
            }
        }
    }
}

/// What the button says. What goes to an environment that another one follows is staged.
fn said(shown: &Shown, stage: &Stage) -> String {
    let follows =
        |other: &Stage| matches!(&other.source, Source::Environment(from, _) if *from == stage.name);
    let staged = if shown.environments.iter().any(follows) { "Stage: deploy" } else { "Deploy" };
    format!("{staged} to {}", stage.name)
}

fn commits(commits: &Result<Vec<Revision>, String>, frame: &Frame) -> Markup {
    let commits = match commits {
        Ok(commits) => commits,
        Err(why) => return html! { p.muted { "The commits in between are not known: " (why) "." } },
    };
    let authors: BTreeSet<&str> = commits.iter().map(|commit| commit.author.as_str()).collect();
    html! {
        @if commits.is_empty() { p { "No commit lies in between." } } @else {
            p { (commits.len()) @if commits.len() == 1 { " commit" } @else { " commits" } " in between, by "
                (authors.into_iter().collect::<Vec<_>>().join(", ")) ":" }
            ul.rows.prose { @for commit in commits {
                li { code { (commit.commit) } " " (commit.subject) " " span.muted { (commit.author) " " (when::ago(commit.at, frame)) } }
            } }
        }
    }
}

/// A button with what goes along. `seen` is what the page names: the server takes no other one instead.
fn form(
    shown: &Shown,
    stage: &Stage,
    act: &str,
    words: &str,
    seen: Option<(&str, &str)>,
    frame: &Frame,
) -> Markup {
    let name = stage.name.as_str();
    if !stage.may {
        return html! { div.acts { button type="button" disabled { (words) } }
        p.muted { "This needs the role " em { "deploy" } " for " (shown.service.as_str()) " in " (name) "." } };
    }
    html! {
        form method="post" action={ "/services/" (shown.service.as_str()) "/" (act) } {
            (frame.token())
            input type="hidden" name="environment" value=(name);
            @if let Some((what, it)) = seen { input type="hidden" name=(what) value=(it); }
            details { summary { "With a reason" } div.field { label for={ "why-" (name) } { "Why" }
                input id={ "why-" (name) } type="text" name="why" maxlength="1000" autocomplete="off"; } }
            (question::typed(stage.protected.then_some(&stage.name)))
            div.acts { button disabled[shown.stopped] { (words) } }
        }
    }
}
