//! Which path is answered by what.

use std::sync::Arc;

use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Extension, Router};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::events::Hub;
use super::gate::{self, headers};
use super::openapi::Document;
use super::reply::{ErrorCode, Refused, as_json};
use super::{Desk, api, argo, evaluations, flagger, health, line, metrics, pages};

/// Every path. Only `/health`, what pages are made of and the page to sign in at is for everybody; all else is behind the
/// gate.
pub(super) fn router(desk: Arc<Desk>) -> Router {
    let doors = Arc::clone(&desk.doors);
    let (api, document) =
        OpenApiRouter::with_openapi(Document::openapi()).merge(api::routes()).split_for_parts();
    let document = Arc::new(document);
    let hub = Hub::new(desk.controller.records().clone(), desk.workshop.clone());
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
        .merge(pages::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(Arc::clone(&desk), pages::setting::dress))
        .layer(Extension(hub))
        .layer(from_fn_with_state(Arc::clone(&desk), gate::pass))
        .route("/health", get(health::show))
        .merge(pages::assets())
        .merge(pages::sign_in::routes())
        .layer(from_fn_with_state(Arc::clone(&desk), pages::setting::dress))
        .layer(from_fn_with_state(Arc::clone(&doors), gate::at_home))
        .layer(from_fn_with_state(doors, headers::dress))
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
