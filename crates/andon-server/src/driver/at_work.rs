//! What a driver has under way: one task for each host that has an order open, and what each of them brings.
//!
//! Carries orders out and calls lost hosts; what that means for the deployment is for the core to say.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use andon_api::agent::{Order, Refusal};
use andon_core::deployment::{Deployment, HostState, Input};
use andon_core::host::{Authority, Outcome, Placement, Token};
use andon_core::line::Host;
use andon_core::name::HostName;
use andon_core::time::Time;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::hosts::{HostError, Hosts, Supplies};

/// The first pause between two calls to a lost host, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(15);

/// The work that is under way, one task for each host.
#[derive(Default)]
pub(super) struct AtWork {
    pub(super) tasks: JoinSet<News>,
    pub(super) by_host: BTreeMap<HostName, Task>,
    pub(super) by_task: HashMap<Id, (HostName, Token)>,
}

/// What a task brings.
pub(super) struct News {
    pub(super) input: Input,
    /// Whom the host obeys instead of us, when that is why.
    pub(super) holder: Option<Box<Authority>>,
}

impl From<Input> for News {
    fn from(input: Input) -> Self {
        Self { input, holder: None }
    }
}

/// One of them.
pub(super) struct Task {
    pub(super) token: Token,
    pub(super) asking: bool,
    pub(super) handle: AbortHandle,
}

impl AtWork {
    /// News of a task that ended. One that was given up has none; one that panicked has lost its host.
    pub(super) fn heard(&mut self, ended: Result<(Id, News), JoinError>) -> Option<News> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let (host, token) = self.by_task.remove(&id)?;
        if self.by_host.get(&host).is_some_and(|task| task.handle.id() == id) {
            self.by_host.remove(&host);
        }
        match ended {
            Ok((_, news)) => Some(news),
            Err(error) if error.is_cancelled() => None,
            Err(_) => {
                let why = "the controller stumbled over its answer".to_owned();
                Some(Input::Lost { host, token, why }.into())
            }
        }
    }
}

/// Has a step carried out, and waits for its end.
pub(super) async fn carry_out(ways: Arc<dyn Hosts>, host: Host, order: Order, supplies: Supplies) -> News {
    let (name, token, stage) = (host.name.clone(), order.token.clone(), order.step.stage());
    match ways.carry_out(&host, order, &supplies).await {
        Ok(outcome) => Input::Ended { host: name, token, outcome }.into(),
        Err(HostError::Unreachable(why) | HostError::Lost(why)) => {
            Input::Lost { host: name, token, why }.into()
        }
        Err(error @ (HostError::Refused(_) | HostError::Unable(_))) => {
            let reason = format!("{name} could not {stage}: {error}");
            let outcome = Outcome::Failed { reason, tail: String::new() };
            let holder = match error {
                HostError::Refused(Refusal::Fenced(holder)) => Some(holder),
                _ => None,
            };
            News { input: Input::Ended { host: name, token, outcome }, holder }
        }
    }
}

/// What is known of a host that was lost.
pub(super) struct Lost {
    /// How long ago.
    ago: Duration,
    /// Why, as far as is known.
    why: String,
}

impl Lost {
    pub(super) fn of(deployment: &Deployment, host: &HostName, now: Time) -> Self {
        match deployment.hosts.get(host).map(|run| &run.state) {
            Some(HostState::Unknown { since, why, .. }) => {
                Self { ago: deployment.clamp(now).since(*since), why: why.clone() }
            }
            _ => Self { ago: Duration::ZERO, why: String::new() },
        }
    }
}

/// Calls a lost host until it answers or another reason is met why it does not; the core decides how long.
pub(super) async fn ask(
    ways: Arc<dyn Hosts>,
    host: Host,
    placement: Placement,
    token: Token,
    lost: Lost,
) -> News {
    let mut pause = lost.ago.clamp(FIRST_PAUSE, MAX_BACKOFF);
    if lost.ago >= FIRST_PAUSE {
        tokio::time::sleep(pause).await;
    }
    loop {
        match ways.probe(&host, &placement, std::slice::from_ref(&token)).await {
            Ok(facts) => return Input::Found { host: host.name, token, facts: Box::new(facts) }.into(),
            Err(error) => {
                let why = error.to_string();
                if why != lost.why {
                    return Input::Lost { host: host.name, token, why }.into();
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_BACKOFF);
    }
}
