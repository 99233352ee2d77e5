//! `/v1/ledger`: what is recorded, read as it is kept. Who has these paths can do everything that reads a ledger.

use std::sync::Arc;
use std::time::Duration;

use andon_store::{MAX_ANSWER_ROWS, MAX_NAME_BYTES, ViewQuery};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};

use crate::answers::{LedgerHead, LedgerRecord, LedgerRow, LedgerValue, LedgerVerification};
use crate::http::Desk;
use crate::http::asked::{AskedPath, AskedQuery, Whole};
use crate::http::reply::{ErrorCode, Refused, as_json};

/// Rows of an answer to somebody who does not say how many.
const USUAL: usize = 1000;

/// Which records are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// Only those behind this place: a position for all records, a `seq` within a stream.
    #[param(value_type = Option<u64>, maximum = 9_007_199_254_740_991u64)]
    after: Option<Whole>,
    /// At most so many; there may be fewer when they are large. Only an empty answer says that there are no more.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<usize>,
}

/// Which rows are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Rows {
    /// Only those with a lower rank.
    before: Option<i64>,
    /// Together with `before`: also those of exactly that rank with a lower key.
    before_key: Option<String>,
    /// Only those whose key begins with this.
    prefix: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<usize>,
}

/// Which row is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Row {
    /// Its key.
    #[param(min_length = 1, max_length = 512)]
    key: String,
}

/// What is answered below a path that takes in slashes, which a document cannot say.
#[derive(OpenApi)]
#[openapi(paths(stream))]
pub(super) struct Streams;

/// The ledger's name, and how far it has come.
#[utoipa::path(get, path = "/v1/ledger", tag = "ledger", responses((status = OK, body = LedgerHead)))]
pub(super) async fn head(State(desk): State<Arc<Desk>>) -> Result<Response<Body>, Refused> {
    let ledger = desk.controller.records().ledger();
    let head = LedgerHead { id: ledger.id().to_owned(), head: ledger.head().await? };
    Ok(as_json(StatusCode::OK, &head))
}

/// All records in the order of their positions.
#[utoipa::path(get, path = "/v1/ledger/records", tag = "ledger", params(After),
    responses((status = OK, body = [LedgerRecord])))]
pub(super) async fn records(
    State(desk): State<Arc<Desk>>,
    AskedQuery(asked): AskedQuery<After>,
) -> Result<Response<Body>, Refused> {
    let (after, limit) = (asked.after.map_or(0, |after| after.0), bounded(asked.limit)?);
    let records = desk.controller.records().ledger().tail(after, limit).await?;
    Ok(as_json(StatusCode::OK, &records.into_iter().map(LedgerRecord::from).collect::<Vec<_>>()))
}

/// The records of one stream, such as `deployment/128`, in order. The name may hold slashes, as they are or as `%2F`.
#[utoipa::path(get, path = "/v1/ledger/streams/{stream}", tag = "ledger",
    params(("stream" = String, Path, description = "Its name", min_length = 1, max_length = 512), After),
    responses((status = OK, body = [LedgerRecord])))]
pub(super) async fn stream(
    State(desk): State<Arc<Desk>>,
    AskedPath(stream): AskedPath<String>,
    AskedQuery(asked): AskedQuery<After>,
) -> Result<Response<Body>, Refused> {
    named("the stream", &stream)?;
    let (after, limit) = (asked.after.map_or(0, |after| after.0), bounded(asked.limit)?);
    let records = desk.controller.records().ledger().read(&stream, after, limit).await?;
    Ok(as_json(StatusCode::OK, &records.into_iter().map(LedgerRecord::from).collect::<Vec<_>>()))
}

/// Rows of a view, the highest rank first.
#[utoipa::path(get, path = "/v1/ledger/views/{view}", tag = "ledger",
    params(("view" = String, Path, description = "Its name", min_length = 1, max_length = 512), Rows),
    responses((status = OK, body = [LedgerRow])))]
pub(super) async fn rows(
    State(desk): State<Arc<Desk>>,
    AskedPath(view): AskedPath<String>,
    AskedQuery(asked): AskedQuery<Rows>,
) -> Result<Response<Body>, Refused> {
    named("the view", &view)?;
    let query = ViewQuery {
        before: asked.before,
        before_key: asked.before_key,
        prefix: asked.prefix.unwrap_or_default(),
        limit: bounded(asked.limit)?,
    };
    let rows = desk.controller.records().ledger().views(&view, query).await?;
    Ok(as_json(StatusCode::OK, &rows.into_iter().map(LedgerRow::from).collect::<Vec<_>>()))
}

/// One row of a view.
#[utoipa::path(get, path = "/v1/ledger/views/{view}/row", tag = "ledger",
    params(("view" = String, Path, description = "Its name", min_length = 1, max_length = 512), Row),
    responses((status = OK, body = LedgerValue)))]
pub(super) async fn row(
    State(desk): State<Arc<Desk>>,
    AskedPath(view): AskedPath<String>,
    AskedQuery(Row { key }): AskedQuery<Row>,
) -> Result<Response<Body>, Refused> {
    named("the view", &view)?;
    named("the key", &key)?;
    let body = desk.controller.records().ledger().view(&view, &key).await?;
    Ok(as_json(StatusCode::OK, &LedgerValue { key, body }))
}

/// Walks over everything that is recorded and checks it. It changes nothing, and may take minutes on a large ledger.
#[utoipa::path(post, path = "/v1/ledger/verification", tag = "ledger",
    responses((status = OK, body = LedgerVerification)))]
pub(super) async fn verify(State(desk): State<Arc<Desk>>) -> Result<Response<Body>, Refused> {
    let Ok(_alone) = Arc::clone(&desk.registers.verifications).try_acquire_owned() else {
        let what =
            "somebody has the ledger verified already, and two walks at once would slow everything down";
        return Err(Refused::new(ErrorCode::TooMany, what, "ask again when that one is over")
            .again_in(Duration::from_secs(10)));
    };
    let ledger = desk.controller.records().ledger();
    let found = ledger.verify().await?;
    Ok(as_json(StatusCode::OK, &LedgerVerification::of(ledger.id(), found)))
}

fn bounded(limit: Option<usize>) -> Result<usize, Refused> {
    match limit.unwrap_or(USUAL) {
        limit @ 1..=MAX_ANSWER_ROWS => Ok(limit),
        other => {
            let what = format!("limit is 1 to {MAX_ANSWER_ROWS}, not {other}");
            Err(Refused::new(ErrorCode::InvalidRequest, what, "ask again behind the last row for more"))
        }
    }
}

fn named(what: &str, name: &str) -> Result<(), Refused> {
    if (1..=MAX_NAME_BYTES).contains(&name.len()) {
        return Ok(());
    }
    let what = format!("{what} has 1 to {MAX_NAME_BYTES} bytes, not {}", name.len());
    Err(Refused::new(ErrorCode::InvalidRequest, what, "see what there is: GET /v1/ledger/records"))
}
