//! `/ledger`: records as people look them up, one in full, an export of what fits, and the verification of the chain.

use std::sync::Arc;

use andon_page::ledger::{Filter, Ledger, Row, Whole, encoded};
use andon_store::Record;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::page;
use super::setting::{Framed, go_to};
use crate::clock;
use crate::http::Desk;
use crate::http::asked::{AskedPath, AskedQuery};
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused};
use crate::registers::search::{Found, Wanted, kind_of, search};
use crate::registers::words::moment;

/// Records of a page.
const SHOWN: usize = 50;
/// Characters of a fact in a row.
const BEGINNING: usize = 160;
/// Bytes of a fact that are shown in full.
const WHOLE: usize = 64 * 1024;
/// Records of an export.
const MOST_EXPORTED: usize = 100_000;
/// Records of an export that are gathered at once.
const EXPORT_PAGE: usize = 500;

/// What stands behind the `?`. A form sends every field, most of them empty.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    stream: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    before: Option<u64>,
}

impl Asked {
    fn filter(&self) -> Filter {
        let cut = |text: &str| text.trim().chars().take(200).collect();
        Filter {
            stream: cut(&self.stream),
            kind: cut(&self.kind),
            by: cut(&self.by),
            text: cut(&self.text),
            from: cut(&self.from),
            until: cut(&self.until),
        }
    }

    fn wanted(&self, zone: &TimeZone) -> Result<Wanted, String> {
        let filter = self.filter();
        let word = |text: String| (!text.is_empty()).then_some(text);
        let at = |text: String| word(text).map(|text| moment(&text, clock::now(), zone)).transpose();
        Ok(Wanted {
            stream: word(filter.stream),
            kind: word(filter.kind),
            by: word(filter.by),
            text: word(filter.text),
            from: at(filter.from)?,
            until: at(filter.until)?,
            before: self.before,
        })
    }
}

/// A filter as it stands behind a `?`.
fn query(filter: &Filter, before: Option<u64>) -> String {
    let words = [
        ("stream", &filter.stream),
        ("kind", &filter.kind),
        ("by", &filter.by),
        ("text", &filter.text),
        ("from", &filter.from),
        ("until", &filter.until),
    ];
    let words = words.into_iter().filter(|(_, word)| !word.is_empty());
    let mut parts: Vec<String> = words.map(|(name, word)| format!("{name}={}", encoded(word))).collect();
    parts.extend(before.map(|before| format!("before={before}")));
    parts.join("&")
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    AskedQuery(asked): AskedQuery<Asked>,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    let ledger = desk.controller.records().ledger();
    let filter = asked.filter();
    let (found, complaint) = match asked.wanted(&frame.zone) {
        Ok(wanted) => (search(ledger, &wanted, SHOWN).await?, None),
        Err(complaint) => (Found { head: ledger.head().await?, ..Found::default() }, Some(complaint)),
    };
    let status = if complaint.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let shown = Ledger {
        complaint,
        rows: found.records.iter().map(row).collect(),
        head: found.head,
        looked_at: found.looked_at,
        older: found.older.map(|before| query(&filter, Some(before))),
        query: query(&filter, asked.before),
        filter,
        verification: desk.registers.verifying.standing(),
    };
    Ok(page(status, andon_page::ledger::render(&shown, &frame)))
}

fn row(record: &Record) -> Row {
    let text = record.fact.to_string();
    let mut beginning: String = text.chars().take(BEGINNING).collect();
    if beginning.len() < text.len() {
        beginning.push('…');
    }
    Row {
        position: record.position,
        stream: record.stream.clone(),
        seq: record.seq,
        at: record.at,
        by: record.by.clone(),
        kind: kind_of(record).to_owned(),
        beginning,
    }
}

pub(super) async fn one(
    State(desk): State<Arc<Desk>>,
    AskedPath(position): AskedPath<u64>,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    let ledger = desk.controller.records().ledger();
    let absent = || {
        let what = format!("there is no record {position}");
        Refused::new(ErrorCode::NotFound, what, "see /ledger for those that there are")
    };
    let after = position.checked_sub(1).ok_or_else(absent)?;
    let record = ledger.tail(after, 1).await?.into_iter().next().filter(|it| it.position == position);
    let record = record.ok_or_else(absent)?;
    let before = match after.checked_sub(1) {
        Some(after) => ledger.tail(after, 1).await?.first().map(|record| record.hash.to_string()),
        None => None,
    };
    let mut fact = serde_json::to_string_pretty(&record.fact).unwrap_or_default();
    let whole = fact.len();
    fact.truncate((0..=WHOLE.min(whole)).rev().find(|at| fact.is_char_boundary(*at)).unwrap_or(0));
    let shown = Whole {
        row: row(&record),
        hash: record.hash.to_string(),
        before,
        left_out: whole - fact.len(),
        fact,
        head: ledger.head().await?,
    };
    Ok(page(StatusCode::OK, andon_page::ledger::record(&shown, &frame)))
}

/// Begins a verification, and leads back to where it is told of.
pub(super) async fn verify(State(desk): State<Arc<Desk>>, _: Asker) -> Result<Response<Body>, Refused> {
    let ledger = Arc::clone(desk.controller.records().ledger());
    desk.registers.verifying.begin(ledger).await?;
    Ok(go_to("/ledger"))
}

/// What fits as JSON lines, the newest first, in the form of `andon ledger export`. Where it does not end, its last line
/// says where it goes on.
pub(super) async fn export(
    State(desk): State<Arc<Desk>>,
    AskedQuery(asked): AskedQuery<Asked>,
    _: Asker,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let next = "mend the filter at /ledger";
    let wanted = asked
        .wanted(&super::zone(&headers))
        .map_err(|complaint| Refused::new(ErrorCode::InvalidRequest, complaint, next))?;
    let Ok(place) = Arc::clone(&desk.registers.exports).try_acquire_owned() else {
        let what = "as many exports as there may be go on";
        return Err(Refused::new(ErrorCode::TooMany, what, "try again when one has ended"));
    };
    let (lines, told) = mpsc::channel::<Result<Vec<u8>, std::io::Error>>(4);
    tokio::spawn(async move {
        // The place is taken until the last line was heard.
        let _place = place;
        if let Err(error) = write(&desk, wanted, &lines).await {
            let _ = lines.send(Err(std::io::Error::other(error))).await;
        }
    });
    let mut response = Response::new(Body::from_stream(ReceiverStream::new(told)));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/jsonl; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"andon-ledger.jsonl\""),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

async fn write(
    desk: &Desk,
    mut wanted: Wanted,
    lines: &mpsc::Sender<Result<Vec<u8>, std::io::Error>>,
) -> Result<(), andon_store::StoreError> {
    let ledger = desk.controller.records().ledger();
    let mut count = 0;
    loop {
        let found = search(ledger, &wanted, EXPORT_PAGE).await?;
        count += found.records.len();
        let mut text = Vec::new();
        for record in &found.records {
            text.extend_from_slice(line(record).as_bytes());
        }
        let ends = found.older.is_none() || count >= MOST_EXPORTED;
        if let Some(before) = found.older.filter(|_| ends) {
            text.extend_from_slice(format!("{}\n", json!({ "goes_on_before": before })).as_bytes());
        }
        // Whoever asked may have gone.
        if lines.send(Ok(text)).await.is_err() || ends {
            return Ok(());
        }
        wanted.before = found.older;
    }
}

/// A record as one line. The fact stands last, as whoever checks the chain needs it.
fn line(record: &Record) -> String {
    let circumstances: Value = json!({
        "position": record.position,
        "stream": record.stream,
        "seq": record.seq,
        "time": record.at.0,
        "at": record.at.iso(),
        "by": record.by,
        "hash": record.hash,
    });
    let text = circumstances.to_string();
    format!("{},\"fact\":{}}}\n", text.strip_suffix('}').unwrap_or(&text), record.fact)
}
