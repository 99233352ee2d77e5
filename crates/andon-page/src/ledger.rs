//! *Ledger*: what was recorded, the newest first, narrowed by words; one record in full; and whether the chain holds.

use andon_core::time::Time;
use maud::{Markup, html};

use crate::frame::Frame;
use crate::services::mark;
use crate::{assets, when};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// What is looked for, as it was typed.
    pub filter: Filter,
    /// What is wrong with it, where something is.
    pub complaint: Option<String>,
    /// What fits, the newest first.
    pub rows: Vec<Row>,
    /// The position of the newest record.
    pub head: u64,
    /// The records that were looked at for this page: the lowest and the highest position.
    pub looked_at: Option<(u64, u64)>,
    /// Where it goes on: the query of a page of older records.
    pub older: Option<String>,
    /// The query of what is shown, for the export.
    pub query: String,
    /// How the last verification went, or goes.
    pub verification: Verification,
}

/// What is looked for. Empty is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A stream, or how its name begins: `deployment/128`, `scope/`.
    pub stream: String,
    /// The kind of the fact.
    pub kind: String,
    /// Who recorded it.
    pub by: String,
    /// Somewhere in the fact.
    pub text: String,
    /// Not before this.
    pub from: String,
    /// Before this.
    pub until: String,
}

impl Filter {
    /// Whether everything is wanted.
    pub fn is_empty(&self) -> bool {
        [&self.stream, &self.kind, &self.by, &self.text, &self.from, &self.until]
            .iter()
            .all(|it| it.is_empty())
    }
}

/// A record in one row.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its place.
    pub position: u64,
    /// What it is about.
    pub stream: String,
    /// Its place there.
    pub seq: u64,
    /// When it was recorded.
    pub at: Time,
    /// By whom.
    pub by: String,
    /// What kind of fact it is.
    pub kind: String,
    /// The beginning of the fact.
    pub beginning: String,
}

/// How a verification stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verification {
    /// Nobody asked for one since the server was started.
    #[default]
    Never,
    /// It goes on.
    Running {
        /// Since when.
        since: Time,
        /// The position that it has come to.
        at: u64,
        /// The position that it goes to.
        of: u64,
    },
    /// Every record is as it was written.
    Sound {
        /// When it ended.
        at: Time,
        /// Records that were looked at.
        records: u64,
        /// The hash of the last.
        hash: String,
    },
    /// Something is wrong.
    Broken {
        /// When it ended.
        at: Time,
        /// What: one sentence.
        what: String,
    },
}

/// The page.
pub fn render(ledger: &Ledger, frame: &Frame) -> Markup {
    let body = html! {
        link rel="stylesheet" href=(assets::path("registers.css"));
        div class="register" {
            h1 { "Ledger" }
            p {
                "Every fact stands here for ever, chained to all before it. "
                @if ledger.head == 0 { "Nothing is recorded yet." } @else { "There are " (thousands(ledger.head)) " records." }
            }
            (verification(&ledger.verification, frame))
            details open[!ledger.filter.is_empty() || ledger.complaint.is_some()] { summary { "Look for records" } (search(&ledger.filter)) }
            @if let Some(complaint) = &ledger.complaint { p class="notice" role="alert" { "✘ " (complaint) } }
            (found(ledger, frame))
        }
    };
    frame.page("Ledger", &body)
}

fn search(filter: &Filter) -> Markup {
    let field = |name: &str, label: &str, hint: &str, value: &str| {
        html! { label { (label) " " input type="text" name=(name) value=(value) placeholder=(hint) maxlength="200"; } }
    };
    html! {
        form class="fields" method="get" action="/ledger" role="search" aria-label="Records" {
            (field("stream", "Stream", "deployment/128, scope/", &filter.stream))
            (field("kind", "Kind", "marked, lock_taken", &filter.kind))
            (field("by", "By", "ana", &filter.by))
            (field("text", "Text", "r-7f3a91", &filter.text))
            (field("from", "From", "2026-11-28 or 7d", &filter.from))
            (field("until", "Until", "2026-11-28T09:00", &filter.until))
            button { "Look" }
            @if !filter.is_empty() { a href="/ledger" { "Everything" } }
        }
    }
}

fn found(ledger: &Ledger, frame: &Frame) -> Markup {
    html! {
        @if ledger.rows.is_empty() {
            @if ledger.head == 0 {
                p { "The first deployment, or the first stop of the line, is the first record. On your machine: " code { "andon init" } "." }
            } @else if let Some((low, high)) = ledger.looked_at {
                p { "None of the records " (thousands(low)) " to " (thousands(high)) " fits." }
            } @else {
                p { "No record fits." }
            }
        } @else {
            div class="wide" tabindex="0" role="region" aria-label="Records" {
                table class="rows" {
                    thead { tr { th scope="col" { "No." } th scope="col" { "When" } th scope="col" { "By" } th scope="col" { "Stream" } th scope="col" { "Kind" } th scope="col" { "Fact" } } }
                    tbody { @for row in &ledger.rows { (line(row, frame)) } }
                }
            }
        }
        p class="pages" {
            @if let Some(older) = &ledger.older {
                a rel="next" href=(format!("/ledger?{older}")) { "Older records" }
                @if let Some((low, _)) = ledger.looked_at { " (before " (thousands(low)) ")" }
            } @else if ledger.head > 0 { "These are the oldest. " }
            @if !ledger.rows.is_empty() {
                " " a href=(format!("/ledger/export.jsonl?{}", ledger.query)) download="andon-ledger.jsonl" { "Export what fits, as JSON lines" }
            }
        }
    }
}

fn line(row: &Row, frame: &Frame) -> Markup {
    html! {
        tr {
            th scope="row" data-label="No." class="number" { a href=(format!("/ledger/{}", row.position)) { (thousands(row.position)) } }
            td data-label="When" { (when::ago(row.at, frame)) }
            td data-label="By" { (row.by) }
            td data-label="Stream" { code { (row.stream) } " " span class="quiet" { (row.seq) } }
            td data-label="Kind" { (row.kind) }
            td data-label="Fact" { code class="fact" { (row.beginning) } }
        }
    }
}

fn verification(verification: &Verification, frame: &Frame) -> Markup {
    let csrf = html! { @if let Some(csrf) = &frame.csrf { input type="hidden" name="csrf" value=(csrf); } };
    html! {
        form class="line" method="post" action="/ledger/verification" {
            (csrf)
            @match verification {
                Verification::Never => { "Whether a record was changed since is checked over the whole chain. " button { "Verify" } }
                Verification::Running { since, at, of } => {
                    (mark("◐")) " Verification goes on since " (when::ago(*since, frame)) ": "
                    progress max=(of.max(&1)) value=(at) { (thousands(*at)) " of " (thousands(*of)) }
                    " record " (thousands(*at)) " of " (thousands(*of)) ". " a href="/ledger" { "Look again" }
                }
                Verification::Sound { at, records, hash } => {
                    (mark("✔")) " Verified " (when::ago(*at, frame)) ": " (thousands(*records)) " records, none changed; the last hash is " code { (hash) } ". "
                    button { "Verify again" }
                }
                Verification::Broken { at, what } => {
                    strong { (mark("✘")) " The ledger does not hold" } ", found " (when::ago(*at, frame)) ": " (what) ". Nothing must be deployed from it before it is restored: " code { "andon ledger restore" } ". "
                    button { "Verify again" }
                }
            }
        }
    }
}

/// A record in full.
#[derive(Debug, Clone)]
pub struct Whole {
    /// It in one row; its beginning is not used.
    pub row: Row,
    /// Its hash.
    pub hash: String,
    /// The hash of the record before it; `None` for the first.
    pub before: Option<String>,
    /// The fact, written so that people can read it.
    pub fact: String,
    /// Bytes of it that are left out here.
    pub left_out: usize,
    /// The position of the newest record.
    pub head: u64,
}

/// The page of one record.
pub fn record(whole: &Whole, frame: &Frame) -> Markup {
    let row = &whole.row;
    let title = format!("Record {}", thousands(row.position));
    let body = html! {
        link rel="stylesheet" href=(assets::path("registers.css"));
        div class="register" {
            p class="path" { a href="/ledger" { "Ledger" } " › " (thousands(row.position)) }
            h1 { (title) }
            dl {
                dt { "Stream" } dd { a href=(format!("/ledger?stream={}", encoded(&row.stream))) { (row.stream) } ", number " (row.seq) " of it" }
                dt { "Kind" } dd { (row.kind) }
                dt { "When" } dd { (when::ago(row.at, frame)) " " span class="quiet" { (row.at.iso()) } }
                dt { "By" } dd { (row.by) }
                dt { "Hash" } dd { code class="hash" { (whole.hash) } }
                dt { "Follows" }
                dd { @match &whole.before {
                    Some(hash) => { a href=(format!("/ledger/{}", row.position.saturating_sub(1))) { "record " (thousands(row.position.saturating_sub(1))) } ", " code class="hash" { (hash) } },
                    None => "nothing: it is the first",
                } }
            }
            p class="aside" { "The hash is BLAKE3 over the hash before it and every field above, with the fact as it is stored." }
            h2 { "Fact" }
            pre tabindex="0" { (whole.fact) }
            @if whole.left_out > 0 { p class="aside" { (whole.left_out) " more bytes: " code { "andon ledger export" } " has all of it." } }
            p class="pages" {
                @if row.position > 1 { a rel="prev" href=(format!("/ledger/{}", row.position - 1)) { "The one before" } }
                @if row.position < whole.head { " " a rel="next" href=(format!("/ledger/{}", row.position + 1)) { "The one after" } }
            }
        }
    };
    frame.page(&title, &body)
}

/// A number with a comma between thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text as it may stand in a query.
pub fn encoded(text: &str) -> String {
    let mut safe = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                safe.push(char::from(byte))
            }
            other => safe.push_str(&format!("%{other:02X}")),
        }
    }
    safe
}
