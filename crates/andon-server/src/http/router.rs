//! Which path is answered by what.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::{Extension, Router};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::events::Hub;
use super::exposition::Outcomes;
use super::gate::{self, headers};
use super::idempotency::{Keys, Once};
use super::meter::Meter;
use super::openapi::Document;
use super::reply::{ErrorCode, Refused, as_json};
use super::{
    Desk, api, argo, badge, evaluations, exposition, feed, flagger, health, idempotency, line, meter,
    metrics, openapi, pages,
};

/// Every path. Only `/health`, what pages are made of and the page to sign in at is for everybody; all else is behind the
/// gate.
pub(super) fn router(desk: Arc<Desk>) -> Router {
    let doors = Arc::clone(&desk.doors);
    let (api, document, changes) = described();
    let document = Arc::new(document);
    let records = desk.controller.records();
    let (hub, meter) = (Hub::new(records.clone(), desk.workshop.clone()), Meter::default());
    let once = Once { keys: Keys::new(records.clone()), changes: Arc::new(changes) };
    Router::new()
        .route("/v1/openapi.json", get(move || async move { as_json(StatusCode::OK, document.as_ref()) }))
        .merge(api)
        .route(feed::PATH, get(feed::show))
        .route("/badge/{service}/{file}", get(badge::show))
        .merge(pages::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(once, idempotency::once))
        .layer(Extension(hub))
        .layer(Extension(meter.clone()))
        .layer(Extension(Outcomes::default()))
        .layer(from_fn(meter::name))
        .layer(from_fn_with_state(Arc::clone(&desk), pages::setting::dress))
        .layer(from_fn_with_state(Arc::clone(&desk), gate::pass))
        .route("/health", get(health::show))
        .merge(pages::assets())
        .merge(pages::sign_in::routes())
        .layer(from_fn_with_state(Arc::clone(&desk), pages::setting::dress))
        .layer(from_fn_with_state(Arc::clone(&doors), gate::at_home))
        .layer(from_fn_with_state(doors, headers::dress))
        .layer(from_fn_with_state(meter, meter::measure))
        .with_state(desk)
}

/// What is described in the document: the paths, the document, and which of them are changes that take a key.
fn described() -> (Router<Arc<Desk>>, utoipa::openapi::OpenApi, BTreeSet<(String, String)>) {
    let router = OpenApiRouter::with_openapi(Document::openapi())
        .merge(api::routes())
        .routes(routes!(line::show))
        .routes(routes!(line::except))
        .routes(routes!(metrics::receive))
        .routes(routes!(evaluations::begin))
        .routes(routes!(evaluations::look, evaluations::stop))
        .routes(routes!(evaluations::tell))
        .routes(routes!(argo::measure))
        .routes(routes!(argo::verdict))
        .routes(routes!(flagger::answer))
        .routes(routes!(exposition::show));
    let (router, mut document) = router.split_for_parts();
    document.merge(Everybody::openapi());
    let changes = openapi::complete(&mut document);
    (router, document, changes)
}

/// The description of the API.
pub(super) fn document() -> utoipa::openapi::OpenApi {
    described().1
}

/// What is for everybody, and stands outside of the gate.
#[derive(OpenApi)]
#[openapi(paths(health::show))]
struct Everybody;

async fn unknown(uri: Uri) -> Refused {
    let what = format!("there is nothing at {}", shown(uri.path()));
    Refused::new(ErrorCode::NotFound, what, "see what there is: GET /v1/openapi.json")
}

async fn not_allowed(method: Method, uri: Uri) -> Refused {
    let what = format!("{method} is not for {}", shown(uri.path()));
    Refused::new(ErrorCode::MethodNotAllowed, what, "see what there is: GET /v1/openapi.json")
}

fn shown(path: &str) -> String {
    path.chars().take(200).collect()
}
