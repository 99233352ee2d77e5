//! How a simulated host goes down and comes back, and what else befalls it.

use std::sync::Arc;
use std::time::Duration;

use super::{Instance, SimulatedHost};
use crate::survival::clock;
use crate::survival::disk::{Content, Name};
use crate::survival::story::Flaw;

impl SimulatedHost {
    /// Goes down in good order, or by a power cut, and comes back after `span`.
    pub fn goes_down(self: &Arc<Self>, power: bool, span: Duration) {
        let until = clock::elapsed() + span;
        let lost = {
            let mut state = self.state();
            let mut chance = state.chance.clone();
            let lost = if power { state.disk.cut(&mut chance) } else { 0 };
            state.chance = chance;
            if !power {
                state.disk.sync_all();
            }
            state.up = false;
            state.down_until = state.down_until.max(until);
            state.life += 1;
            state.instance = None;
            state.at_work.clear();
            lost
        };
        self.log.say(format!("{} is down; {lost} writes are lost", self.name));
        self.observe(|observer| observer.troubled(&self.name));
        let host = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(span).await;
            host.comes_up();
        });
    }

    fn comes_up(&self) {
        {
            let mut state = self.state();
            if state.up || clock::elapsed() < state.down_until {
                return;
            }
            state.up = true;
            state.boot += 1;
            // What the machine starts at boot is whatever `current` points at.
            let current = match state.disk.get(&Name::Current) {
                Some(Content::Link(release)) => Some(release.clone()),
                _ => None,
            };
            let there = current.filter(|release| state.disk.get(&Name::Release(release.clone())).is_some());
            let flawed = |release| (self.story.flaw(&release, &self.name), release);
            state.instance = there
                .map(flawed)
                .filter(|(flaw, _)| *flaw != Some(Flaw::NeverStarts))
                .map(|(flaw, release)| Instance::new(release, flaw));
        }
        self.log.say(format!("{} is up again", self.name));
        self.observe(|observer| observer.troubled(&self.name));
        self.look();
    }

    /// All processes of the agent are killed; the service's own live on.
    pub fn agent_is_killed(&self) {
        let mut state = self.state();
        if state.up {
            state.life += 1;
            state.at_work.clear();
        }
    }

    /// The process of the service ends, and is started again.
    pub fn service_dies(&self) {
        let mut state = self.state();
        if let Some(instance) = &mut state.instance {
            instance.since = clock::elapsed() + Duration::from_millis(500);
            instance.restarts += 1;
        }
        drop(state);
        self.observe(|observer| observer.troubled(&self.name));
    }

    /// The disk is full for `span`.
    pub fn is_full_for(&self, span: Duration) {
        let until = clock::elapsed() + span;
        let mut state = self.state();
        state.full_until = state.full_until.max(until);
    }

    /// Everything takes `factor` times as long for `span`.
    pub fn is_slow_for(&self, factor: u32, span: Duration) {
        self.state().slow = (factor, clock::elapsed() + span);
    }
}
