//! `/v1/deployments`: what was deployed, and what shall be.

use std::sync::Arc;

use andon_core::deployment::{DeploymentId, Summary};
use andon_core::name::{EnvironmentName, ServiceName};
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::wanted::Wanted;
use crate::answers::DeploymentRow;
use crate::http::Desk;
use crate::http::asked::{AskedQuery, Whole};
use crate::http::body::Bytes;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused, as_json};

/// Deployments of an answer to somebody who does not say how many.
const USUAL: usize = 20;
/// At most so many in one answer.
const MOST: usize = 1000;
/// Rows that are read from the ledger at once.
const AT_ONCE: usize = 1000;
/// Rows that one request looks through: who filters for what is rare follows the header `Link`.
const LOOKED: usize = 20_000;

/// Which deployments are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Only those of this service.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    service: Option<ServiceName>,
    /// Only those in this environment.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    environment: Option<EnvironmentName>,
    /// Only those that this person asked for.
    by: Option<String>,
    /// Only those in the state of this name.
    state: Option<String>,
    /// Only those with a lower number.
    #[param(value_type = Option<u64>, maximum = 9_007_199_254_740_991u64)]
    before: Option<Whole>,
    /// At most so many; 20 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Deployments, the newest first. The header `Link` names the next page; without it there is none.
#[utoipa::path(get, path = "/v1/deployments", tag = "deployments", params(Page),
    responses((status = OK, body = [DeploymentRow])))]
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    AskedQuery(page): AskedQuery<Page>,
) -> Result<Response<Body>, Refused> {
    let limit = page.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        let what = format!("limit is 1 to {MOST}, not {limit}");
        return Err(Refused::new(ErrorCode::InvalidRequest, what, "follow the header Link for more"));
    }
    let mut rows: Vec<DeploymentRow> = Vec::new();
    let (mut before, mut looked) = (page.before.map(|before| DeploymentId(before.0)), 0);
    let next = loop {
        let found = desk.controller.records().history(before, AT_ONCE.min(LOOKED - looked)).await?;
        let Some(last) = found.last() else { break None };
        let end = last.id;
        let more = found.iter().filter(|row| page.wants(row)).map(DeploymentRow::from);
        rows.extend(more.take(limit - rows.len()));
        (before, looked) = (Some(end), looked + found.len());
        if rows.len() == limit {
            break rows.last().map(|row| row.deployment);
        }
        if looked >= LOOKED {
            break Some(end.0);
        }
    };
    let mut response = as_json(StatusCode::OK, &rows);
    let link = next.filter(|next| *next > 1).and_then(|next| page.link(next, limit).parse().ok());
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

impl Page {
    fn wants(&self, row: &Summary) -> bool {
        self.service.as_ref().is_none_or(|only| row.scope.service == *only)
            && self.environment.as_ref().is_none_or(|only| row.scope.environment == *only)
            && self.by.as_ref().is_none_or(|only| row.by == *only)
            && self.state.as_ref().is_none_or(|only| row.state == *only)
    }

    /// The header that names the page behind `next`.
    fn link(&self, next: u64, limit: usize) -> String {
        let mut words = format!("before={next}&limit={limit}");
        let names = [
            ("service", self.service.as_ref().map(ServiceName::as_str)),
            ("environment", self.environment.as_ref().map(EnvironmentName::as_str)),
            ("by", self.by.as_deref()),
            ("state", self.state.as_deref()),
        ];
        for (name, word) in names {
            if let Some(word) = word {
                words.push_str(&format!("&{name}={}", escaped(word)));
            }
        }
        format!("</v1/deployments?{words}>; rel=\"next\"")
    }
}

/// A word as it stands behind a `?`.
fn escaped(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let bytes = word.bytes();
    bytes
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A deployment that has begun, or waits for the one at work.
#[derive(Debug, Serialize, ToSchema)]
struct Begun {
    /// Its number.
    deployment: u64,
}

/// Begins a deployment, by the line of this server. It goes on when nobody watches.
#[utoipa::path(post, path = "/v1/deployments", tag = "deployments", request_body = Wanted,
    responses((status = CREATED, body = Begun)))]
pub(super) async fn begin(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    body: Bytes,
) -> Result<Response<Body>, Refused> {
    let wanted: Wanted = body.json()?;
    let wish = wanted.wish(&desk, &asker).await?;
    let controller = desk.controller.clone().on_behalf_of(asker.person());
    let begun = desk.see_to(async move { controller.deploy(wish).await.map(Some) }).await?;
    let id = begun.ok_or_else(|| {
        Refused::new(ErrorCode::Unavailable, "nothing has begun", "look at the deployments, then ask again")
    })?;
    let mut response = as_json(StatusCode::CREATED, &Begun { deployment: id.0 });
    if let Ok(place) = format!("/v1/deployments/{}", id.0).parse() {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}
