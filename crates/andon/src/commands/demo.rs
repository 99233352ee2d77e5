//! `andon demo`: a play in two acts on six local hosts behind a balancer, before customers who never rest. What happens
//! is the real thing, from the line to the processes; this file leads through it and checks that every act ended as it
//! was announced.

use andon_core::deployment::{Deployment, State};
use andon_core::name::ServiceName;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{Done, deploy, say, status};
use crate::args::{Common, Exceptions, ScopeArgs};
use crate::context::{Context, me, width};
use crate::failure::Failure;
use crate::follow::{self, Watched};
use crate::paint::Paint;
use crate::{exit, when};
use fleet::{Fleet, Shop};
use narrator::Narrator;
use users::{Users, Visits};

pub(crate) use service::{ServiceArgs, serve};

mod balancer;
mod fleet;
mod narrator;
mod ports;
mod processes;
mod service;
mod users;

/// One act, before it is played.
struct Act {
    name: &'static str,
    shop: Shop,
    why: &'static str,
    before: &'static str,
    /// How it is to end: the state, hosts changed, hosts restored. And no request is to fail.
    promise: (&'static str, u32, u32),
}

const ACTS: [Act; 2] = [
    Act {
        name: "a good release goes out",
        shop: Shop::Good,
        why: "coffee",
        before: "The shop sells coffee now. The release goes to one host, then to two, then to the other three. \
                 Each host is taken out of the balancer and seen to be idle, then changed, checked and tested, and \
                 only then put back.",
        promise: ("succeeded", 6, 0),
    },
    Act {
        name: "a broken release is stopped and put back",
        shop: Shop::WhiteOnWhite,
        why: "a brighter checkout",
        before: "Somebody made the checkout brighter: its button is white on white now. The processes start and \
                 every health check passes. Only the production test, which looks at the checkout, can tell.",
        promise: ("rolled_back", 1, 1),
    },
];

/// One act, after it was played: its deployment as the ledger has it, and what its customers have counted.
#[derive(Debug, Serialize)]
struct Played {
    name: &'static str,
    outcome: &'static str,
    hosts_changed: u32,
    hosts_restored: u32,
    seconds: f64,
    requests: u64,
    failed_requests: u64,
    /// Of the requests that are not slow on purpose; `None` when none of them was answered.
    p99_ms: Option<f64>,
}

/// The last line of the demo, for programs.
#[derive(Serialize)]
struct Report<'a> {
    acts: &'a [Played],
}

impl Played {
    fn of(act: &Act, deployment: &Deployment, visits: &Visits) -> Self {
        let counts = deployment.host_counts();
        let began = deployment.started.unwrap_or(deployment.accepted);
        Self {
            name: act.name,
            outcome: deployment.state.name(),
            hosts_changed: counts.changed,
            hosts_restored: counts.restored,
            seconds: deployment.ended.map_or(0.0, |ended| when::seconds(ended.since(began))),
            requests: visits.tally.requests,
            failed_requests: visits.tally.failed,
            p99_ms: visits.p99_ms(),
        }
    }

    fn keeps(&self, act: &Act) -> bool {
        (self.outcome, self.hosts_changed, self.hosts_restored) == act.promise && self.failed_requests == 0
    }
}

pub(crate) async fn demo(common: &Common, once: bool) -> Done {
    let (interrupted, gone) = (signals(&[SignalKind::interrupt()])?, signals(&GONE)?);
    let mut fleet = Fleet::create(common.json)?;
    let mut played = Vec::new();
    let narrator = Narrator { paint: Paint::stdout(), silent: common.json, width: width() };
    let mut play = Play { fleet: &mut fleet, narrator: &narrator, interrupted: &interrupted };
    let done = tokio::select! {
        done = play.perform(&mut played) => done,
        () = raised(gone.clone()) => Ok(exit::LEFT),
    };
    if !once && matches!(done, Ok(exit::OK)) {
        narrator.look_around(&fleet);
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
    /// The shop opens, its customers come, and both acts are played before them. Ends early when an act does not keep
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
        for (act, number) in ACTS.iter().zip(1..) {
            self.narrator.begin(number, act.name, act.before);
            let Some(deployment) = self.deploy(&context, act.shop, act.why, Some(&users)).await? else {
                return Ok(exit::LEFT);
            };
            if number == ACTS.len() {
                tokio::task::block_in_place(|| users.leave());
            }
            let visits = users.lap();
            let result = Played::of(act, &deployment, &visits);
            let kept = result.keeps(act);
            played.push(result);
            if *self.interrupted.borrow() {
                return Ok(exit::LEFT);
            }
            self.narrator.visits(&deployment, &visits);
            if !kept {
                self.narrator.broken_promise(&deployment, act.promise);
                return Ok(exit::NOT_WELL);
            }
            self.narrator.after(&deployment);
            if number < ACTS.len() && deployment.stops_the_line().is_some() {
                self.narrator.tell("Somebody has looked at it, and starts the line for the next act.");
                context.controller.start_line(me(), "the next act".to_owned()).await?;
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
        let context = self.fleet.open(true).await?;
        self.narrator.opening();
        let Some(deployment) = self.deploy(&context, Shop::Opening, "the shop opens", None).await? else {
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

    /// One deployment, as a person would do it; it is shown when there are customers. `None` when it was left.
    async fn deploy(
        &mut self,
        context: &Context,
        shop: Shop,
        why: &str,
        users: Option<&Users>,
    ) -> Result<Option<Box<Deployment>>, Failure> {
        self.fleet.build(shop)?;
        let scope = ScopeArgs { service: service_name()?, environment: None };
        let exceptions = Exceptions { fixes: None, allow_bad: None, take_over: false };
        let wish = deploy::wish(context, &scope, Some(why.to_owned()), exceptions).await?;
        let mut going = context.controller.deploy(wish).await?;
        self.fleet.driver = Some(going.end.abort_handle());
        // Ctrl-C before anybody watched the deployment.
        if *self.interrupted.borrow() {
            return Ok(None);
        }
        let silent = self.narrator.silent || users.is_none();
        let tell = || users.map(|users| users.now(self.narrator.paint)).unwrap_or_default();
        let beside: Option<follow::Beside<'_>> = if users.is_some() { Some(&tell) } else { None };
        let watched = tokio::select! {
            watched = follow::watch_to_end(&context.controller, &mut going, silent, beside) => watched?,
            // Without it the deployment would pause and wait for somebody who starts it again.
            failure = self.fleet.balancer.ended() => return Err(failure),
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
