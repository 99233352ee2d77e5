//! `andon demo`: a play in two acts on six local hosts. What happens is the real thing, from the line to the
//! processes; this file tells the story and checks that every act ended as it was announced.

use andon_core::deployment::Deployment;
use andon_core::name::ServiceName;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{Done, deploy, say, status};
use crate::args::{Common, Exceptions, ScopeArgs};
use crate::context::{Context, width};
use crate::failure::Failure;
use crate::follow::{self, Watched};
use crate::paint::Paint;
use crate::{exit, when};
use fleet::{Fleet, Shop};
use narrator::Narrator;

pub(crate) use service::{ServiceArgs, serve};

mod fleet;
mod narrator;
mod ports;
mod processes;
mod service;

/// One act, before it is played.
struct Act {
    name: &'static str,
    shop: Shop,
    why: &'static str,
    before: &'static str,
    /// How it is to end: the state, hosts changed, hosts restored.
    promise: (&'static str, u32, u32),
}

const ACTS: [Act; 2] = [
    Act {
        name: "a good release goes out",
        shop: Shop::Good,
        why: "the shop opens",
        before: "The first release of a small shop goes to one host, then to two, then to the other three. On \
                 each, its health is checked and its production tests run before the next wave begins.",
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

/// One act, after it was played. All of it is read from the deployment as the ledger has it.
#[derive(Debug, Serialize)]
struct Played {
    name: &'static str,
    outcome: &'static str,
    hosts_changed: u32,
    hosts_restored: u32,
    seconds: f64,
}

/// The last line of the demo, for programs.
#[derive(Serialize)]
struct Report<'a> {
    acts: &'a [Played],
}

impl Played {
    fn of(act: &Act, deployment: &Deployment) -> Self {
        let counts = deployment.host_counts();
        let began = deployment.started.unwrap_or(deployment.accepted);
        Self {
            name: act.name,
            outcome: deployment.state.name(),
            hosts_changed: counts.changed,
            hosts_restored: counts.restored,
            seconds: deployment.ended.map_or(0.0, |ended| when::seconds(ended.since(began))),
        }
    }

    fn keeps(&self, act: &Act) -> bool {
        (self.outcome, self.hosts_changed, self.hosts_restored) == act.promise
    }
}

pub(crate) async fn demo(common: &Common, once: bool) -> Done {
    let (interrupted, gone) = (signals(&[SignalKind::interrupt()])?, signals(&GONE)?);
    let mut fleet = Fleet::create(common.json)?;
    let mut played = Vec::new();
    let narrator = Narrator { paint: Paint::stdout(), silent: common.json, width: width() };
    let done = tokio::select! {
        done = play(&mut fleet, &mut played, &narrator, &interrupted) => done,
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

/// Both acts. Ends early when one of them does not keep its promise, or with Ctrl-C.
async fn play(
    fleet: &mut Fleet,
    played: &mut Vec<Played>,
    narrator: &Narrator,
    interrupted: &watch::Receiver<bool>,
) -> Done {
    let context = fleet.open().await?;
    narrator.scene(fleet);
    for (act, number) in ACTS.iter().zip(1..) {
        narrator.begin(number, act.name, act.before);
        fleet.build(act.shop)?;
        let Some(deployment) = perform(fleet, &context, act, narrator, interrupted).await? else {
            return Ok(exit::LEFT);
        };
        let result = Played::of(act, &deployment);
        let kept = result.keeps(act);
        played.push(result);
        if *interrupted.borrow() {
            return Ok(exit::LEFT);
        }
        if !kept {
            narrator.broken_promise(&deployment, act.promise);
            return Ok(exit::NOT_WELL);
        }
        narrator.after(&deployment);
    }
    if !fleet.common.json {
        narrator.tell("");
        let service = service_name()?;
        status::status(&fleet.common, Some(service), None).await?;
    }
    Ok(exit::OK)
}

/// One deployment, as a person would do it. `None` when it was left.
async fn perform(
    fleet: &mut Fleet,
    context: &Context,
    act: &Act,
    narrator: &Narrator,
    interrupted: &watch::Receiver<bool>,
) -> Result<Option<Box<Deployment>>, Failure> {
    let scope = ScopeArgs { service: service_name()?, environment: None };
    let exceptions = Exceptions { fixes: None, allow_bad: None, take_over: false };
    let wish = deploy::wish(context, &scope, Some(act.why.to_owned()), exceptions).await?;
    let mut going = context.controller.deploy(wish).await?;
    fleet.driver = Some(going.end.abort_handle());
    // Ctrl-C before anybody watched the deployment.
    if *interrupted.borrow() {
        return Ok(None);
    }
    match follow::watch_to_end(&context.controller, &mut going, narrator.silent).await? {
        Watched::Left(_) => Ok(None),
        Watched::Ended(deployment) => {
            narrator.ending(&deployment);
            Ok(Some(deployment))
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
