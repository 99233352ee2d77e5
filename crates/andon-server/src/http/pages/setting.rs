//! The frame of a page for a request: who looks, in which zone, and how the line stands. Cheap: two views are read.

use std::sync::Arc;

use andon_page::frame::Frame;
use andon_page::trouble::{self, Trouble};
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use axum::middleware::Next;

use super::{page, zone};
use crate::clock;
use crate::http::Desk;
use crate::http::gate::{Asker, Way};
use crate::http::reply::Refused;

/// The frame of a page, as a handler takes it.
pub(in crate::http) struct Framed(pub(in crate::http) Frame);

impl FromRequestParts<Arc<Desk>> for Framed {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Refused> {
        let asker = Asker::from_request_parts(parts, desk).await?;
        Ok(Self(frame(desk, Some(&asker), &parts.uri, &parts.headers).await))
    }
}

/// The frame of a page. What of the ledger cannot be read is left out: the page itself says why.
pub(in crate::http) async fn frame(
    desk: &Desk,
    asker: Option<&Asker>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Frame {
    let mut frame = Frame::new(clock::now());
    frame.zone = zone(headers);
    frame.path = uri.path().to_owned();
    // Whoever has not been let in learns nothing of the line.
    let Some(asker) = asker else { return frame };
    frame.visitor = Some(asker.0.as_ref().clone());
    frame.csrf = asker.csrf();
    frame.signed_in = matches!(asker.way(), Way::Session(_));
    let records = desk.controller.records();
    frame.line = records.cord().await.ok().map(|cord| cord.value);
    let known = desk.chronicle.fresh().await;
    frame.last = known.deployments.rows().next_back().map(|row| row.summary());
    frame
}

/// Turns a refusal into a page for whoever asked with a browser. Programs get JSON, as ever.
pub(in crate::http) async fn dress(
    State(desk): State<Arc<Desk>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let browser = wants_html(request.headers()) && !request.uri().path().starts_with("/v1/");
    if !browser {
        return next.run(request).await;
    }
    let asker = request.extensions().get::<Asker>().cloned();
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let mut response = next.run(request).await;
    let Some(refused) = response.extensions_mut().remove::<Refused>() else { return response };
    let frame = frame(&desk, asker.as_ref(), &uri, &headers).await;
    let status = response.status();
    let trouble =
        Trouble { status: status.as_u16(), what: refused.message, why: refused.why, next: refused.next };
    let mut dressed = page(status, trouble::render(&trouble, &frame));
    // What tells of the bytes that were there tells nothing of the page.
    let of_bytes = [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING];
    for (name, value) in response.headers() {
        if !of_bytes.contains(name) {
            dressed.headers_mut().entry(name).or_insert(value.clone());
        }
    }
    dressed
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"))
}

/// An answer that leads to another page, after something was done.
pub(in crate::http) fn go_to(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(value) = path.parse() {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}
