//! What a client wants deployed, in words, and the wish that it becomes by the line of this server.

use andon_core::access::Deed;
use andon_core::deployment::{DeploymentId, Kind};
use andon_core::guard::Confirmation;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::release::{Release, ReleaseId};
use andon_core::scope::ScopeName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Wish;
use crate::artifacts::ArtifactError;
use crate::http::Desk;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused};
use crate::lines::{Exceptions, LineOnDisk};

/// What shall be deployed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The service.
    #[schema(value_type = String)]
    pub service: ServiceName,
    /// The environment; without it, the only one of the service.
    #[schema(value_type = Option<String>)]
    pub environment: Option<EnvironmentName>,
    /// `deploy` or `rollback`; without it, `deploy`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub kind: Option<Kind>,
    /// A release that is kept here or that the scope knows; without it, the one that the line describes.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub release: Option<ReleaseId>,
    /// Why, in the person's words.
    #[serde(default)]
    pub why: Option<String>,
    /// The deployment whose damage this repairs.
    #[serde(default)]
    pub fixes: Option<u64>,
    /// Why a bad release may pass once more.
    #[serde(default)]
    pub allow_bad: Option<String>,
    /// Why more hosts may change at one go than the environment allows.
    #[serde(default)]
    pub allow_wide: Option<String>,
    /// Hosts that belong to another ledger are taken over.
    #[serde(default)]
    pub take_over: bool,
    /// The environment's name once more, and how it was said.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub confirmed: Option<Confirmation>,
}

impl Wanted {
    /// The wish, by the line as it lies on the server's disk now; when whoever asks may have it.
    pub(super) async fn wish(self, desk: &Desk, asker: &Asker) -> Result<Wish, Refused> {
        let line = desk.fresh_line().await?;
        let scope = scope_of(&line, &self.service, self.environment.as_ref())?;
        asker.may(&Deed::Deploy(scope.clone()))?;
        let kind = self.kind.unwrap_or(Kind::Deploy);
        let release = match &self.release {
            Some(id) => known(desk, &line, &scope, kind, id).await?,
            None => described(desk, &line, &scope).await?,
        };
        let more = Exceptions {
            why: self.why,
            fixes: self.fixes.map(DeploymentId),
            allow_bad: self.allow_bad,
            allow_wide: self.allow_wide,
            take_over: self.take_over,
            confirmed: self.confirmed,
        };
        line.wish(&scope, kind, release, more).ok_or_else(|| invalid(format!("there is no {scope}")))
    }
}

/// The scope that is meant.
pub(super) fn scope_of(
    line: &LineOnDisk,
    service: &ServiceName,
    environment: Option<&EnvironmentName>,
) -> Result<ScopeName, Refused> {
    line.scope(service, environment).map_err(|error| invalid(error.to_string()))
}

/// The release that the line describes for a scope, packed and kept.
pub(super) async fn described(desk: &Desk, line: &LineOnDisk, scope: &ScopeName) -> Result<Release, Refused> {
    let (service, _) = line.parts(scope).ok_or_else(|| invalid(format!("there is no {scope}")))?;
    let artifacts = desk.controller.artifacts();
    let release = line.release(artifacts, service).await.map_err(not_ready)?;
    // Whoever asked for it names it when they deploy it.
    artifacts.remember(&release).map_err(|error| {
        let what = format!("the release could not be kept: {error}");
        Refused::new(ErrorCode::Unavailable, what, "free space on the server")
    })?;
    Ok(release)
}

/// A release by its name: one that was brought here, or one that the scope knows.
async fn known(
    desk: &Desk,
    line: &LineOnDisk,
    scope: &ScopeName,
    kind: Kind,
    id: &ReleaseId,
) -> Result<Release, Refused> {
    let artifacts = desk.controller.artifacts().clone();
    let wanted = id.clone();
    let kept = tokio::task::spawn_blocking(move || artifacts.known(&wanted)).await.ok().flatten();
    let scope_knows = desk.controller.records().scope(scope).await?.value.releases.get(id).cloned();
    let release = match (kind, kept, scope_knows) {
        (Kind::Deploy, Some(kept), _) => kept,
        (_, _, Some(known)) => known.release,
        (_, kept, None) => kept.ok_or_else(|| {
            let what = format!("there is no release {id} here");
            Refused::new(ErrorCode::NotFound, what, "bring it first: PUT /v1/releases/{digest}/bytes")
        })?,
    };
    if kind == Kind::Deploy {
        signed_for(line, scope, &release)?;
    }
    Ok(release)
}

/// Where the line asks for a signature, a release that was brought by somebody has one by a key that the line names.
fn signed_for(line: &LineOnDisk, scope: &ScopeName, release: &Release) -> Result<(), Refused> {
    use andon_core::line::ReleaseSource;
    let Some((service, _)) = line.parts(scope) else { return Ok(()) };
    let ReleaseSource::Signed { by, .. } = &service.release else { return Ok(()) };
    let good = release.signed.as_ref().is_some_and(|signed| by.iter().any(|key| key.id() == signed.key));
    if good {
        return Ok(());
    }
    let what = format!("{} is refused: no key that the line of this server names has signed it", release.id);
    Err(Refused::new(ErrorCode::Conflict, what, "sign it, then bring it again")
        .why("the line says signed_by; what is not signed touches no host; nothing has been changed"))
}

/// A release that cannot be sent to hosts.
pub(super) fn not_ready(error: ArtifactError) -> Refused {
    let what = error.to_string();
    match error {
        ArtifactError::NotKept { .. } => {
            Refused::new(ErrorCode::Unavailable, what, "free space on the server").why(
                "a copy of the release is kept before the first host is touched; nothing has been changed",
            )
        }
        ArtifactError::Unsigned { path, .. } => {
            let next = format!("minisign -S -m {}, with a key that the line names", path.display());
            Refused::new(ErrorCode::Conflict, what, next)
                .why("the line says signed_by; what is not signed touches no host; nothing has been changed")
        }
        ArtifactError::Missing { .. } | ArtifactError::NotAnArchive(_) | ArtifactError::Refused { .. } => {
            Refused::new(ErrorCode::Conflict, what, "build it again, then: andon plan")
                .why("a release is checked before the first host is touched; nothing has been changed")
        }
    }
}

/// Words that make no sense to this line.
pub(super) fn invalid(what: String) -> Refused {
    Refused::new(ErrorCode::InvalidRequest, what, "see what the line has: GET /v1/about")
}
