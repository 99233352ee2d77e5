//! `andon demo`: a play in seven acts on six local hosts behind a balancer, before customers who never rest. What happens
//! is the real thing, from the line to the processes; this file leads through it and checks that every act ended as it
//! was announced.

use andon_core::deployment::{Deployment, DeploymentId, State};
use andon_core::name::ServiceName;
use andon_server::{Going, Progress};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{Done, deploy, say, status};
use crate::args::{Common, Exceptions, ScopeArgs};
use crate::context::{Context, width};
use crate::exit;
use crate::failure::Failure;
use crate::follow::{self, Watched};
use crate::paint::Paint;
use crate::signals::Signals;
use act::{ACTS, Act, Loss, Opens};
use doomed::Doomed;
use fleet::Fleet;
use narrator::Narrator;
use page::Page;
use played::Played;
use shop::Shop;
use users::Users;
use weather::Weather;

pub(crate) use service::{ServiceArgs, serve};

mod act;
mod balancer;
mod doomed;
mod fleet;
mod narrator;
mod page;
mod played;
mod ports;
mod processes;
mod service;
mod shop;
mod users;
mod weather;

/// The last line of the demo, for programs.
#[derive(Serialize)]
struct Report<'a> {
    acts: &'a [Played],
}

pub(crate) async fn demo(common: &Common, once: bool) -> Done {
    let (interrupted, gone) = (signals(&[SignalKind::interrupt()])?, signals(&GONE)?);
    let mut fleet = Fleet::create(common.json)?;
    fleet.listen().await?;
    let page = Page::open(&fleet).await?;
    let mut played = Vec::new();
    let narrator = Narrator { paint: Paint::stdout(), silent: common.json, width: width() };
    narrator.page(&page.address, once);
    if !once && !common.json {
        page.show();
    }
    let mut play = Play { fleet: &mut fleet, narrator: &narrator, interrupted: &interrupted };
    let done = tokio::select! {
        done = play.perform(&mut played) => done,
        () = raised(gone.clone()) => Ok(exit::LEFT),
    };
    if !once && matches!(done, Ok(exit::OK)) {
        narrator.look_around(&fleet, &page.address);
    }
    if once || common.json {
        let report = serde_json::to_string(&Report { acts: &played });
        say(&report.unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")));
    }
    if !once && matches!(done, Ok(exit::OK)) {
        tokio::select! {
            () = raised(interrupted) => {}
            () = raised(gone) => {}
        }
        narrator.tell("Stopping the fleet.");
    }
    page.close().await;
    tokio::task::block_in_place(|| fleet.end())?;
    done
}

/// What takes part in every scene.
struct Play<'a> {
    fleet: &'a mut Fleet,
    narrator: &'a Narrator,
    interrupted: &'a watch::Receiver<bool>,
}

impl Play<'_> {
    /// The shop opens, its customers come, and all acts are played before them. Ends early when an act does not keep
    /// its promise, or with Ctrl-C.
    async fn perform(&mut self, played: &mut Vec<Played>) -> Done {
        self.narrator.scene(self.fleet);
        if !self.open().await? {
            return Ok(exit::LEFT);
        }
        let context = self.fleet.open(false).await?;
        let mut users = Users::arrive(self.fleet.balancer.address)?;
        self.narrator.users();
        users.settle().await;
        let (mut last, mut was) = (None, Weather::Fair);
        for (act, number) in ACTS.iter().zip(1..) {
            self.narrator.begin(number, act);
            let exceptions = self.make_way(&context, act, last).await?;
            act.weather.set(self.fleet.path())?;
            if act.promise.loss == Loss::Nothing && was != Weather::Fair {
                users.calm().await;
            }
            was = act.weather;
            users.lap();
            let Some(deployment) = self.deploy(&context, act, exceptions, &users).await? else {
                return Ok(exit::LEFT);
            };
            last = Some(deployment.id);
            if number == ACTS.len() {
                tokio::task::block_in_place(|| users.leave());
            }
            let visits = users.lap();
            let entries = context.controller.records().entries(deployment.id, 0).await?;
            let result = Played::of(act, &deployment, &entries, &visits);
            if *self.interrupted.borrow() {
                played.push(result);
                return Ok(exit::LEFT);
            }
            self.narrator.visits(&deployment, &visits, act);
            let broken = result.broken(act);
            if broken.is_none() {
                self.narrator.after(act, &result);
            }
            played.push(result);
            if let Some(broken) = broken {
                self.narrator.broken_promise(&broken, &deployment);
                return Ok(exit::NOT_WELL);
            }
        }
        if !self.fleet.common.json {
            self.narrator.tell("");
            status::status(&self.fleet.common, Some(service_name()?), None).await?;
        }
        Ok(exit::OK)
    }

    /// The first release goes to all hosts at once, while nobody is there. `false` when it was left.
    async fn open(&mut self) -> Result<bool, Failure> {
        self.fleet.balancer.start().await?;
        Weather::Fair.set(self.fleet.path())?;
        let context = self.fleet.open(true).await?;
        self.narrator.opening();
        self.fleet.build(Shop::Opening)?;
        let going = self.go(&context, "the shop opens", NO_EXCEPTIONS).await?;
        let Some(deployment) = self.watch(&context, going, Weather::Fair, None).await? else {
            return Ok(false);
        };
        match deployment.state {
            State::Succeeded => Ok(true),
            _ if *self.interrupted.borrow() => Ok(false),
            _ => {
                let why = follow::ending(&deployment, self.narrator.paint);
                Err(Failure::broken("the shop could not be opened").why(why))
            }
        }
    }

    /// How an act gets past the line that the one before it may have stopped.
    async fn make_way(
        &self,
        context: &Context,
        act: &Act,
        last: Option<DeploymentId>,
    ) -> Result<Exceptions, Failure> {
        match act.opens {
            Opens::Running => Ok(NO_EXCEPTIONS),
            Opens::Repair => Ok(Exceptions { fixes: last, ..NO_EXCEPTIONS }),
            Opens::Started(why) => {
                context.controller.start_line(why.to_owned()).await?;
                self.narrator.started(why);
                Ok(NO_EXCEPTIONS)
            }
        }
    }

    /// The deployment of an act, as a person would do it. `None` when it was left.
    async fn deploy(
        &mut self,
        context: &Context,
        act: &Act,
        exceptions: Exceptions,
        users: &Users,
    ) -> Result<Option<Box<Deployment>>, Failure> {
        self.fleet.build(act.shop)?;
        let going = match act.controller {
            act::Controller::Lives => self.go(context, act.why, exceptions).await?,
            act::Controller::Dies => match self.take_over(context, act, exceptions).await? {
                Some(going) => going,
                None => return Ok(None),
            },
        };
        self.watch(context, going, act.weather, Some(users)).await
    }

    /// Another process deploys and is killed; this one goes on where that one was. `None` when it was left before.
    async fn take_over(
        &mut self,
        context: &Context,
        act: &Act,
        exceptions: Exceptions,
    ) -> Result<Option<Going>, Failure> {
        let doomed = Doomed::begin(self.fleet, act.why, exceptions.fixes)?;
        tokio::select! {
            died = doomed.die(|line| self.narrator.pass_on(line)) => died?,
            () = raised(self.interrupted.clone()) => return Ok(None),
        }
        let newest = context.controller.records().history(None, 1).await?;
        let newest = newest.first().ok_or_else(|| Failure::broken("nothing was deployed"))?.id;
        self.narrator.killed(newest);
        let going = context.controller.resume(newest, false).await?;
        let going = going.ok_or_else(|| Failure::broken(format!("{newest} is driven by somebody else")))?;
        self.fleet.driver = Some(going.end.abort_handle());
        Ok(Some(going))
    }

    async fn go(&mut self, context: &Context, why: &str, exceptions: Exceptions) -> Result<Going, Failure> {
        let scope = ScopeArgs { service: service_name()?, environment: None };
        let wish =
            deploy::wish(&self.fleet.common, context, &scope, Some(why.to_owned()), exceptions).await?;
        let going = context.controller.deploy(wish).await?;
        self.fleet.driver = Some(going.end.abort_handle());
        Ok(going)
    }

    /// Watches a deployment to its end, or to a pause that it does not leave by itself; it is shown when there are
    /// customers. `None` when it was left.
    async fn watch(
        &mut self,
        context: &Context,
        mut going: Going,
        weather: Weather,
        users: Option<&Users>,
    ) -> Result<Option<Box<Deployment>>, Failure> {
        // Ctrl-C before anybody watched the deployment.
        if *self.interrupted.borrow() {
            return Ok(None);
        }
        let silent = self.narrator.silent || users.is_none();
        let tell = || users.map(|users| users.now(self.narrator.paint)).unwrap_or_default();
        let beside: Option<follow::Beside<'_>> = if users.is_some() { Some(&tell) } else { None };
        let progress = going.progress.clone();
        let mut signals = Signals::listen()?;
        let place = self.fleet.path().to_owned();
        let watched = tokio::select! {
            watched = follow::watch_to_end(&context.controller, &mut going, silent, beside, &mut signals) => watched?,
            // Nobody is here who could say how it goes on.
            paused = paused(progress) => Watched::Ended(paused),
            // Without it the deployment would pause, too.
            failure = self.fleet.balancer.ended() => return Err(failure),
            failure = weather.go_on(&place) => return Err(failure),
        };
        match watched {
            Watched::Left(_) => Ok(None),
            Watched::Ended(deployment) => {
                if !silent {
                    self.narrator.ending(&deployment);
                }
                Ok(Some(deployment))
            }
        }
    }
}

const NO_EXCEPTIONS: Exceptions =
    Exceptions { fixes: None, allow_bad: None, allow_wide: None, take_over: false };

/// A deployment that has paused and waits for a person.
async fn paused(mut progress: watch::Receiver<Progress>) -> Box<Deployment> {
    let is_paused = |progress: &Progress| matches!(progress.deployment.state, State::Paused { .. });
    match progress.wait_for(is_paused).await {
        Ok(paused) => Box::new((*paused.deployment).clone()),
        // It ends, and is heard of elsewhere.
        Err(_) => std::future::pending().await,
    }
}

fn service_name() -> Result<ServiceName, Failure> {
    ServiceName::new("www").map_err(|error| Failure::broken(error.to_string()))
}

/// The terminal was closed, or somebody wants this process to end.
const GONE: [SignalKind; 2] = [SignalKind::terminate(), SignalKind::hangup()];

/// Becomes true with the first of these signals, and stays so.
fn signals(kinds: &[SignalKind]) -> Result<watch::Receiver<bool>, Failure> {
    let (raise, raised) = watch::channel(false);
    for kind in kinds {
        let mut signal = signal(*kind)
            .map_err(|error| Failure::broken(format!("signals cannot be waited for: {error}")))?;
        let raise = raise.clone();
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                raise.send_replace(true);
            }
        });
    }
    Ok(raised)
}

async fn raised(mut signal: watch::Receiver<bool>) {
    // The sender lives as long as the runtime does.
    let _ = signal.wait_for(|raised| *raised).await;
}
