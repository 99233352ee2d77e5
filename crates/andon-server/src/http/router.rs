//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::reply::{ErrorCode, Refused};
use super::token::Token;
use super::{Desk, argo, evaluations, flagger, health, line, metrics};

/// Every path. With a `token`, whoever asks has to show it; only `/health` is for everybody.
pub(super) fn router(desk: Arc<Desk>, token: Option<Token>) -> Router {
    let token = token.map(Arc::new);
    let guarded = move |request: Request, next: Next| {
        let token = token.clone();
        async move {
            match token {
                Some(token) if !token.is_shown(request.headers()) => unauthorised(),
                _ => next.run(request).await,
            }
        }
    };
    Router::new()
        .route("/v1/line", get(line::show))
        .route("/v1/line/exceptions", post(line::except))
        .route("/v1/metrics", post(metrics::receive))
        .route("/v1/evaluations", post(evaluations::begin))
        .route("/v1/evaluations/{id}", get(evaluations::look).delete(evaluations::stop))
        .route("/v1/evaluations/{id}/ticks", post(evaluations::tell))
        .route("/v1/evaluations/{id}/argo", get(argo::measure))
        .route("/v1/evaluations/{id}/argo/verdict", get(argo::verdict))
        .route("/v1/flagger/{hook}", post(flagger::answer))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn(guarded))
        .route("/health", get(health::show))
        .with_state(desk)
}

fn unauthorised() -> Response<Body> {
    let next = "send the header: Authorization: Bearer TOKEN";
    Refused::new(ErrorCode::Unauthorised, "the token is missing or wrong", next).into_response()
}

async fn unknown(uri: Uri) -> Refused {
    let what = format!("there is nothing at {}", shown(uri.path()));
    Refused::new(ErrorCode::NotFound, what, "see docs/guide/judging-for-others.md for what there is")
}

async fn not_allowed(method: Method, uri: Uri) -> Refused {
    let what = format!("{method} is not for {}", shown(uri.path()));
    Refused::new(ErrorCode::MethodNotAllowed, what, "see docs/guide/judging-for-others.md for what there is")
}

fn shown(path: &str) -> String {
    path.chars().take(200).collect()
}
