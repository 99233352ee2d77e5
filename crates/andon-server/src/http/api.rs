//! `/v1`: what programs ask for and do. One file for each kind of thing; the OpenAPI document is made of their handlers.

use std::sync::Arc;

use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Desk;

mod deployments;
mod ledger;
mod timeline;

/// Every path of the API that is described in its OpenAPI document.
pub(super) fn routes() -> OpenApiRouter<Arc<Desk>> {
    let streams = OpenApiRouter::with_openapi(ledger::Streams::openapi())
        .route("/v1/ledger/streams/{*stream}", get(ledger::stream));
    OpenApiRouter::new()
        .routes(routes!(deployments::list, deployments::begin))
        .routes(routes!(timeline::look))
        .routes(routes!(timeline::traffic))
        .routes(routes!(ledger::head))
        .routes(routes!(ledger::records))
        .routes(routes!(ledger::rows))
        .routes(routes!(ledger::row))
        .routes(routes!(ledger::verify))
        .merge(streams)
}
