//! `/v1/subscriptions`: what people asked to be told, each for themselves.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::telling::subscriptions::SubscriptionId;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::json;

use crate::answers::{Asking, SubscriptionRow};
use crate::clock;
use crate::http::Desk;
use crate::http::asked::AskedPath;
use crate::http::body::Bytes;
use crate::http::gate::{Asker, own_change};
use crate::http::reply::{Refused, as_json};
use crate::http::subscriptions::{mail_server, own, refused};

/// The wishes of whoever asks; those of all for who looks after users.
#[utoipa::path(get, operation_id = "subscriptions", path = "/v1/subscriptions", tag = "messages", responses((status = OK, body = [SubscriptionRow])))]
pub(super) async fn list(State(desk): State<Arc<Desk>>, asker: Asker) -> Result<Response<Body>, Refused> {
    let all = desk.controller.records().subscriptions().await?.value;
    let (person, everyone) = (asker.person().name, asker.may(&Deed::Administer).is_ok());
    let theirs = all.iter().filter(|(_, standing)| everyone || standing.subscription.person == person);
    let rows: Vec<SubscriptionRow> = theirs.map(|(id, standing)| SubscriptionRow::of(id, standing)).collect();
    Ok(as_json(StatusCode::OK, &rows))
}

/// Takes a wish of whoever asks, and answers with its number.
#[utoipa::path(post, path = "/v1/subscriptions", tag = "messages", request_body = Asking,
    responses((status = CREATED, body = Object)))]
pub(super) async fn subscribe(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let asking: Asking = body.json()?;
    own_change(&desk.doors, &asker)?;
    let person = asker.person().name;
    let subscription = asking.of(&person, mail_server(&desk).as_ref()).map_err(|error| refused(&error))?;
    let id = desk.controller.records().subscribe(clock::now(), &person, subscription).await?;
    Ok(as_json(StatusCode::CREATED, &json!({ "subscription": id.0 })))
}

/// Ends a wish: one's own, or any for who looks after users.
#[utoipa::path(post, path = "/v1/subscriptions/{subscription}/end", tag = "messages",
    params(("subscription" = u64, Path, description = "Its number")),
    responses((status = OK, body = Object)))]
pub(super) async fn end(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    AskedPath(id): AskedPath<u64>,
) -> Result<Response<Body>, Refused> {
    let id = SubscriptionId(id);
    own(&desk, &asker, id).await?;
    desk.controller.records().unsubscribe(clock::now(), &asker.person().name, id).await?;
    Ok(as_json(StatusCode::OK, &json!({ "ended": id.0 })))
}
