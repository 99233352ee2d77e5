//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::gate::{self, Gate};
use super::openapi::Document;
use super::reply::{ErrorCode, Refused, as_json};
use super::token::Token;
use super::{Desk, api, argo, badge, evaluations, feed, flagger, health, line, metrics, pages};

/// Every path. Only `/health` and what pages are made of is for everybody; all else is behind the gate.
pub(super) fn router(desk: Arc<Desk>, token: Option<Token>) -> Router {
    let gate = Arc::new(Gate { desk: Arc::clone(&desk), token });
    let (api, document) =
        OpenApiRouter::with_openapi(Document::openapi()).merge(api::routes()).split_for_parts();
    let document = Arc::new(document);
    Router::new()
        .route("/v1/line", get(line::show))
        .route("/v1/line/exceptions", post(line::except))
        .route("/v1/metrics", post(metrics::receive))
        .route("/v1/evaluations", post(evaluations::begin))
        .route("/v1/evaluations/{id}", get(evaluations::look).delete(evaluations::stop))
        .route("/v1/evaluations/{id}/ticks", post(evaluations::tell))
        .route("/v1/evaluations/{id}/argo", get(argo::measure))
        .route("/v1/evaluations/{id}/argo/verdict", get(argo::verdict))
        .route("/v1/flagger/{hook}", post(flagger::answer))
        .route("/v1/openapi.json", get(move || async move { as_json(StatusCode::OK, document.as_ref()) }))
        .merge(api)
        .route("/feed.atom", get(feed::show))
        .route("/badge/{service}/{file}", get(badge::show))
        .merge(pages::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(gate, gate::pass))
        .route("/health", get(health::show))
        .merge(pages::assets())
        .with_state(desk)
}

async fn unknown(uri: Uri) -> Refused {
    let what = format!("there is nothing at {}", shown(uri.path()));
    Refused::new(ErrorCode::NotFound, what, "see docs/guide/judging-for-others.md for what there is")
}

async fn not_allowed(method: Method, uri: Uri) -> Refused {
    let what = format!("{method} is not for {}", shown(uri.path()));
    Refused::new(ErrorCode::MethodNotAllowed, what, "see docs/guide/judging-for-others.md for what there is")
}

fn shown(path: &str) -> String {
    path.chars().take(200).collect()
}
