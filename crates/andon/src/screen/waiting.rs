//! What a host on its way out of or into traffic waits for, so that a drain that hangs explains itself.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::deployment::HostState;
use andon_core::host::Stage;
use andon_core::name::HostName;
use andon_core::time::Time;
use andon_server::Progress;

use super::{SHOWN, doing};
use crate::when;

/// How long a host may be on its way before a log tells what it waits for, and how often it tells then.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(30);

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
            let Some(reason) = progress.awaited(host, now).filter(|_| due) else { continue };
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
