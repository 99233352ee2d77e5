//! An Atom feed (RFC 4287) of what happened: deployments, and changes of the line. The same data gives the same feed, byte
//! for byte, whatever the hour: so a reader that has it need not fetch it again.

use andon_core::cord::{Change, CordFact, Passage};
use andon_core::deployment::Summary;
use andon_core::time::Time;
use maud::{Markup, PreEscaped, html};

/// What the feed holds.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    /// The name of the ledger: entries of two ledgers are never taken for each other.
    pub ledger: String,
    /// What the feed is narrowed to, as it stands behind the `?` of its address; empty for everything.
    pub query: String,
    /// What it is narrowed to, in words; empty for everything.
    pub about: String,
    /// Where the server is reached, for example `https://andon.example.com`; addresses are relative without it.
    pub base: Option<String>,
    /// Deployments, the newest first.
    pub deployments: Vec<Summary>,
    /// Changes of the line, the newest first.
    pub line: Vec<Change>,
    /// The most entries.
    pub most: usize,
}

/// What makes an entry.
struct Entry {
    id: String,
    updated: Time,
    published: Time,
    title: String,
    author: String,
    path: String,
    words: Vec<String>,
}

/// The feed as XML.
pub fn render(feed: &Feed) -> String {
    let mut entries: Vec<Entry> = feed.deployments.iter().map(|row| deployment(feed, row)).collect();
    entries.extend(feed.line.iter().map(|change| line(feed, change)));
    entries.sort_by(|a, b| (b.updated, &b.id).cmp(&(a.updated, &a.id)));
    entries.truncate(feed.most);
    let updated = entries.first().map_or(Time(0), |entry| entry.updated);
    let title = if feed.about.is_empty() { "Andon".to_owned() } else { format!("Andon: {}", feed.about) };
    let own =
        if feed.query.is_empty() { "/feed.atom".to_owned() } else { format!("/feed.atom?{}", feed.query) };
    let body = html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"))
        feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en" {
            id { (id(feed, &format!("feed?{}", feed.query))) }
            title { (xml(&title)) }
            updated { (updated.iso()) }
            author { name { "Andon" } }
            generator { "Andon" }
            (link("self", "application/atom+xml", &address(feed, &own)))
            (link("alternate", "text/html", &address(feed, "/")))
            @for entry in &entries { (of(feed, entry)) }
        }
    };
    body.into_string()
}

fn of(feed: &Feed, entry: &Entry) -> Markup {
    html! {
        entry {
            id { (entry.id) }
            title { (xml(&entry.title)) }
            updated { (entry.updated.iso()) }
            published { (entry.published.iso()) }
            author { name { (xml(&entry.author)) } }
            (link("alternate", "text/html", &address(feed, &entry.path)))
            content type="text" { (xml(&entry.words.join("\n"))) }
        }
    }
}

/// HTML ends a `link` where it begins; XML wants it to be ended.
fn link(rel: &str, kind: &str, href: &str) -> Markup {
    html! { (PreEscaped("<link rel=\"")) (rel) (PreEscaped("\" type=\"")) (kind) (PreEscaped("\" href=\"")) (xml(href)) (PreEscaped("\"/>")) }
}

fn deployment(feed: &Feed, row: &Summary) -> Entry {
    let what = match row.kind {
        andon_core::deployment::Kind::Deploy => row.release.to_string(),
        andon_core::deployment::Kind::Rollback => format!("back to {}", row.release),
    };
    let mut words = vec![format!("{}: {what}, by {}", row.scope, row.by)];
    words.extend(row.revision.as_ref().map(|it| format!("{} “{}” by {}", it.commit, it.subject, it.author)));
    words.extend(row.reason.clone());
    words.extend(row.why.as_ref().map(|why| format!("why: {why}")));
    words.push(format!("{} of {} hosts changed", row.hosts.changed, row.hosts.total));
    Entry {
        id: id(feed, &format!("deployment/{}", row.id.0)),
        updated: row.ended.unwrap_or(row.started.unwrap_or(row.accepted)),
        published: row.accepted,
        title: format!("{} {} {}", row.id, row.scope, row.state.replace('_', " ")),
        author: row.by.clone(),
        path: format!("/deployments/{}", row.id.0),
        words,
    }
}

fn line(feed: &Feed, change: &Change) -> Entry {
    let (title, author, what, words) = match &change.fact {
        CordFact::Stopped { by, reason } => {
            ("The line was stopped", by.to_string(), "stopped", reason.clone())
        }
        CordFact::Started { by, why } => {
            ("The line was started again", by.to_string(), "started", why.clone())
        }
        CordFact::Mended { by, why, .. } => ("The line was mended", by.to_string(), "mended", why.clone()),
        CordFact::Passed { by, what, why } => {
            let what = match what {
                Passage::Push { reference, commit } => format!("a push of {commit} to {reference}"),
                Passage::Fix { deployment, fixes } => format!("{deployment}, the fix of {fixes}"),
            };
            ("An exception passed the stopped line", by.clone(), "passed", format!("{what}: {why}"))
        }
    };
    Entry {
        id: id(feed, &format!("line/{what}/{}", change.at.0)),
        updated: change.at,
        published: change.at,
        title: title.to_owned(),
        author,
        path: "/".to_owned(),
        words: vec![words],
    }
}

/// The same for ever, for the same thing in the same ledger (RFC 4151).
fn id(feed: &Feed, what: &str) -> String {
    let ledger: String = feed.ledger.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    format!("tag:andon.invalid,2026:{ledger}/{what}")
}

fn address(feed: &Feed, path: &str) -> String {
    format!("{}{path}", feed.base.as_deref().unwrap_or_default().trim_end_matches('/'))
}

/// A text without what XML 1.0 has no way to write.
fn xml(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || (!c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')))
        .collect()
}
