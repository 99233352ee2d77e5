//! What a host on its way out of or into traffic waits for, so that a drain that hangs explains itself.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::balance::Traffic;
use andon_core::deployment::{HostRun, HostState};
use andon_core::host::Stage;
use andon_core::name::HostName;
use andon_core::time::Time;
use andon_server::Progress;

use super::{SHOWN, doing, legible};
use crate::when;

/// How long a host may be on its way before a log tells what it waits for, and how often it tells then.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(30);

/// What a host waits for in its balancers, as they said last: `3 sessions on haproxy www on lb1; what is left is cut
/// in 18 s`. `None` when it does not, or when nothing was heard since it was told to.
pub(crate) fn awaited(progress: &Progress, host: &HostName, run: &HostRun, now: Time) -> Option<String> {
    let plan = progress.deployment.plan.as_deref()?;
    let HostState::Doing(step) = &run.state else { return None };
    let (round, rollout) = (&progress.round, &plan.service.rollout);
    let (reason, then, limit) = match (step.stage, round.wished(host)?) {
        (Stage::Drain, Traffic::Out | Traffic::Cut) => {
            let busy = round.sight_of(plan, host).busy_with(round.sockets_of(host))?;
            (busy, "what is left is cut", rollout.drain_timeout)
        }
        (Stage::Enable, Traffic::In(_)) => {
            let kept_out = round.sight_of(plan, host).kept_out_by()?;
            (kept_out, "it is given up", rollout.healthy_deadline + rollout.slow_start)
        }
        _ => return None,
    };
    let left = limit.saturating_sub(now.since(run.since));
    let then = if left.is_zero() { String::new() } else { format!("; {then} in {}", when::span(left)) };
    Some(format!("{}{then}", legible(&reason)))
}

/// What a log was told already, so that a wait is told of, and not told of all the time.
#[derive(Debug, Default)]
pub(crate) struct Reminders {
    told: BTreeMap<HostName, Time>,
}

impl Reminders {
    /// Lines on hosts that have been on their way for a while. Those that wait for the same share one.
    pub(crate) fn lines(&mut self, progress: &Progress, now: Time) -> Vec<String> {
        let deployment = &progress.deployment;
        let moves = |host: &HostName| {
            let state = deployment.hosts.get(host).map(|run| &run.state);
            matches!(state, Some(HostState::Doing(step)) if matches!(step.stage, Stage::Drain | Stage::Enable))
        };
        self.told.retain(|host, _| moves(host));
        let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (host, run) in &deployment.hosts {
            let HostState::Doing(step) = &run.state else { continue };
            let due = match self.told.get(host) {
                Some(last) => now.since(*last) >= AGAIN,
                None => now.since(run.since) >= PATIENCE,
            };
            let Some(reason) = awaited(progress, host, run, now).filter(|_| due) else { continue };
            self.told.insert(host.clone(), now);
            alike.entry(format!("{}: {reason}", doing(step))).or_default().push(host.as_str());
        }
        let line = |(text, hosts): (String, Vec<&str>)| {
            let more = match hosts.len().saturating_sub(SHOWN) {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let names: Vec<&str> = hosts.into_iter().take(SHOWN).collect();
            format!("{}  {}{more} {text}", when::clock(now), names.join(" "))
        };
        alike.into_iter().map(line).collect()
    }
}
