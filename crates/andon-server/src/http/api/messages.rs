//! `/v1/messages`: messages to people that wait, tried now; and a test of the ways on which a service tells.

use std::sync::Arc;
use std::time::Duration;

use andon_core::access::Deed;
use andon_core::name::ServiceName;
use andon_core::scope::ScopeName;
use andon_core::telling::sample;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::answers::MessageRow;
use crate::http::Desk;
use crate::http::asked::AskedQuery;
use crate::http::body::Bytes;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused, as_json};
use crate::lines::NoScope;
use crate::{clock, revision};

/// The time for a round of tries that somebody waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose ways are tested.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tested {
    /// The service.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    pub service: ServiceName,
}

/// Messages of one answer.
const MOST: usize = 1000;

/// Which messages are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// At most so many; 20 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Messages to people, those that wait first.
#[utoipa::path(get, path = "/v1/messages", tag = "messages", params(Page), responses((status = OK, body = [MessageRow])))]
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    AskedQuery(page): AskedQuery<Page>,
) -> Result<Response<Body>, Refused> {
    let limit = page.limit.unwrap_or(20);
    if !(1..=MOST).contains(&limit) {
        let what = format!("limit is 1 to {MOST}, not {limit}");
        return Err(Refused::new(ErrorCode::InvalidRequest, what, "ask for less"));
    }
    let messages = desk.controller.outbox().list("", limit).await?;
    Ok(as_json(StatusCode::OK, &messages.iter().map(MessageRow::from).collect::<Vec<_>>()))
}

/// Tries everything that waits.
#[utoipa::path(post, path = "/v1/messages/retry", tag = "messages", responses((status = OK, body = Object)))]
pub(super) async fn retry(State(desk): State<Arc<Desk>>, asker: Asker) -> Result<Response<Body>, Refused> {
    asker.may(&Deed::Line)?;
    let line = desk.fresh_line().await.ok();
    let outbox = desk.controller.outbox();
    outbox.catch_up().await?;
    let round = outbox.deliver(true, PATIENCE, line.as_ref().map(|line| line.line())).await?;
    Ok(as_json(StatusCode::OK, &round))
}

/// Sends a test to everybody whom a service tells, and answers with what each of them answered.
#[utoipa::path(post, path = "/v1/messages/test", tag = "messages", request_body = Tested, responses((status = OK, body = Object)))]
pub(super) async fn test(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let Tested { service: name } = body.json()?;
    let line = desk.fresh_line().await?;
    let service = line.line().services.get(&name).ok_or_else(|| NoScope::Service(name.clone()))?;
    let environment = service.environments.keys().next();
    let (Some(tell), Some(environment)) = (&service.tell, environment) else {
        let what = format!("{name} tells nobody");
        return Err(Refused::new(ErrorCode::Conflict, what, "see andon help tell"));
    };
    let scope = ScopeName { service: name, environment: environment.clone() };
    asker.may(&Deed::Deploy(scope.clone()))?;
    let telling = sample(scope, revision::head(&line.dir).await, &asker.person(), clock::now());
    let tried = desk.controller.outbox().try_now(&telling, tell).await;
    let authorless = tell.author && tell.mail.is_some() && telling.author(tell).is_none();
    Ok(as_json(StatusCode::OK, &json!({ "tried": tried, "authorless": authorless })))
}
