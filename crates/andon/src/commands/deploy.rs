//! `andon deploy` and `andon rollback`: a wish, made of the line and the few words that people may add.

use andon_core::deployment::{Kind, Summary};
use andon_core::name::EnvironmentName;
use andon_core::promotion::{before, goes_on};
use andon_core::release::{Release, ReleaseId};
use andon_core::scope::{Scope, ScopeName};
use andon_server::{Wish, lines as wishes};

use super::status::held_hosts;
use super::{Done, say};
use crate::args::{Common, Exceptions, ScopeArgs};
use crate::context::{Context, unknown};
use crate::door::Door;
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
    let mut wish = signals.unless_left(wish(common, &context, scope, why, exceptions)).await??;
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
        let (plan, _) = signals.unless_left(context.controller.plan(&wish, false)).await??;
        let paint = Paint::stdout();
        say(&format!("{}\n{}", super::plan::headline(&plan, paint), confirm::at_stake(&plan)));
    }
    let environment = wish.scope.environment.clone();
    confirm::confirmed(&mut wish.guard, &environment, common.json, signals).await?;
    let going = context.controller.deploy(wish).await?;
    follow::follow(&context.controller, going, common.json, signals).await
}

/// Gives an environment what the one before it runs. Without an environment, the only one that another comes before.
pub(crate) async fn promote(
    common: &Common,
    mut scope: ScopeArgs,
    why: Option<String>,
    confirm: Option<EnvironmentName>,
) -> Done {
    let mut signals = Signals::listen()?;
    let context = Context::open(common).await?.given_up_at(signals.any());
    let (line, service) = (context.line.line(), context.service(&scope.service)?);
    if scope.environment.is_none() {
        let mut later = service.environments.keys().filter(|name| before(line, service, name).is_some());
        scope.environment = match (later.next(), later.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => {
                return Err(Failure::usage("say which environment").next("andon promote SERVICE ENVIRONMENT"));
            }
        };
    }
    let (name, ..) = context.scope(&scope)?;
    let from = before(line, service, &name.environment).ok_or_else(|| {
        let word = format!("environment(\"{}\", after = \"staging\")", name.environment);
        Failure::refused(format!("the line says of no environment that {} comes after it", name.environment))
            .next(format!("write it in line.star: {word}"))
    })?;
    let source = ScopeName { service: name.service.clone(), environment: from.clone() };
    let records = context.controller.records();
    let (source, target) = (records.scope(&source).await?.value, records.scope(&name).await?.value);
    let known = goes_on(from, &source, &target).map_err(|not_yet| {
        Failure::refused(format!("nothing goes on to {}: {not_yet}", name.environment)).next(not_yet.next())
    })?;
    let more =
        wishes::Exceptions { why, confirmed: confirm::given(confirm), ..wishes::Exceptions::default() };
    let wish = made(&context, &name, Kind::Deploy, known.release.clone(), more)?;
    begin(common, &context, wish, &mut signals).await
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
    let (name, ..) = context.scope(scope)?;
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
    let more = wishes::Exceptions {
        why,
        take_over,
        confirmed: confirm::given(confirm),
        ..wishes::Exceptions::default()
    };
    let wish = made(&context, &name, Kind::Rollback, release, more)?;
    begin(common, &context, wish, &mut signals).await
}

/// The newest deployment of a scope that touched hosts, or does now.
async fn last_on_hosts(controller: &Door, name: &ScopeName) -> Result<Option<Summary>, Failure> {
    /// How far back it is looked for.
    const RECENT: usize = 500;
    let rows = controller.records().history(None, RECENT).await?;
    Ok(rows.into_iter().find(|row| row.scope == *name && row.touched_hosts()))
}

fn chosen(known: &Scope, id: &ReleaseId) -> Result<Release, Failure> {
    let ids = known.releases.keys().map(ReleaseId::as_str);
    let found = known.releases.get(id).ok_or_else(|| unknown("release", id.as_str(), ids))?;
    Ok(found.release.clone())
}

/// What `deploy` and `plan` want: the line's release, made ready to be sent.
pub(crate) async fn wish(
    common: &Common,
    context: &Context,
    scope: &ScopeArgs,
    why: Option<String>,
    exceptions: Exceptions,
) -> Result<Wish, Failure> {
    let (name, ..) = context.scope(scope)?;
    let release = context.release(common, &name).await?;
    let more = wishes::Exceptions {
        why,
        fixes: exceptions.fixes,
        allow_bad: exceptions.allow_bad,
        allow_wide: exceptions.allow_wide,
        take_over: exceptions.take_over,
        confirmed: None,
    };
    made(context, &name, Kind::Deploy, release, more)
}

fn made(
    context: &Context,
    name: &ScopeName,
    kind: Kind,
    release: Release,
    more: wishes::Exceptions,
) -> Result<Wish, Failure> {
    let wish = context.line.wish(name, kind, release, more);
    wish.ok_or_else(|| Failure::usage(format!("there is no {name} in the line")))
}
