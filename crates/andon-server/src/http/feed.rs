//! `GET /feed.atom`: deployments and changes of the line for feed readers; `?service=`, `?environment=` and `?by=` narrow it.
//! A reader that shows the tag of what it has is told that nothing is new, and may show a token as its password.

use std::sync::Arc;

use andon_core::chronicle::Row;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_page::feed::Feed;
use andon_page::ledger::encoded;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::Desk;
use super::asked::AskedQuery;
use super::reply::Refused;

/// Where it is.
pub(super) const PATH: &str = "/feed.atom";

/// Entries of a feed.
const MOST: usize = 50;

/// What the feed is narrowed to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Narrowed {
    service: Option<ServiceName>,
    environment: Option<EnvironmentName>,
    by: Option<String>,
}

impl Narrowed {
    fn fits(&self, row: &Row) -> bool {
        let scope = row.scope();
        self.service.as_ref().is_none_or(|service| scope.service == *service)
            && self.environment.as_ref().is_none_or(|environment| scope.environment == *environment)
            && self.by.as_ref().is_none_or(|by| row.by() == by)
    }

    /// Itself behind a `?`, always in the same order, and in words.
    fn written(&self) -> (String, String) {
        let words = [
            ("service", self.service.as_ref().map(ToString::to_string)),
            ("environment", self.environment.as_ref().map(ToString::to_string)),
            ("by", self.by.as_ref().map(|by| by.chars().take(100).collect())),
        ];
        let named: Vec<(&str, String)> =
            words.into_iter().filter_map(|(name, word)| word.map(|word| (name, word))).collect();
        let query: Vec<String> =
            named.iter().map(|(name, word)| format!("{name}={}", encoded(word))).collect();
        let about: Vec<String> = named.iter().map(|(name, word)| format!("{name} {word}")).collect();
        (query.join("&"), about.join(", "))
    }
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    AskedQuery(narrowed): AskedQuery<Narrowed>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let records = desk.controller.records();
    let known = desk.chronicle.fresh().await;
    let fitting = known.deployments.rows().rev().filter(|row| narrowed.fits(row));
    let deployments = fitting.take(MOST).map(Row::summary).collect();
    // The line is everybody's; who asks for one person's deeds gets that person's.
    let cord = records.cord().await?.value;
    let line = cord.changes().filter(|change| match &narrowed.by {
        Some(by) => change.fact.person() == Some(by.as_str()),
        None => true,
    });
    let (query, about) = narrowed.written();
    let feed = Feed {
        ledger: records.ledger().id().to_owned(),
        query,
        about,
        base: desk.doors.settings.external_url.clone(),
        line: line.take(MOST).cloned().collect(),
        deployments,
        most: MOST,
    };
    Ok(conditional(
        &headers,
        andon_page::feed::render(&feed),
        "application/atom+xml; charset=utf-8",
        "no-cache",
    ))
}

/// An answer, or the word that whoever asks has it already. `kept` is how long it may be kept unasked.
pub(super) fn conditional(
    headers: &HeaderMap,
    text: String,
    kind: &'static str,
    kept: &'static str,
) -> Response<Body> {
    let digest = blake3::hash(text.as_bytes()).to_hex();
    let tag = format!("\"{}\"", digest.get(..32).unwrap_or_default());
    let shown = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = shown.flat_map(|value| value.split(',')).any(|shown| {
        let shown = shown.trim();
        shown == "*" || shown.trim_start_matches("W/") == tag
    });
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { Response::new(Body::from(text)) };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}
