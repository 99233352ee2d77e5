//! A simulated host: the rules of a real one, which are the core's, over a disk, a boot and processes that can be lost
//! between any two effects.
//!
//! Decides nothing about whom to obey, what a token's fate is, or in which order effects come: `andon_core::host` does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use andon_api::agent::{Order, Refusal};
use andon_core::host::obedience::{Obedience, obey};
use andon_core::host::{Authority, Outcome, Token, TokenStatus, journal};
use andon_core::release::ReleaseId;

use super::clock;
use super::disk::{Content, Disk, Name};
use super::log::Log;
use super::observer::Observer;
use super::sabotage::Sabotage;
use super::story::{Flaw, Story};
use crate::generator::{Generator, spread};

mod accepting;
mod boot;
mod facts;
mod work;

/// How long the service's lock is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);
/// How long one small effect takes.
const EFFECT: Duration = Duration::from_millis(2);
/// How long a process needs until it is healthy.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long a process that died needs until it runs again.
const RESTART: Duration = Duration::from_secs(1);

/// A host.
pub struct SimulatedHost {
    /// Its name.
    pub name: String,
    story: Arc<Story>,
    sabotage: Option<Sabotage>,
    log: Arc<Log>,
    observer: OnceLock<Arc<Observer>>,
    state: Mutex<State>,
}

struct State {
    up: bool,
    down_until: Duration,
    boot: u32,
    /// Grows whenever all processes of the agent are gone: whoever worked in an older life works no more.
    life: u64,
    disk: Disk,
    /// The life and the number of whoever has the service's lock.
    charged: Option<(u64, u64)>,
    charges: u64,
    at_work: BTreeMap<Token, Work>,
    instance: Option<Instance>,
    full_until: Duration,
    slow: (u32, Duration),
    chance: Generator,
}

/// Whoever holds a step's lock.
struct Work {
    life: u64,
    kill: bool,
}

/// A process of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// What it runs.
    pub release: ReleaseId,
    since: Duration,
    restarts: u32,
    flaw: Option<Flaw>,
}

/// Why a host did not finish what it was at.
#[derive(Debug)]
pub enum Silence {
    /// Its processes are gone: nobody answers.
    Gone,
    /// It refuses.
    Refused(Refusal),
}

/// Why a step was not carried out to its end.
enum Stopped {
    Gone,
    Killed,
    Failed(String),
}

impl Instance {
    fn new(release: ReleaseId, flaw: Option<Flaw>) -> Self {
        Self { release, since: clock::elapsed(), restarts: 0, flaw }
    }

    fn age(&self) -> Duration {
        clock::elapsed().saturating_sub(self.since)
    }

    /// Whether it passes its health check now.
    pub fn is_healthy(&self) -> bool {
        let warm = self.age() >= WARM_UP;
        warm && match self.flaw {
            Some(Flaw::NeverStarts | Flaw::NeverHealthy) => false,
            Some(Flaw::Dies(after)) => self.age() < after,
            None => true,
        }
    }

    /// Whether it ends again and again after it was healthy.
    pub fn is_looping(&self) -> bool {
        matches!(self.flaw, Some(Flaw::Dies(_)))
    }

    /// How often it was started again since it was activated.
    fn restarts(&self) -> u32 {
        let by_flaw = match self.flaw {
            Some(Flaw::Dies(after)) if self.age() >= after => {
                let period = (after + RESTART).as_millis().max(1);
                1 + u32::try_from((self.age() - after).as_millis() / period).unwrap_or(u32::MAX - 1)
            }
            _ => 0,
        };
        self.restarts.saturating_add(by_flaw)
    }
}

impl SimulatedHost {
    /// A host that has just been installed: nothing is on it.
    pub fn new(name: &str, story: &Arc<Story>, log: &Arc<Log>, sabotage: Option<Sabotage>) -> Arc<Self> {
        let mark = name.bytes().fold(story.seed, |mark, byte| spread(mark ^ u64::from(byte)));
        let state = State {
            up: true,
            down_until: Duration::ZERO,
            boot: 1,
            life: 0,
            disk: Disk::default(),
            charged: None,
            charges: 0,
            at_work: BTreeMap::new(),
            instance: None,
            full_until: Duration::ZERO,
            slow: (1, Duration::ZERO),
            chance: Generator::new(mark),
        };
        Arc::new(Self {
            name: name.to_owned(),
            story: Arc::clone(story),
            sabotage,
            log: Arc::clone(log),
            observer: OnceLock::new(),
            state: Mutex::new(state),
        })
    }

    /// Whoever sees everything sees this host from now on.
    pub fn watched_by(&self, observer: &Arc<Observer>) {
        let _ = self.observer.set(Arc::clone(observer));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observe(&self, what: impl FnOnce(&Observer)) {
        if let Some(observer) = self.observer.get() {
            what(observer);
        }
    }

    fn is_broken(&self, how: Sabotage) -> bool {
        self.sabotage == Some(how)
    }

    /// Looks at the disk and the process.
    pub fn see<T>(&self, look: impl FnOnce(&Disk, Option<&Instance>) -> T) -> T {
        let state = self.state();
        look(&state.disk, state.instance.as_ref())
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.state().up
    }

    /// The number of its boot.
    pub fn boot(&self) -> u32 {
        self.state().boot
    }

    /// The life in which somebody begins to work now.
    fn life(&self) -> Result<u64, Silence> {
        let state = self.state();
        if state.up { Ok(state.life) } else { Err(Silence::Gone) }
    }

    /// Lets time pass for somebody who began in `life`; fails when that is over.
    async fn pause(&self, life: u64, span: Duration) -> Result<(), Silence> {
        let factor = {
            let state = self.state();
            if clock::elapsed() < state.slow.1 { state.slow.0 } else { 1 }
        };
        tokio::time::sleep(span * factor).await;
        let state = self.state();
        if state.up && state.life == life { Ok(()) } else { Err(Silence::Gone) }
    }

    /// Changes something that is visible at once and durable a moment later: a power cut may fall between the two.
    async fn replace(&self, life: u64, name: Name, content: Option<Content>) -> Result<(), Silence> {
        let never_synced = self.is_broken(Sabotage::MarkerIsNotSynced) && name == Name::Marker;
        self.state().disk.set(name.clone(), content);
        self.look();
        self.pause(life, EFFECT).await?;
        if !never_synced {
            self.state().disk.sync(&name);
        }
        Ok(())
    }

    /// Something has changed that users may notice.
    fn look(&self) {
        self.observe(|observer| observer.look(&self.name));
    }

    fn is_full(&self) -> bool {
        clock::elapsed() < self.state().full_until
    }

    /// What became of a step.
    pub fn fate(&self, token: &Token) -> TokenStatus {
        let state = self.state();
        let accepted = matches!(state.disk.get(&Name::Step(token.clone())), Some(Content::Accepted(Some(_))));
        let result = match state.disk.get(&Name::Result(token.clone())) {
            Some(Content::Outcome(outcome)) => Some(outcome.clone()),
            _ => None,
        };
        let held = state.at_work.get(token).is_some_and(|work| work.life == state.life);
        match journal::fate(accepted, result, held) {
            TokenStatus::Interrupted if self.is_broken(Sabotage::InterruptedIsNeverStarted) => {
                TokenStatus::NeverStarted
            }
            fate => fate,
        }
    }

    /// The step that is at work, if one is.
    fn at_work(&self) -> Option<Token> {
        let steps: Vec<Token> = self.see(|disk, _| {
            disk.names()
                .filter_map(|name| if let Name::Step(token) = name { Some(token.clone()) } else { None })
                .collect()
        });
        steps.into_iter().find(|token| self.fate(token) == TokenStatus::Running)
    }

    /// Another step than `token` that is at work in truth, whatever the disk says.
    pub fn also_at_work(&self, token: &Token) -> Option<Token> {
        let state = self.state();
        let mut others =
            state.at_work.iter().filter(|(other, work)| *other != token && work.life == state.life);
        others.next().map(|(other, _)| other.clone())
    }

    /// Takes the service's lock and obeys `asking` from now on.
    async fn take_charge(self: &Arc<Self>, life: u64, asking: &Authority) -> Result<Charge, Silence> {
        let charge = self.lock(life).await?;
        let holder = self.see(|disk, _| match disk.get(&Name::Authority) {
            Some(Content::Authority(authority)) => Some(authority.clone()),
            _ => None,
        });
        match obey(holder.as_ref(), asking) {
            Obedience::Refused(_) if self.is_broken(Sabotage::FencesAreIgnored) => {}
            Obedience::Refused(holder) => return Err(Silence::Refused(Refusal::Fenced(Box::new(holder)))),
            Obedience::AsBefore => {}
            Obedience::From(_) if self.is_full() => return Err(full()),
            Obedience::From(next) => {
                self.replace(life, Name::Authority, Some(Content::Authority(next))).await?;
            }
        }
        Ok(charge)
    }

    async fn lock(self: &Arc<Self>, life: u64) -> Result<Charge, Silence> {
        let began = clock::elapsed();
        loop {
            {
                let mut state = self.state();
                let held = state.charged.is_some_and(|(life, _)| life == state.life);
                if !held {
                    state.charges += 1;
                    let number = state.charges;
                    state.charged = Some((life, number));
                    return Ok(Charge { host: Arc::clone(self), number });
                }
            }
            if clock::elapsed() - began > LOCK_PATIENCE {
                return Err(Silence::Refused(Refusal::Storage("the service's lock is held".into())));
            }
            self.pause(life, Duration::from_millis(10)).await?;
        }
    }

    /// Asks for the end of a step.
    pub fn kill(&self, token: &Token) {
        if let Some(work) = self.state().at_work.get_mut(token) {
            work.kill = true;
        }
    }

    /// Takes an artifact in, unless the release is here.
    pub async fn offer(self: &Arc<Self>, order: &Order, release: &ReleaseId) -> Result<(), Silence> {
        let life = self.life()?;
        drop(self.take_charge(life, &order.authority).await?);
        if self.is_complete(release) {
            return Ok(());
        }
        self.pause(life, Duration::from_millis(300)).await?;
        if self.is_full() {
            return Err(full());
        }
        self.state().disk.put(Name::Upload(release.clone()), Some(Content::Files { whole: true }));
        Ok(())
    }

    /// Whether a release is complete on disk, by its directory and its record.
    pub fn is_complete(&self, release: &ReleaseId) -> bool {
        self.see(|disk, _| {
            let recorded = matches!(disk.get(&Name::Recorded(release.clone())), Some(Content::Digest(_)));
            recorded && disk.get(&Name::Release(release.clone())).is_some()
        })
    }
}

/// The service's lock, for as long as this lives.
struct Charge {
    host: Arc<SimulatedHost>,
    number: u64,
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut state = self.host.state();
        if state.charged.is_some_and(|(_, number)| number == self.number) {
            state.charged = None;
        }
    }
}

fn full() -> Silence {
    Silence::Refused(Refusal::Storage("no space left on device".into()))
}

fn failed(reason: String) -> Outcome {
    Outcome::Failed { reason, tail: String::new() }
}
