//! `/v1`: what programs ask for and do. One file for each kind of thing; the OpenAPI document is made of their handlers.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Desk;

mod deployments;

/// Every path of the API that is described in its OpenAPI document.
pub(super) fn routes() -> OpenApiRouter<Arc<Desk>> {
    OpenApiRouter::new().routes(routes!(deployments::list, deployments::begin))
}
