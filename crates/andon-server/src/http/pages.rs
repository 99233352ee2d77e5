//! HTML: what people look at. A handler gathers what a page shows and lets `andon_page` write it; it decides nothing.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use maud::Markup;
use tower_http::compression::CompressionLayer;

use super::Desk;
use setting::Framed;

mod access;
mod acts;
mod deployment;
mod dna;
mod dora;
pub(super) mod evidence;
mod form;
pub(super) mod hosts;
mod ledger;
mod notifications;
mod now;
mod per_day;
mod promote;
pub(super) mod releases;
mod services;
pub(super) mod setting;
pub(super) mod sign_in;
mod timeline;

/// What the browser may do with our pages: only what comes from here, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Every page, and what pages are made of.
pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/", get(now::show))
        .route("/timeline", get(timeline::show))
        .route("/timeline/part", get(timeline::fragment))
        .route("/per-day", get(per_day::show))
        .route("/dora", get(dora::show))
        .route("/dna", get(dna::show))
        .route("/hosts", get(hosts::list))
        .route("/hosts/{name}", get(hosts::show))
        .route("/line/stop", post(acts::stop_line))
        .route("/line/start", post(acts::start_line))
        .route("/approvals", post(acts::approve))
        .route("/settings", get(settings))
        .merge(access::routes())
        .merge(sign_in::out())
        .route("/deployments/{number}", get(deployment::show))
        .route("/deployments/{number}/hosts/{host}", get(deployment::host))
        .route("/deployments/{number}/pause", post(acts::pause))
        .route("/deployments/{number}/resume", post(acts::resume))
        .route("/deployments/{number}/abort", get(acts::ask_abort).post(acts::abort))
        .route("/deployments/{number}/rollback", get(acts::ask_rollback).post(acts::rollback))
        .route("/services/{name}/deploy", get(promote::show).post(promote::deploy_now))
        .route("/services/{name}/stage", post(promote::stage_now))
        .merge(registers())
        .layer(CompressionLayer::new())
}

/// What can be set, and where.
async fn settings(Framed(frame): Framed) -> Response<Body> {
    page(StatusCode::OK, andon_page::settings::render(&frame))
}

/// What is looked up: services, releases, records, and who asked to be told what.
fn registers() -> Router<Arc<Desk>> {
    Router::new()
        .route("/services", get(services::list))
        .route("/services/{name}", get(services::one))
        .route("/releases", get(releases::list))
        .route("/releases/compare", get(releases::compare))
        .route("/ledger", get(ledger::list))
        .route("/ledger/export.jsonl", get(ledger::export))
        .route("/ledger/verification", post(ledger::verify))
        .route("/ledger/{position}", get(ledger::one))
        .route("/settings/notifications", get(notifications::show).post(notifications::subscribe))
        .route("/settings/notifications/end", post(notifications::end))
}

/// Styles and scripts. Their names hold their digests, so that they are kept for ever. For everybody.
pub(super) fn assets() -> Router<Arc<Desk>> {
    Router::new().route("/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>) -> Response<Body> {
    let Some(asset) = andon_page::assets::find(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, asset.bytes).into_response()
}

/// A page as an answer.
fn page(status: StatusCode, markup: Markup) -> Response<Body> {
    let mut response = Response::new(Body::from(markup.into_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The zone of whoever looks, from the cookie `zone`; UTC without it.
fn zone(headers: &HeaderMap) -> jiff::tz::TimeZone {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut parsed = cookies.flat_map(cookie::Cookie::split_parse).filter_map(Result::ok);
    let named = parsed.find(|cookie| cookie.name() == "zone");
    named.and_then(|cookie| jiff::tz::TimeZone::get(cookie.value()).ok()).unwrap_or(jiff::tz::TimeZone::UTC)
}
