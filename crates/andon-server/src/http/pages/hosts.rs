//! `GET /hosts` and `GET /hosts/{name}`: what runs where, and all that is known of one host.

use std::sync::Arc;

use andon_core::name::HostName;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;

use super::page;
use super::setting::Framed;
use crate::http::Desk;
use crate::http::asked::{AskedPath, AskedQuery};
use crate::http::insight::hosts;
use crate::http::reply::{ErrorCode, Refused};

/// What is looked for.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Words {
    #[serde(default)]
    q: String,
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    AskedQuery(words): AskedQuery<Words>,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    let query: String = words.q.chars().take(400).collect();
    let hosts = hosts::gather(&desk, &query).await;
    Ok(page(StatusCode::OK, andon_page::hosts::render(&hosts, &frame)))
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    AskedPath(name): AskedPath<String>,
    Framed(frame): Framed,
) -> Result<Response<Body>, Refused> {
    let host = match HostName::new(name.as_str()) {
        Ok(name) => hosts::host(&desk, &name).await,
        Err(_) => None,
    };
    let host = host.ok_or_else(|| no_host(&name))?;
    Ok(page(StatusCode::OK, andon_page::hosts::host::render(&host, &frame)))
}

/// The refusal of a host that nothing is known of.
pub(in crate::http) fn no_host(name: &str) -> Refused {
    let shown: String = name.chars().take(100).collect();
    Refused::new(
        ErrorCode::NotFound,
        format!("there is no host {shown:?} in the line"),
        "see all hosts: /hosts",
    )
}
