//! How a simulated host carries a step out: the core's effects in the core's order, each by itself.

use std::sync::Arc;
use std::time::Duration;

use andon_api::agent::Order;
use andon_core::host::effects::{ACTIVATION, Activation, REMOVAL, Removal, UNPACKING, Unpacking};
use andon_core::host::releases::{Presence, needed, presence};
use andon_core::host::{ActivationMarker, Outcome, Step, Token};
use andon_core::release::{Release, ReleaseId};

use super::{EFFECT, Instance, Silence, SimulatedHost, Stopped, failed};
use crate::survival::clock;
use crate::survival::disk::{Content, Name};
use crate::survival::sabotage::Sabotage;
use crate::survival::story::Flaw;

/// The time between two looks at an instance.
const LOOK: Duration = Duration::from_millis(500);
/// What counts as "in a row".
const IN_A_ROW: u32 = 3;

impl From<Silence> for Stopped {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Gone => Stopped::Gone,
            Silence::Refused(refusal) => Stopped::Failed(refusal.to_string()),
        }
    }
}

impl SimulatedHost {
    /// The detached half: carries the step out, and writes its result whatever became of the connection.
    pub(super) async fn keep(self: Arc<Self>, life: u64, order: &Order) {
        let carried = tokio::time::timeout(order.timeout, self.carry_out(life, order)).await;
        let outcome = match carried {
            Ok(Ok(())) => Outcome::Succeeded,
            Ok(Err(Stopped::Gone)) => return,
            Ok(Err(Stopped::Killed)) => Outcome::Killed,
            Ok(Err(Stopped::Failed(reason))) => failed(reason),
            Err(_) => Outcome::TimedOut { after: order.timeout, tail: String::new() },
        };
        // Space for it was set aside, so a full disk takes it.
        let name = Name::Result(order.token.clone());
        let written = async {
            self.pause(life, EFFECT).await?;
            self.replace(life, name, Some(Content::Outcome(outcome))).await
        };
        if written.await.is_ok() {
            self.state().at_work.remove(&order.token);
        }
    }

    async fn carry_out(&self, life: u64, order: &Order) -> Result<(), Stopped> {
        let token = &order.token;
        match &order.step {
            Step::Prepare { release, keep } => self.prepare(life, token, release, keep).await,
            Step::Activate { release } => self.activate(life, order, release).await,
            Step::Verify { release, healthy_deadline, .. } => {
                self.verify(life, token, release, *healthy_deadline).await
            }
            Step::Observe { release, period } => self.watch(life, token, release, *period).await,
        }
    }

    /// Lets time pass, unless the step is to end.
    async fn work(&self, life: u64, token: &Token, span: Duration) -> Result<(), Stopped> {
        self.pause(life, span).await?;
        let killed = self.state().at_work.get(token).is_none_or(|work| work.kill);
        if killed { Err(Stopped::Killed) } else { Ok(()) }
    }

    async fn prepare(
        &self,
        life: u64,
        token: &Token,
        release: &Release,
        keep: &[ReleaseId],
    ) -> Result<(), Stopped> {
        self.remove_unneeded(life, token, release, keep).await?;
        let id = &release.id;
        let upload = Name::Upload(id.clone());
        let (recorded, directory, sent) = self.see(|disk, _| {
            let recorded = match disk.get(&Name::Recorded(id.clone())) {
                Some(Content::Digest(digest)) => Some(*digest),
                _ => None,
            };
            (recorded, disk.get(&Name::Release(id.clone())).is_some(), disk.get(&upload).is_some())
        });
        match presence(recorded.as_ref(), directory, &release.digest) {
            Presence::Complete => {
                self.state().disk.set(upload, None);
                return Ok(());
            }
            Presence::Foreign => return Err(Stopped::Failed(format!("{id} is in the way"))),
            Presence::Absent if !sent => {
                return Err(Stopped::Failed(format!("the artifact of {id} is not here")));
            }
            Presence::Absent => {}
        }
        let mut order = UNPACKING;
        if self.is_broken(Sabotage::NamedBeforeUnpacked) {
            order = [
                Unpacking::Record,
                Unpacking::Name,
                Unpacking::FlushName,
                Unpacking::Unpack,
                Unpacking::ForgetUpload,
            ];
        }
        let (aside, name) = (Name::Aside(id.clone()), Name::Release(id.clone()));
        for effect in order {
            self.work(life, token, EFFECT).await?;
            let writes = matches!(effect, Unpacking::Unpack | Unpacking::Record);
            if writes && self.is_full() {
                return Err(Stopped::Failed("no space left on device".into()));
            }
            match effect {
                Unpacking::Unpack => {
                    let named = self.see(|disk, _| disk.get(&name).is_some());
                    let place = if named { &name } else { &aside };
                    self.state().disk.put(place.clone(), Some(Content::Files { whole: false }));
                    self.work(life, token, Duration::from_millis(400)).await?;
                    self.state().disk.put(place.clone(), Some(Content::Files { whole: true }));
                }
                Unpacking::Record => {
                    let digest = Some(Content::Digest(release.digest));
                    self.replace(life, Name::Recorded(id.clone()), digest).await?;
                }
                Unpacking::Name => {
                    let mut state = self.state();
                    let files = state.disk.get(&aside).cloned().unwrap_or(Content::Files { whole: false });
                    state.disk.set(name.clone(), Some(files));
                    state.disk.set(aside.clone(), None);
                }
                Unpacking::FlushName => {
                    let mut state = self.state();
                    state.disk.sync(&name);
                    state.disk.sync(&aside);
                }
                Unpacking::ForgetUpload => self.state().disk.set(upload.clone(), None),
            }
        }
        Ok(())
    }

    async fn remove_unneeded(
        &self,
        life: u64,
        token: &Token,
        release: &Release,
        keep: &[ReleaseId],
    ) -> Result<(), Stopped> {
        let (remnants, unneeded) = {
            let state = self.state();
            let current = match state.disk.get(&Name::Current) {
                Some(Content::Link(release)) => Some(release.clone()),
                _ => None,
            };
            let marker = match state.disk.get(&Name::Marker) {
                Some(Content::Marker(marker)) => Some(marker.clone()),
                _ => None,
            };
            let running = state.instance.iter().map(|instance| instance.release.clone());
            let needed = needed(&release.id, keep, current, marker, running);
            let (mut remnants, mut unneeded) = (Vec::new(), Vec::new());
            for name in state.disk.names() {
                match name {
                    Name::Aside(id) => remnants.push(id.clone()),
                    Name::Release(id) if !needed.contains(id) => unneeded.push(id.clone()),
                    _ => {}
                }
            }
            (remnants, unneeded)
        };
        for id in remnants {
            self.state().disk.put(Name::Aside(id), None);
        }
        for id in unneeded.iter().filter(|id| self.is_complete(id)) {
            let (aside, name) = (Name::Aside(id.clone()), Name::Release(id.clone()));
            for effect in REMOVAL {
                self.work(life, token, EFFECT).await?;
                let mut state = self.state();
                match effect {
                    Removal::Unname => {
                        let files = state.disk.get(&name).cloned();
                        state.disk.set(name.clone(), None);
                        state.disk.set(aside.clone(), files);
                    }
                    Removal::FlushName => {
                        state.disk.sync(&name);
                        state.disk.sync(&aside);
                    }
                    Removal::Files => state.disk.put(aside.clone(), None),
                    Removal::Record => state.disk.put(Name::Recorded(id.clone()), None),
                }
                drop(state);
                self.look();
            }
        }
        Ok(())
    }

    async fn activate(&self, life: u64, order: &Order, id: &ReleaseId) -> Result<(), Stopped> {
        let token = &order.token;
        let mark = |complete| Some(Content::Marker(ActivationMarker { release: id.clone(), complete }));
        for effect in ACTIVATION {
            self.work(life, token, EFFECT).await?;
            if self.is_full() && !matches!(effect, Activation::RequireComplete | Activation::Restart) {
                return Err(Stopped::Failed("no space left on device".into()));
            }
            match effect {
                Activation::RequireComplete if self.is_complete(id) => {}
                Activation::RequireComplete => {
                    return Err(Stopped::Failed(format!("{id} is not unpacked on this host")));
                }
                Activation::MarkBegun => self.replace(life, Name::Marker, mark(false)).await?,
                Activation::Switch => {
                    self.replace(life, Name::Current, Some(Content::Link(id.clone()))).await?;
                }
                Activation::Restart => {
                    self.observe(|observer| observer.restarts(&self.name, order, id));
                    self.log.say(format!("{} starts {id} for {token}", self.name));
                    self.state().instance = None;
                    self.work(life, token, Duration::from_millis(300)).await?;
                    let flaw = self.story.flaw(id, &self.name);
                    if flaw == Some(Flaw::NeverStarts) {
                        return Err(Stopped::Failed("instance 8080 was not started: exit status 1".into()));
                    }
                    self.state().instance = Some(Instance::new(id.clone(), flaw));
                    self.look();
                }
                Activation::MarkComplete => {
                    self.replace(life, Name::Marker, mark(true)).await?;
                    self.observe(|observer| observer.activated(&self.name, order, id));
                }
            }
        }
        Ok(())
    }

    async fn verify(
        &self,
        life: u64,
        token: &Token,
        id: &ReleaseId,
        deadline: Duration,
    ) -> Result<(), Stopped> {
        let until = clock::elapsed() + deadline;
        let mut passes = 0;
        while passes < IN_A_ROW {
            self.work(life, token, LOOK).await?;
            let instance = self.state().instance.clone();
            if let Some(other) = instance.as_ref().filter(|instance| instance.release != *id) {
                return Err(Stopped::Failed(format!("instance 8080 runs {} instead of {id}", other.release)));
            }
            passes = if instance.is_some_and(|instance| instance.is_healthy()) { passes + 1 } else { 0 };
            if passes < IN_A_ROW && clock::elapsed() >= until {
                return Err(Stopped::Failed("instance 8080 is not healthy in time".into()));
            }
        }
        Ok(())
    }

    async fn watch(&self, life: u64, token: &Token, id: &ReleaseId, period: Duration) -> Result<(), Stopped> {
        let until = clock::elapsed() + period;
        let (mut failures, mut restarts) = (0, None);
        loop {
            self.work(life, token, LOOK).await?;
            let instance = self.state().instance.clone();
            if let Some(other) = instance.as_ref().filter(|instance| instance.release != *id) {
                return Err(Stopped::Failed(format!("instance 8080 runs {} instead of {id}", other.release)));
            }
            let counted = instance.as_ref().map(Instance::restarts);
            if restarts.is_some() && counted > restarts {
                return Err(Stopped::Failed("instance 8080 ended unexpectedly and was started again".into()));
            }
            restarts = counted.or(restarts);
            failures = if instance.is_some_and(|instance| instance.is_healthy()) { 0 } else { failures + 1 };
            if failures >= IN_A_ROW {
                return Err(Stopped::Failed("instance 8080 failed 3 times in a row".into()));
            }
            if failures == 0 && clock::elapsed() >= until {
                return Ok(());
            }
        }
    }
}
