//! `/v1/releases`: a release that is made where its commit lies is brought here in parts, and judged before any host hears
//! of it. Without one, the server makes the release that its own line describes.

use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::digest::Digest;
use andon_core::line::ReleaseSource;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::release::{Packing, Revision};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::wanted::{described, invalid, scope_of};
use crate::artifacts::{Brought, PartError};
use crate::http::Desk;
use crate::http::asked::{AskedPath, AskedQuery, Whole};
use crate::http::body::Bytes;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused, as_json};

/// Which bytes are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Bytewise {
    /// How the release is packed: `tar`, `tar_gz` or `tar_zst`.
    #[param(value_type = String, pattern = "^(tar|tar_gz|tar_zst)$")]
    packing: Packing,
    /// Where the part begins; all parts before it have come.
    #[param(value_type = Option<u64>, maximum = 9_007_199_254_740_991u64)]
    offset: Option<Whole>,
}

/// A release that has come, or shall be made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The service that it is of.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    pub service: ServiceName,
    /// The environment that it is for; without it, the only one of the service.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    pub environment: Option<EnvironmentName>,
    /// BLAKE3 of its packed bytes, 64 hexadecimal characters; without it, the server makes the one of its line.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{64}$")]
    pub digest: Option<Digest>,
    /// How it is packed: `tar`, `tar_gz` or `tar_zst`.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(tar|tar_gz|tar_zst)$")]
    pub packing: Option<Packing>,
    /// The commit that it was made from.
    #[serde(default)]
    #[schema(value_type = Option<crate::answers::Commit>)]
    pub revision: Option<Revision>,
    /// The text of its signature, where the line asks for one.
    #[serde(default)]
    pub signature: Option<String>,
}

/// How much of a release is here.
#[utoipa::path(
    get,
    path = "/v1/releases/{digest}/bytes",
    tag = "releases",
    params(("digest" = String, Path, description = "BLAKE3 of its packed bytes", pattern = "^[0-9a-f]{64}$"), Bytewise),
    responses((status = OK, body = Object))
)]
pub(super) async fn look(
    State(desk): State<Arc<Desk>>,
    AskedPath(digest): AskedPath<String>,
    AskedQuery(which): AskedQuery<Bytewise>,
) -> Result<Response<Body>, Refused> {
    let (digest, artifacts) = (named(&digest)?, desk.controller.artifacts());
    let (have, whole) = (artifacts.have(digest, which.packing), artifacts.has(digest, which.packing));
    Ok(as_json(StatusCode::OK, &json!({ "have": have, "whole": whole })))
}

/// Takes in a part of at most 4 MiB. Answers with how many bytes have come; where another part is due, with 409 and that.
#[utoipa::path(
    put,
    path = "/v1/releases/{digest}/bytes",
    tag = "releases",
    params(("digest" = String, Path, description = "BLAKE3 of its packed bytes", pattern = "^[0-9a-f]{64}$"), Bytewise),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = OK, body = Object), (status = CONFLICT, body = Object))
)]
pub(super) async fn bring(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    AskedPath(digest): AskedPath<String>,
    AskedQuery(which): AskedQuery<Bytewise>,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let digest = named(&digest)?;
    may_deploy_somewhere(&desk, &asker)?;
    let artifacts = desk.controller.artifacts().clone();
    let offset = which.offset.map_or(0, |offset| offset.0);
    let taken =
        tokio::task::spawn_blocking(move || artifacts.take_part(digest, which.packing, offset, &body.0));
    match taken.await.unwrap_or_else(|error| Err(PartError::Disk(std::io::Error::other(error)))) {
        Ok(have) => Ok(as_json(StatusCode::OK, &json!({ "have": have }))),
        Err(PartError::Elsewhere { have, .. }) => Ok(as_json(StatusCode::CONFLICT, &json!({ "have": have }))),
        Err(error) => {
            let code = match error {
                PartError::TooLarge => ErrorCode::TooLarge,
                PartError::TooMany => ErrorCode::TooMany,
                _ => ErrorCode::Unavailable,
            };
            Err(Refused::new(code, error.to_string(), "free space on the server, then bring it again"))
        }
    }
}

/// Judges a release that has come whole, or makes the one of the server's line. Answers with it, ready to be deployed.
#[utoipa::path(post, path = "/v1/releases", tag = "releases", request_body = Release, responses((status = CREATED, body = Object)))]
pub(super) async fn keep(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let wanted: Release = body.json()?;
    let line = desk.fresh_line().await?;
    let scope = scope_of(&line, &wanted.service, wanted.environment.as_ref())?;
    asker.may(&Deed::Deploy(scope.clone()))?;
    let (Some(digest), Some(packing)) = (wanted.digest, wanted.packing) else {
        let release = described(&desk, &line, &scope).await?;
        return Ok(as_json(StatusCode::CREATED, &json!({ "release": release })));
    };
    let artifacts = desk.controller.artifacts().clone();
    if artifacts.have(digest, packing) == 0 {
        let next = "bring it first: PUT /v1/releases/{digest}/bytes";
        return Err(Refused::new(ErrorCode::NotFound, format!("nothing of {digest} is here"), next));
    }
    let (service, _) = line.parts(&scope).ok_or_else(|| invalid(format!("there is no {scope}")))?;
    let keys = match &service.release {
        ReleaseSource::Signed { by, .. } => Some(by.clone()),
        ReleaseSource::Archive(_) | ReleaseSource::Directory(_) => None,
    };
    let revision = wanted.revision.and_then(crate::revision::cleaned);
    let brought = Brought { digest, packing, revision, signature: wanted.signature };
    let kept = tokio::task::spawn_blocking(move || artifacts.finish(&brought, keys.as_deref())).await;
    let kept = kept.map_err(|error| {
        Refused::new(ErrorCode::Unavailable, format!("the release could not be read: {error}"), "try again")
    })?;
    let release = kept?;
    Ok(as_json(StatusCode::CREATED, &json!({ "release": release })))
}

fn named(digest: &str) -> Result<Digest, Refused> {
    digest.parse().map_err(|_| invalid("a digest has 64 hexadecimal characters".to_owned()))
}

/// Bytes are for no scope yet: whoever may deploy to any may bring some.
fn may_deploy_somewhere(desk: &Desk, asker: &Asker) -> Result<(), Refused> {
    let line = desk.line()?;
    let mut refused = None;
    for scope in line.scopes() {
        match asker.may(&Deed::Deploy(scope)) {
            Ok(()) => return Ok(()),
            Err(no) => refused = Some(no),
        }
    }
    Err(refused.unwrap_or_else(|| invalid("the line has no service".to_owned())))
}
