//! What a client wants deployed, in words, and the wish that it becomes by the line of this server.

use andon_core::access::Deed;
use andon_core::deployment::{DeploymentId, Kind, Summary};
use andon_core::guard::Confirmation;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::plan::Refusal;
use andon_core::promotion::before;
use andon_core::release::{Release, ReleaseId};
use andon_core::scope::ScopeName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Wish;
use crate::http::Desk;
use crate::http::body::short;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused};
use crate::lines::{Exceptions, LineOnDisk};
use crate::problem::Problem;

/// What shall be deployed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The service.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    pub service: ServiceName,
    /// The environment; without it, the only one of the service.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    pub environment: Option<EnvironmentName>,
    /// `deploy` or `rollback`; without it, `deploy`.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(deploy|rollback)$")]
    pub kind: Option<Kind>,
    /// A release that is kept here or that the scope knows; without it, the one that the line describes, or for a rollback
    /// the good one before. A rollback leads only to a release that was there.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^r-[0-9a-f]{12}$")]
    pub release: Option<ReleaseId>,
    /// The environment whose release it gets, bit for bit; the one that the line says comes before. Not together with
    /// `release`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub from: Option<EnvironmentName>,
    /// Why, in the person's words.
    #[serde(default)]
    pub why: Option<String>,
    /// The deployment whose damage this repairs.
    #[serde(default)]
    #[schema(maximum = 9_007_199_254_740_991u64)]
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
    #[schema(value_type = Option<Said>)]
    pub confirmed: Option<Confirmation>,
}

/// The name of an environment, said once more.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of andon_core's Confirmation, for the document")]
struct Said {
    /// The name.
    #[schema(pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    environment: String,
    /// `typed` by a person who was asked for it, or `given` with the command.
    #[schema(pattern = "^(typed|given)$")]
    how: String,
}

impl Wanted {
    /// The wish, by the line as it lies on the server's disk now; when whoever asks may have it.
    pub(super) async fn wish(self, desk: &Desk, asker: &Asker) -> Result<Wish, Refused> {
        for (name, words) in
            [("why", &self.why), ("allow_bad", &self.allow_bad), ("allow_wide", &self.allow_wide)]
        {
            short(name, words.as_deref())?;
        }
        let line = desk.fresh_line().await?;
        let scope = scope_of(&line, &self.service, self.environment.as_ref())?;
        asker.may(&Deed::Deploy(scope.clone()))?;
        let kind = self.kind.unwrap_or(Kind::Deploy);
        let release = match (&self.from, &self.release) {
            (Some(_), Some(_)) => return Err(invalid("say `from` or `release`, not both".to_owned())),
            (Some(_), None) if kind == Kind::Rollback => {
                return Err(invalid("a rollback takes a `release`, or goes to the one before".to_owned()));
            }
            (Some(from), None) => promoted(desk, &line, &scope, from).await?,
            (None, Some(id)) => known(desk, &line, &scope, kind, id).await?,
            (None, None) if kind == Kind::Rollback => the_one_before(desk, &scope).await?,
            (None, None) => described(desk, &line, &scope).await?,
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

/// The release that `from` runs, when it is `from` that comes before and nothing speaks against it.
async fn promoted(
    desk: &Desk,
    line: &LineOnDisk,
    scope: &ScopeName,
    from: &EnvironmentName,
) -> Result<Release, Refused> {
    let (service, _) = line.parts(scope).ok_or_else(|| invalid(format!("there is no {scope}")))?;
    match before(line.line(), service, &scope.environment) {
        Some(known) if known != from => {
            let what = format!("{} comes after {known}, not after {from}", scope.environment);
            Err(Refused::new(ErrorCode::Conflict, what, "say that one, or change line.star"))
        }
        _ => Ok(desk.controller.promoted(line, service, scope).await?),
    }
}

/// The scope that is meant.
pub(super) fn scope_of(
    line: &LineOnDisk,
    service: &ServiceName,
    environment: Option<&EnvironmentName>,
) -> Result<ScopeName, Refused> {
    Ok(line.scope(service, environment)?)
}

/// The release that the line describes for a scope, packed and kept.
pub(super) async fn described(desk: &Desk, line: &LineOnDisk, scope: &ScopeName) -> Result<Release, Refused> {
    let (service, _) = line.parts(scope).ok_or_else(|| invalid(format!("there is no {scope}")))?;
    let artifacts = desk.controller.artifacts();
    let release = line.release(artifacts, service).await.map_err(Refused::from)?;
    // Whoever asked for it names it when they deploy it.
    artifacts.remember(&release).map_err(|error| {
        let what = format!("the release could not be kept: {error}");
        Refused::new(ErrorCode::Unavailable, what, "free space on the server")
    })?;
    Ok(release)
}

/// Where a rollback leads that names no release.
async fn the_one_before(desk: &Desk, scope: &ScopeName) -> Result<Release, Refused> {
    /// How far back the newest deployment is looked for that touched hosts.
    const RECENT: usize = 500;
    let records = desk.controller.records();
    let known = records.scope(scope).await?.value;
    let rows = records.history_of(std::slice::from_ref(scope), RECENT).await?;
    let last = rows.iter().find(|row| row.touched_hosts());
    let before = Summary::way_back(last, &known).map(|known| known.release.clone());
    before.ok_or_else(|| Problem::Refused(Refusal::NothingToGoBackTo(scope.clone())).into())
}

/// A release by its name: one that was brought here, or one that the scope knows, or the one before it that gives its release on.
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
    let records = desk.controller.records();
    let mut scope_knows = records.scope(scope).await?.value.releases.get(id).cloned();
    let from = line.parts(scope).and_then(|(service, _)| before(line.line(), service, &scope.environment));
    if let (Kind::Deploy, None, Some(from)) = (kind, &scope_knows, from) {
        let from = ScopeName { service: scope.service.clone(), environment: from.clone() };
        scope_knows = records.scope(&from).await?.value.releases.get(id).cloned();
    }
    let release = match (kind, kept, scope_knows) {
        (Kind::Deploy, Some(kept), _) => kept,
        (_, _, Some(known)) => known.release,
        // One that was only brought is refused as any that never was there.
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

/// Words that make no sense to this line.
pub(super) fn invalid(what: String) -> Refused {
    Refused::new(ErrorCode::InvalidRequest, what, "see what the line has: GET /v1/about")
}
