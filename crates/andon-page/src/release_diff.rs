//! *Two releases compared*: the files that differ, and the commits between them.

use andon_core::name::ServiceName;
use andon_core::release::{ReleaseId, Revision};
use maud::{Markup, html};

use crate::frame::Frame;
use crate::services::mark;
use crate::{assets, when};

/// What the page shows.
#[derive(Debug, Clone)]
pub struct ReleaseDiff {
    /// Whose releases.
    pub service: ServiceName,
    /// The release that the comparison begins with.
    pub from: ReleaseId,
    /// The release that it leads to.
    pub to: ReleaseId,
    /// The files; why they cannot be compared, where they cannot.
    pub files: Result<Files, String>,
    /// The commits; why they are not known, where they are not.
    pub commits: Result<Commits, String>,
}

/// Files that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// Only in the second.
    pub added: Vec<String>,
    /// Only in the first.
    pub removed: Vec<String>,
    /// In both, and not the same.
    pub changed: Vec<String>,
    /// In both, and the same.
    pub same: usize,
    /// Files that differ and are not named here.
    pub more: usize,
}

/// The commits between two releases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commits {
    /// In the second and not in the first, the newest first.
    pub ahead: Vec<Revision>,
    /// In the first and not in the second: what is taken back.
    pub behind: Vec<Revision>,
    /// Whether there are more than these.
    pub more: bool,
}

/// The page.
pub fn render(diff: &ReleaseDiff, frame: &Frame) -> Markup {
    let service = diff.service.as_str();
    let title = format!("{} to {}", diff.from, diff.to);
    let body = html! {
        link rel="stylesheet" href=(assets::path("registers.css"));
        div class="register" {
            p class="path" {
                a href=(format!("/releases?service={service}")) { "Releases of " (service) } " › compared"
            }
            h1 { (service) ": " code { (diff.from) } " ⇒ " code { (diff.to) } }
            p {
                a href=(format!("/releases/compare?service={service}&from={}&to={}", diff.to, diff.from)) { "The other way round" }
            }
            h2 { "Commits" }
            (commits(&diff.commits, frame))
            h2 { "Files" }
            (files(&diff.files))
        }
    };
    frame.page(&title, &body)
}

fn commits(commits: &Result<Commits, String>, frame: &Frame) -> Markup {
    let commits = match commits {
        Ok(commits) => commits,
        Err(why) => {
            return html! { p { (mark("?")) " The commits are not known: " (why) "." } };
        }
    };
    html! {
        @if commits.ahead.is_empty() && commits.behind.is_empty() { p { "Both were made from the same commit." } }
        @if !commits.ahead.is_empty() { p { (counted(commits.ahead.len(), "commit comes", "commits come")) " in:" } (list(&commits.ahead, frame)) }
        @if !commits.behind.is_empty() { p { (counted(commits.behind.len(), "commit is", "commits are")) " taken back:" } (list(&commits.behind, frame)) }
        @if commits.more { p class="aside" { "There are more; these are the newest." } }
    }
}

fn list(commits: &[Revision], frame: &Frame) -> Markup {
    html! {
        ol class="plain commits" {
            @for commit in commits {
                li { code { (commit.commit) } " “" (commit.subject) "” " span class="quiet" { "by " (commit.author) " " (when::ago(commit.at, frame)) } }
            }
        }
    }
}

fn files(files: &Result<Files, String>) -> Markup {
    let files = match files {
        Ok(files) => files,
        Err(why) => {
            return html! { p { (mark("?")) " The files cannot be compared: " (why) "." } };
        }
    };
    let parts =
        [("added", "+", &files.added), ("removed", "−", &files.removed), ("changed", "≠", &files.changed)];
    html! {
        @if parts.iter().all(|(_, _, names)| names.is_empty()) {
            p { "No file differs: both hold the same " (counted(files.same, "file", "files")) "." }
        } @else {
            p { (files.added.len()) " added, " (files.removed.len()) " removed, " (files.changed.len()) " changed, " (files.same) " the same." }
        }
        @for (what, sign, names) in parts {
            @if !names.is_empty() {
                h3 { (counted(names.len(), "file", "files")) " " (what) }
                ul class="plain files" { @for name in names { li { (mark(sign)) " " code { (name) } } } }
            }
        }
        @if files.more > 0 { p class="aside" { (files.more) " more differ and are not named here." } }
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}
