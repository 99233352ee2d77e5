//! `/v1`: what programs ask for and do. One file for each kind of thing; the OpenAPI document is made of their handlers.

use std::sync::Arc;

use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Desk, events};

mod about;
mod access;
mod approvals;
mod asks;
mod cord;
mod deployment;
mod deployments;
mod guards;
mod insight;
mod inspections;
mod ledger;
mod logs;
mod messages;
mod plans;
mod progress;
mod registers;
mod releases;
mod scopes;
mod subscriptions;
mod sweeps;
mod timeline;
mod wanted;

/// The bodies of requests that a client of our own sends as well.
pub mod asked {
    pub use super::asks::Asked;
    pub use super::cord::Reason;
    pub use super::guards::Run;
    pub use super::inspections::Inspection;
    pub use super::messages::Tested;
    pub use super::releases::Release;
    pub use super::sweeps::Swept;
    pub use super::wanted::Wanted;
}

/// A driver stumbled while nobody watched.
pub(super) fn stumbled(id: andon_core::deployment::DeploymentId, why: String) {
    tracing::error!(deployment = id.0, why, "the driver of a deployment stumbled");
}

pub(super) use access::{may_revoke, set_own_password};
pub(super) use cord::{start_line, stop_line};

/// Every path of the API that is described in its OpenAPI document.
pub(super) fn routes() -> OpenApiRouter<Arc<Desk>> {
    let streams = OpenApiRouter::with_openapi(ledger::Streams::openapi())
        .route("/v1/ledger/streams/{*stream}", get(ledger::stream));
    OpenApiRouter::new()
        .routes(routes!(deployments::list, deployments::begin))
        .routes(routes!(insight::keys))
        .routes(routes!(insight::per_day))
        .routes(routes!(insight::dna))
        .routes(routes!(insight::list))
        .routes(routes!(insight::show))
        .routes(routes!(timeline::look))
        .routes(routes!(timeline::traffic))
        .routes(routes!(deployment::show))
        .routes(routes!(deployment::entries))
        .routes(routes!(deployment::output))
        .routes(routes!(scopes::services))
        .routes(routes!(scopes::scopes))
        .routes(routes!(events::follow))
        .routes(routes!(ledger::head))
        .routes(routes!(ledger::records))
        .routes(routes!(ledger::rows))
        .routes(routes!(ledger::row))
        .routes(routes!(ledger::verify))
        .routes(routes!(about::show))
        .routes(routes!(about::line))
        .routes(routes!(asks::pause))
        .routes(routes!(asks::resume))
        .routes(routes!(asks::abort))
        .routes(routes!(cord::stop))
        .routes(routes!(cord::start))
        .routes(routes!(guards::record))
        .routes(routes!(inspections::inspect))
        .routes(routes!(logs::show))
        .routes(routes!(messages::list))
        .routes(routes!(messages::retry))
        .routes(routes!(messages::test))
        .routes(routes!(plans::plan))
        .routes(routes!(progress::follow))
        .routes(routes!(releases::keep, registers::releases))
        .routes(routes!(registers::compare))
        .routes(routes!(releases::look, releases::bring))
        .routes(routes!(subscriptions::list, subscriptions::subscribe))
        .routes(routes!(subscriptions::end))
        .routes(routes!(sweeps::sweep))
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
