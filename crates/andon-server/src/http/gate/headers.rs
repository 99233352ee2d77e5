//! What every answer tells a browser, whatever it answers: no guessing of types, no frames, no foreign readers, nothing kept.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Response, header};
use axum::middleware::Next;

use crate::http::doors::Doors;

/// What is said unless the answer itself says otherwise.
const ALWAYS: [(HeaderName, &str); 7] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// For a year, once over TLS, a browser comes over TLS alone.
const TLS_ALONE: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Dresses an answer.
pub(crate) async fn dress(State(doors): State<Arc<Doors>>, request: Request, next: Next) -> Response<Body> {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if doors.is_secure() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TLS_ALONE);
    }
    response
}
