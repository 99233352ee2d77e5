//! `/v1/deployments/{number}`: one deployment, what happened to it, and what the steps of its hosts printed.

use std::io::SeekFrom;
use std::sync::Arc;

use andon_core::deployment::DeploymentId;
use andon_core::legible::neutral;
use andon_core::name::HostName;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use utoipa::{IntoParams, ToSchema};

use crate::answers::{DeploymentAnswer, DeploymentEntry};
use crate::clock;
use crate::http::Desk;
use crate::http::asked::{AskedPath, AskedQuery, Whole};
use crate::http::reply::{ErrorCode, Refused, as_json};

/// Entries of one answer.
const MOST: usize = 1000;
/// The most of what a host printed in one answer, in bytes.
const PIECE: u64 = 256 * 1024;

/// Which entries are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// Only those behind this place.
    #[param(value_type = Option<u64>, maximum = 9_007_199_254_740_991u64)]
    after: Option<Whole>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// Bytes that need not be sent again: `next` of the answer before.
    #[param(value_type = Option<u64>, maximum = 9_007_199_254_740_991u64)]
    offset: Option<Whole>,
}

/// A piece of what the steps of a host printed.
#[derive(Debug, Serialize, ToSchema)]
struct Output {
    /// Where this piece begins, in bytes.
    offset: u64,
    /// Where the next one begins.
    next: u64,
    /// Whether nothing more will come: the deployment has ended, and this piece is its end.
    over: bool,
    /// What was printed. What a terminal would act upon stands in visible form.
    text: String,
}

/// One deployment with its hosts, as it stands now.
#[utoipa::path(get, path = "/v1/deployments/{number}", tag = "deployments",
    params(("number" = u64, Path, description = "Its number", maximum = 9_007_199_254_740_991u64)),
    responses((status = OK, body = DeploymentAnswer)))]
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    AskedPath(Whole(number)): AskedPath<Whole>,
) -> Result<Response<Body>, Refused> {
    let deployment = desk.controller.records().deployment(DeploymentId(number)).await?.value;
    Ok(as_json(StatusCode::OK, &DeploymentAnswer::of(&deployment, clock::now())))
}

/// Everything that happened to a deployment, the oldest first: each as one sentence, and as the fact that is recorded.
#[utoipa::path(get, path = "/v1/deployments/{number}/entries", tag = "deployments",
    params(("number" = u64, Path, description = "Its number", maximum = 9_007_199_254_740_991u64), After),
    responses((status = OK, body = [DeploymentEntry])))]
pub(super) async fn entries(
    State(desk): State<Arc<Desk>>,
    AskedPath(Whole(number)): AskedPath<Whole>,
    AskedQuery(asked): AskedQuery<After>,
) -> Result<Response<Body>, Refused> {
    let (id, after, limit) =
        (DeploymentId(number), asked.after.map_or(0, |after| after.0), asked.limit.unwrap_or(MOST));
    if !(1..=MOST).contains(&limit) {
        let what = format!("limit is 1 to {MOST}, not {limit}");
        return Err(Refused::new(ErrorCode::InvalidRequest, what, "ask again behind the last one for more"));
    }
    let records = desk.controller.records();
    let entries = records.entries(id, after).await?;
    if entries.is_empty() {
        // Whether it has no more, or was never there.
        records.deployment(id).await?;
    }
    let told = (after + 1..).zip(entries.iter().take(limit));
    let told: Vec<DeploymentEntry> = told.map(|(seq, entry)| DeploymentEntry::of(seq, entry)).collect();
    Ok(as_json(StatusCode::OK, &told))
}

/// What the steps of a host printed in a deployment, from `offset` on. While the deployment goes on there may be more later.
#[utoipa::path(get, path = "/v1/deployments/{number}/hosts/{host}/output", tag = "deployments",
    params(
        ("number" = u64, Path, description = "The deployment", maximum = 9_007_199_254_740_991u64),
        ("host" = String, Path, description = "The host", pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253),
        From
    ),
    responses((status = OK, body = Output)))]
pub(super) async fn output(
    State(desk): State<Arc<Desk>>,
    AskedPath((number, host)): AskedPath<(Whole, HostName)>,
    AskedQuery(from): AskedQuery<From>,
) -> Result<Response<Body>, Refused> {
    let (number, id) = (number.0, DeploymentId(number.0));
    let deployment = desk.controller.records().deployment(id).await?.value;
    if !deployment.hosts.contains_key(&host) {
        let next = format!("see which hosts it has: GET /v1/deployments/{number}");
        return Err(Refused::new(ErrorCode::NotFound, format!("{id} has no host {host}"), next));
    }
    let offset = from.offset.map_or(0, |offset| offset.0);
    let path = desk.controller.output_path(id, &host);
    let bytes = piece(&path, offset).await.map_err(|error| {
        let what = format!("what {host} printed cannot be read: {error}");
        Refused::new(ErrorCode::Unavailable, what, "look at the disk of the server, then try again")
    })?;
    let full = bytes.len() as u64 == PIECE;
    // A character that is not whole yet comes with the next piece.
    let whole = match std::str::from_utf8(&bytes) {
        Err(error) if error.error_len().is_none() && (full || !deployment.state.is_terminal()) => {
            error.valid_up_to()
        }
        _ => bytes.len(),
    };
    let text = neutral(bytes.get(..whole).unwrap_or_default());
    let over = !full && deployment.state.is_terminal();
    Ok(as_json(StatusCode::OK, &Output { offset, next: offset + whole as u64, over, text }))
}

/// What stands in a file from `offset` on; nothing where there is no such file, because nothing was printed yet.
async fn piece(path: &std::path::Path, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(bytes),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(offset)).await?;
    file.take(PIECE).read_to_end(&mut bytes).await?;
    Ok(bytes)
}
