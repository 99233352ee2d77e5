//! `GET /deployments/{number}`: one deployment, and `…/hosts/{host}`: one host in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use andon_core::access::Deed;
use andon_core::deployment::passage::passage;
use andon_core::deployment::story::story;
use andon_core::deployment::{Deployment, DeploymentId};
use andon_core::legible::plain;
use andon_core::name::HostName;
use andon_page::{deployment, host_run};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::page;
use super::setting::Framed;
use crate::driver::Progress;
use crate::http::Desk;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused};
use crate::records::Entry;

/// Facts that a story is told from at most: the newest ones.
const FACTS: usize = 20_000;
/// The end of a host's output that is shown, in bytes.
const TAIL: u64 = 64 * 1024;

/// How the page is wanted.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    /// `table`, or `grid`.
    hosts: Option<String>,
    /// `all`, or the newest part.
    story: Option<String>,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    asker: Asker,
    Framed(frame): Framed,
    Path(number): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response<Body>, Refused> {
    let (known, entries, progress) = read(&desk, id(&number)?).await?;
    let awaited: BTreeMap<HostName, String> = progress
        .iter()
        .flat_map(|progress| {
            let now = progress.deployment.clamp(frame.now);
            let hosts = known.hosts.keys();
            hosts.filter_map(move |host| Some((host.clone(), progress.awaited(host, now)?)))
        })
        .collect();
    let live = progress.as_ref().and_then(|progress| progress.standing.as_deref().cloned());
    let standing = live.or_else(|| known.analysis().cloned());
    let evidence = super::evidence::of(&desk, &known, &entries, standing.as_ref(), &frame).await;
    let from = entries.len().saturating_sub(FACTS);
    let shown = deployment::Shown {
        may: asker.0.may(&Deed::Deploy(known.request.scope.clone())),
        behind: progress.as_ref().and_then(|progress| progress.behind),
        standing,
        awaited,
        story: story(&known, entries.iter().skip(from).map(|entry| (entry.at, &entry.fact))),
        driven: progress.is_some(),
        given_up: desk.workshop.stumbled(known.id).map(|problem| problem.to_string()),
        table: wanted.hosts.as_deref() == Some("table"),
        whole: wanted.story.as_deref() == Some("all"),
        evidence,
        approvals: None,
        deployment: known,
    };
    Ok(page(StatusCode::OK, deployment::render(&shown, &frame)))
}

pub(super) async fn host(
    State(desk): State<Arc<Desk>>,
    Framed(frame): Framed,
    Path((number, host)): Path<(String, String)>,
) -> Result<Response<Body>, Refused> {
    let id = id(&number)?;
    let (known, entries, progress) = read(&desk, id).await?;
    let named = HostName::new(&host).ok().filter(|host| known.hosts.contains_key(host));
    let host = named.ok_or_else(|| {
        let what = format!("{id} has no host of that name");
        Refused::new(ErrorCode::NotFound, what, format!("look at its hosts: /deployments/{}", id.0))
    })?;
    let printed = tail(&desk.controller.output_path(id, &host)).await;
    let shown = host_run::Shown {
        steps: passage(&host, entries.iter().map(|entry| (entry.at, &entry.fact))),
        cut: printed.as_ref().is_some_and(|(_, cut)| *cut),
        output: printed.map(|(text, _)| text),
        awaited: progress.and_then(|progress| progress.awaited(&host, known.clamp(frame.now))),
        deployment: known,
        host,
    };
    Ok(page(StatusCode::OK, host_run::render(&shown, &frame)))
}

/// A deployment with its facts; and how it stands in this process, when it is driven here.
async fn read(desk: &Desk, id: DeploymentId) -> Result<(Deployment, Vec<Entry>, Option<Progress>), Refused> {
    let records = desk.controller.records();
    let (known, entries) = records.deployment_with_entries(id).await?;
    let progress = desk.workshop.progress(id).map(|watch| watch.borrow().clone());
    Ok((known.value, entries, progress))
}

/// The number in a path.
pub(super) fn id(number: &str) -> Result<DeploymentId, Refused> {
    number.parse().map(DeploymentId).map_err(|_| {
        Refused::new(ErrorCode::NotFound, "a deployment has a number", "look at the newest ones: /")
    })
}

/// The end of a file as plain text, and whether there is more before it.
async fn tail(path: &std::path::Path) -> Option<(String, bool)> {
    let mut file = tokio::fs::File::open(path).await.ok()?;
    let length = file.metadata().await.ok()?.len();
    let from = length.saturating_sub(TAIL);
    file.seek(std::io::SeekFrom::Start(from)).await.ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).await.ok()?;
    // The first line is half a line where something was cut off.
    let begin =
        if from > 0 { bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) } else { 0 };
    Some((plain(bytes.get(begin..).unwrap_or_default()), from > 0))
}
