//! `/v1`: what programs ask for and do. One file for each kind of thing; the OpenAPI document is made of their handlers.

use std::sync::Arc;

use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Desk;

mod access;
mod approvals;
mod deployments;
mod ledger;

pub(super) use access::may_revoke;

/// Every path of the API that is described in its OpenAPI document.
pub(super) fn routes() -> OpenApiRouter<Arc<Desk>> {
    let streams = OpenApiRouter::with_openapi(ledger::Streams::openapi())
        .route("/v1/ledger/streams/{*stream}", get(ledger::stream));
    OpenApiRouter::new()
        .routes(routes!(deployments::list, deployments::begin))
        .routes(routes!(ledger::head))
        .routes(routes!(ledger::records))
        .routes(routes!(ledger::rows))
        .routes(routes!(ledger::row))
        .routes(routes!(ledger::verify))
        .routes(routes!(access::me))
        .routes(routes!(access::users, access::add_user))
        .routes(routes!(access::remove_user))
        .routes(routes!(access::set_grants))
        .routes(routes!(access::set_password))
        .routes(routes!(access::tokens, access::make_token))
        .routes(routes!(access::revoke_token))
        .routes(routes!(approvals::waiting, approvals::approve))
        .merge(streams)
}
