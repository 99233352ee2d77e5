//! `/v1/deployments/{number}/logs/{host}`: what the steps of a host printed.

use std::sync::Arc;

use andon_core::deployment::DeploymentId;
use andon_core::name::HostName;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, header};
use tokio::io::AsyncReadExt;

use crate::http::Desk;
use crate::http::asked::{AskedPath, Whole};
use crate::http::reply::{ErrorCode, Refused};

/// The most that is sent, in bytes.
const MOST: u64 = 4 << 20;

/// The output of a host's steps, as it was printed: at most 4 MiB from its beginning.
#[utoipa::path(
    get,
    path = "/v1/deployments/{number}/logs/{host}",
    tag = "deployments",
    operation_id = "log",
    params(("number" = u64, Path, description = "The deployment", maximum = 9_007_199_254_740_991u64), ("host" = String, Path, description = "The host", pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)),
    responses((status = OK, body = String, content_type = "text/plain"))
)]
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    AskedPath((number, host)): AskedPath<(Whole, HostName)>,
) -> Result<Response<Body>, Refused> {
    let id = DeploymentId(number.0);
    let path = desk.controller.output_path(id, &host);
    let missing = |_| {
        let what = format!("nothing was printed by {host} in {id}");
        Refused::new(ErrorCode::NotFound, what, "see which hosts it has: GET /v1/deployments")
            .why("output is kept on the machine that drove the deployment")
    };
    let file = tokio::fs::File::open(&path).await.map_err(missing)?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).await.map_err(missing)?;
    let mut response = Response::new(Body::from(bytes));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
