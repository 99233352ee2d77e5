//! `GET /v1/releases` and `GET /v1/releases/compare`: what is known of releases, for programs.

use std::sync::Arc;

use andon_core::name::ServiceName;
use andon_core::release::{ReleaseStatus, Revision};
use andon_page::releases::Known;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::Desk;
use crate::http::asked::AskedQuery;
use crate::http::moment::rfc3339;
use crate::http::pages::releases::{Pair, compared, service_of};
use crate::http::reply::{Refused, as_json};
use crate::registers::places;

/// Releases of one answer at most.
const MOST: usize = 1_000;

/// Whose releases are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Of {
    /// The service.
    #[param(min_length = 1, max_length = 64)]
    service: String,
}

/// Which two releases are compared.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Two {
    /// The service.
    #[param(min_length = 1, max_length = 64)]
    service: String,
    /// The release that the comparison begins with.
    #[param(pattern = "^r-[0-9a-f]{12}$")]
    from: String,
    /// The release that it leads to.
    #[param(pattern = "^r-[0-9a-f]{12}$")]
    to: String,
}

/// A release of a service.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KnownRelease {
    /// Its name.
    release: String,
    /// The commit that it was made from.
    commit: Option<Change>,
    /// The size of its packed bytes.
    bytes: u64,
    /// Whether the server has its bytes.
    kept: bool,
    /// The id of the key that it was signed with.
    signed_with: Option<String>,
    /// What is known of it, where something is.
    judged: Vec<Judged>,
}

/// A commit.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Change {
    /// Its abbreviated id.
    commit: String,
    /// The first line of its message.
    subject: String,
    /// Who wrote it.
    author: String,
    /// When it was committed.
    #[schema(format = DateTime)]
    at: String,
}

/// What is known of a release in one environment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Judged {
    /// The environment.
    environment: String,
    /// `good` or `bad`.
    status: &'static str,
    /// Whether it is what should run there.
    current: bool,
    /// When it was judged.
    #[schema(format = DateTime)]
    at: String,
    /// By which deployment.
    deployment: u64,
    /// Why: one sentence.
    because: String,
}

/// How two releases differ.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Comparison {
    /// The release that it begins with.
    from: String,
    /// The release that it leads to.
    to: String,
    /// The files that differ; nothing where they cannot be compared.
    files: Option<Files>,
    /// Why the files cannot be compared.
    files_unknown: Option<String>,
    /// The commits between; nothing where they are not known.
    commits: Option<Commits>,
    /// Why the commits are not known.
    commits_unknown: Option<String>,
}

/// Files that differ, at most a thousand of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Files {
    /// Only in the second.
    added: Vec<String>,
    /// Only in the first.
    removed: Vec<String>,
    /// In both, and not the same.
    changed: Vec<String>,
    /// In both, and the same.
    same: usize,
    /// Files that differ beside those.
    more: usize,
}

/// Commits, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Commits {
    /// In the second and not in the first.
    ahead: Vec<Change>,
    /// In the first and not in the second.
    behind: Vec<Change>,
    /// Whether there may be more.
    more: bool,
}

/// The releases of a service, the newest judgement first.
#[utoipa::path(get, path = "/v1/releases", tag = "releases", params(Of),
    responses((status = OK, body = [KnownRelease])))]
pub(super) async fn releases(
    State(desk): State<Arc<Desk>>,
    AskedQuery(of): AskedQuery<Of>,
) -> Result<Response<Body>, Refused> {
    let line = desk.line.current().ok();
    let places = places::all(&desk, line.as_deref()).await;
    let service: ServiceName = service_of(&places::services(&places), &of.service)?;
    let scopes = places::scopes_of(desk.controller.records(), line.as_deref(), &service).await?;
    let (known, _) = places::releases(&scopes, desk.controller.artifacts(), MOST);
    let environments: Vec<String> = scopes.iter().map(|(name, _)| name.environment.to_string()).collect();
    let rows: Vec<KnownRelease> = known.iter().map(|known| row(known, &environments)).collect();
    Ok(as_json(StatusCode::OK, &rows))
}

fn row(known: &Known, environments: &[String]) -> KnownRelease {
    let judged = environments.iter().zip(&known.judged).filter_map(|(environment, judged)| {
        let judged = judged.as_ref()?;
        Some(Judged {
            environment: environment.clone(),
            status: match judged.status {
                ReleaseStatus::Good => "good",
                ReleaseStatus::Bad => "bad",
            },
            current: judged.current,
            at: rfc3339(judged.at),
            deployment: judged.deployment.0,
            because: judged.because.clone(),
        })
    });
    KnownRelease {
        release: known.release.to_string(),
        commit: known.revision.as_ref().map(change),
        bytes: known.packed.0,
        kept: known.kept,
        signed_with: known.signed.as_ref().map(|signed| signed.key.to_string()),
        judged: judged.collect(),
    }
}

fn change(revision: &Revision) -> Change {
    Change {
        commit: revision.commit.clone(),
        subject: revision.subject.clone(),
        author: revision.author.clone(),
        at: rfc3339(revision.at),
    }
}

/// How two releases of a service differ: their files, where the bytes of both are kept, and the commits between them.
#[utoipa::path(get, path = "/v1/releases/compare", tag = "releases", params(Two),
    responses((status = OK, body = Comparison)))]
pub(super) async fn compare(
    State(desk): State<Arc<Desk>>,
    AskedQuery(Two { service, from, to }): AskedQuery<Two>,
) -> Result<Response<Body>, Refused> {
    let diff = compared(&desk, &Pair { service, from, to }).await?;
    let (files, files_unknown) = split(diff.files);
    let (commits, commits_unknown) = split(diff.commits);
    let comparison = Comparison {
        from: diff.from.to_string(),
        to: diff.to.to_string(),
        files: files.map(|it| Files {
            added: it.added,
            removed: it.removed,
            changed: it.changed,
            same: it.same,
            more: it.more,
        }),
        files_unknown,
        commits: commits.map(|it| Commits {
            ahead: it.ahead.iter().map(change).collect(),
            behind: it.behind.iter().map(change).collect(),
            more: it.more,
        }),
        commits_unknown,
    };
    Ok(as_json(StatusCode::OK, &comparison))
}

fn split<T>(known: Result<T, String>) -> (Option<T>, Option<String>) {
    match known {
        Ok(value) => (Some(value), None),
        Err(why) => (None, Some(why)),
    }
}
