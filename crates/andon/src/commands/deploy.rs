//! `andon deploy` and `andon rollback`: a wish, made of the line and the few words that people may add.

use andon_core::deployment::{Kind, Summary};
use andon_core::name::EnvironmentName;
use andon_core::release::{Release, ReleaseId};
use andon_core::scope::{Scope, ScopeName};
use andon_server::artifacts::ArtifactError;
use andon_server::{Controller, Wish, revision};

use super::status::held_hosts;
use super::{Done, say};
use crate::args::{Common, Exceptions, ScopeArgs};
use crate::context::{self, Context, unknown};
use crate::failure::Failure;
use crate::paint::Paint;
use crate::signals::Signals;
use crate::{confirm, follow, told};

pub(crate) async fn deploy(
    common: &Common,
    scope: &ScopeArgs,
    why: Option<String>,
    confirm: Option<EnvironmentName>,
    exceptions: Exceptions,
) -> Done {
    let mut signals = Signals::listen()?;
    let context = Context::open(common).await?.given_up_at(signals.any());
    let mut wish = signals.unless_left(wish(&context, scope, why, exceptions)).await??;
    wish.guard.passes.confirmed = confirm::given(confirm);
    told::earlier(&context);
    if !common.json {
        let known = context.controller.records().scope(&wish.scope).await?.value;
        held_hosts(&wish.scope, &known).iter().for_each(|hint| say(hint));
    }
    begin(common, &context, wish, &mut signals).await
}

/// Asks what has to be asked, begins, and watches to the end.
async fn begin(common: &Common, context: &Context, mut wish: Wish, signals: &mut Signals) -> Done {
    if confirm::asks(&wish.guard, common.json) {
        // Whoever is asked sees first what it is about, and is not asked for what would be refused anyway.
        let plan = signals.unless_left(context.controller.plan(&wish)).await??;
        let paint = Paint::stdout();
        say(&format!("{}\n{}", super::plan::headline(&plan, paint), confirm::at_stake(&plan)));
    }
    let environment = wish.scope.environment.clone();
    confirm::confirmed(&mut wish.guard, &environment, common.json, signals).await?;
    let going = context.controller.deploy(wish).await?;
    follow::follow(&context.controller, going, common.json, signals).await
}

pub(crate) async fn rollback(
    common: &Common,
    scope: &ScopeArgs,
    to: Option<ReleaseId>,
    why: Option<String>,
    confirm: Option<EnvironmentName>,
    take_over: bool,
) -> Done {
    let mut signals = Signals::listen()?;
    let context = Context::open(common).await?.given_up_at(signals.any());
    let (name, service, hosts) = context.scope(scope)?;
    let known = context.controller.records().scope(&name).await?.value;
    let release = match to {
        Some(id) => chosen(&known, &id)?,
        None => {
            let last = last_on_hosts(&context.controller, &name).await?;
            let target = Summary::way_back(last.as_ref(), &known);
            let target = target.ok_or_else(|| {
                Failure::refused(format!("{name} has no earlier good release to go back to"))
                    .why("a release is good once it was deployed to the end; nothing has been changed")
                    .next("andon history")
            })?;
            target.release.clone()
        }
    };
    let wish = Wish {
        pools: context::pools(&context.loaded.line, &name, service, &hosts),
        sites: context.loaded.line.sites.clone(),
        directory: context.directory(),
        guard: confirm::guard(&context.loaded.line, &name.environment, confirm::given(confirm), None),
        scope: name,
        kind: Kind::Rollback,
        release,
        service: service.clone(),
        hosts: hosts.into_iter().cloned().collect(),
        config: context.loaded.digest,
        why,
        fixes: None,
        allow_bad: None,
        take_over,
    };
    begin(common, &context, wish, &mut signals).await
}

/// The newest deployment of a scope that touched hosts, or does now.
async fn last_on_hosts(controller: &Controller, name: &ScopeName) -> Result<Option<Summary>, Failure> {
    /// How far back it is looked for.
    const RECENT: usize = 500;
    let rows = controller.records().history(None, RECENT).await?;
    let touched = |row: &Summary| row.hosts.changed > 0 || (row.ended.is_none() && row.started.is_some());
    Ok(rows.into_iter().find(|row| row.scope == *name && touched(row)))
}

fn chosen(known: &Scope, id: &ReleaseId) -> Result<Release, Failure> {
    let ids = known.releases.keys().map(ReleaseId::as_str);
    let found = known.releases.get(id).ok_or_else(|| unknown("release", id.as_str(), ids))?;
    Ok(found.release.clone())
}

/// What `deploy` and `plan` want: the line's release, made ready to be sent.
pub(crate) async fn wish(
    context: &Context,
    scope: &ScopeArgs,
    why: Option<String>,
    exceptions: Exceptions,
) -> Result<Wish, Failure> {
    let (name, service, hosts) = context.scope(scope)?;
    let revision = revision::head(&context.dir).await;
    let (artifacts, source, dir) =
        (context.controller.artifacts().clone(), service.release.clone(), context.dir.clone());
    // Reading and packing a large release would hold the runtime up.
    let kept = tokio::task::spawn_blocking(move || artifacts.keep(&source, &dir, revision)).await;
    let release = kept
        .map_err(|error| Failure::broken(format!("the release could not be read: {error}")))?
        .map_err(not_ready)?;
    Ok(Wish {
        pools: context::pools(&context.loaded.line, &name, service, &hosts),
        sites: context.loaded.line.sites.clone(),
        directory: context.directory(),
        guard: confirm::guard(&context.loaded.line, &name.environment, None, exceptions.allow_wide),
        scope: name,
        kind: Kind::Deploy,
        release,
        service: service.clone(),
        hosts: hosts.into_iter().cloned().collect(),
        config: context.loaded.digest,
        why,
        fixes: exceptions.fixes,
        allow_bad: exceptions.allow_bad,
        take_over: exceptions.take_over,
    })
}

fn not_ready(error: ArtifactError) -> Failure {
    let what = error.to_string();
    match error {
        ArtifactError::NotKept { .. } => Failure::broken(what)
            .why("a copy of the release is kept here before the first host is touched; nothing has been changed")
            .next("free space there, or choose another place: --data DIR"),
        ArtifactError::Unsigned { path, .. } => Failure::refused(what)
            .why("the line says signed_by; what is not signed touches no host; nothing has been changed")
            .next(format!("minisign -S -m {}, with a key that the line names", path.display())),
        ArtifactError::Missing { .. } | ArtifactError::NotAnArchive(_) | ArtifactError::Refused { .. } => {
            Failure::refused(what)
                .why("a release is checked before the first host is touched; nothing has been changed")
                .next("build it again, then: andon plan")
        }
    }
}
