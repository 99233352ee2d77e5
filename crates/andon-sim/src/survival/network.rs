//! The ways from the machines of people to hosts: messages that are lost, late, doubled and overtaken, and
//! connections that break. What a lost message means is for the controller.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use andon_api::agent::{Order, Refusal};
use andon_core::balance::{BalancerFailure, FailureKind, Pool, PoolSight, Sockets, Wishes};
use andon_core::host::{Authority, HostFacts, Outcome, Placement, Step, Token, TokenStatus};
use andon_core::line::Host;
use andon_server::hosts::{HostError, Hosts, Supplies};
use async_trait::async_trait;

use super::balancer::Balancer;
use super::clock;
use super::host::{Silence, SimulatedHost};
use super::process::Process;
use super::story::{BALANCER, Dice};

/// How long a connection is tried.
const CONNECTING: Duration = Duration::from_secs(2);
/// When a sender notices that its connection is dead.
const NOTICING: Duration = Duration::from_secs(3);
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two looks at a step that is followed.
const FOLLOWING: Duration = Duration::from_millis(100);
/// The pause before a busy host is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(200);
/// How long a controller waits for an order beyond its own time-out.
const GRACE: Duration = Duration::from_secs(60);

/// What befalls messages, while it lasts.
pub struct Weather {
    state: Mutex<Sky>,
}

struct Sky {
    /// The machine, or all of them; the host; until when.
    partitions: Vec<(Option<usize>, String, Duration)>,
    spells: Vec<Spell>,
    breaks: BTreeMap<String, u64>,
    dice: Dice,
    befallen: BTreeMap<&'static str, u64>,
}

struct Spell {
    dice: Dice,
    percent: u64,
    until: Duration,
    what: Mishap,
}

/// What may befall a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It never arrives.
    Lost,
    /// It arrives when its sender has given it up, at most so much later.
    Late(Duration),
    /// It arrives once more, at most so much later.
    Twice(Duration),
}

impl Weather {
    /// Fair weather.
    pub fn new(dice: Dice) -> Self {
        let sky = Sky {
            partitions: Vec::new(),
            spells: Vec::new(),
            breaks: BTreeMap::new(),
            dice,
            befallen: BTreeMap::new(),
        };
        Self { state: Mutex::new(sky) }
    }

    fn sky(&self) -> MutexGuard<'_, Sky> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No message passes between a machine, or all of them, and a host.
    pub fn partition(&self, machine: Option<usize>, host: &str, span: Duration) {
        self.sky().partitions.push((machine, host.to_owned(), clock::elapsed() + span));
    }

    /// Messages have a mishap, so many of a hundred.
    pub fn spell(&self, what: Mishap, percent: u64, span: Duration, dice: Dice) {
        self.sky().spells.push(Spell { dice, percent, until: clock::elapsed() + span, what });
    }

    /// All connections to a host break.
    pub fn breaks(&self, host: &str) {
        *self.sky().breaks.entry(host.to_owned()).or_default() += 1;
    }

    fn broken(&self, host: &str) -> u64 {
        self.sky().breaks.get(host).copied().unwrap_or(0)
    }

    fn reaches(&self, machine: usize, host: &str) -> bool {
        let now = clock::elapsed();
        let sky = self.sky();
        !sky.partitions.iter().any(|(whose, which, until)| {
            which == host && now < *until && whose.is_none_or(|whose| whose == machine)
        })
    }

    fn latency(&self) -> Duration {
        self.sky().dice.millis(2, 12)
    }

    fn mishap(&self) -> Option<Mishap> {
        let now = clock::elapsed();
        let mut sky = self.sky();
        let Sky { spells, befallen, .. } = &mut *sky;
        for spell in spells.iter_mut().filter(|spell| now < spell.until) {
            if spell.dice.percent(spell.percent) {
                let (kind, mishap) = match spell.what {
                    Mishap::Lost => ("messages lost", Mishap::Lost),
                    Mishap::Late(by) => ("messages late", Mishap::Late(within(&mut spell.dice, by))),
                    Mishap::Twice(by) => ("messages doubled", Mishap::Twice(within(&mut spell.dice, by))),
                };
                *befallen.entry(kind).or_default() += 1;
                return Some(mishap);
            }
        }
        None
    }

    /// What has befallen messages, and how often.
    pub fn befallen(&self) -> BTreeMap<&'static str, u64> {
        self.sky().befallen.clone()
    }
}

fn within(dice: &mut Dice, most: Duration) -> Duration {
    dice.millis(1, u64::try_from(most.as_millis()).unwrap_or(u64::MAX))
}

/// The ways of one process to all hosts.
pub struct Ways {
    /// Whose ways these are.
    pub process: Arc<Process>,
    /// What befalls its messages.
    pub weather: Arc<Weather>,
    /// The hosts, by name.
    pub hosts: BTreeMap<String, Arc<SimulatedHost>>,
    /// The balancer on the host beside them.
    pub balancer: Arc<Balancer>,
}

impl Ways {
    /// Sends a message to a host and waits for what `work` makes of it there. The work goes on whatever becomes of
    /// the sender. Only what is `sent_again` by a controller that heard nothing can arrive twice: one connection repeats
    /// nothing.
    async fn ask<T, F, W>(&self, host: &str, sent_again: bool, work: W) -> Result<T, HostError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
        W: Fn() -> F + Send + 'static,
    {
        let lost = |why: &str| Err(HostError::Lost(why.to_owned()));
        self.process.alive().await;
        let broken = self.weather.broken(host);
        self.wait(self.weather.latency()).await;
        let is_up = self.hosts.get(host).is_none_or(|host| host.is_up());
        if !is_up || !self.weather.reaches(self.process.machine, host) {
            self.wait(CONNECTING).await;
            return Err(HostError::Unreachable("no route to host".to_owned()));
        }
        match self.weather.mishap() {
            Some(Mishap::Lost) => {
                self.wait(NOTICING).await;
                return lost("the connection was closed");
            }
            Some(Mishap::Late(by)) => {
                tokio::spawn(async move {
                    tokio::time::sleep(by).await;
                    drop(work().await);
                });
                self.wait(NOTICING).await;
                return lost("the connection was closed");
            }
            Some(Mishap::Twice(by)) if sent_again => {
                let first = tokio::spawn(work());
                tokio::spawn(async move {
                    tokio::time::sleep(by).await;
                    drop(work().await);
                });
                return self.answer(host, broken, first).await;
            }
            Some(Mishap::Twice(_)) | None => {}
        }
        let under_way = tokio::spawn(work());
        self.answer(host, broken, under_way).await
    }

    async fn answer<T: Send + 'static>(
        &self,
        host: &str,
        broken: u64,
        mut under_way: tokio::task::JoinHandle<T>,
    ) -> Result<T, HostError> {
        let lost = |why: &str| Err(HostError::Lost(why.to_owned()));
        let began = clock::elapsed();
        let answer = loop {
            match tokio::time::timeout(FOLLOWING, &mut under_way).await {
                Ok(Ok(answer)) => break answer,
                Ok(Err(_)) => return lost("the connection was closed"),
                Err(_) => {}
            }
            self.process.alive().await;
            if self.weather.broken(host) != broken {
                return lost("the connection was reset");
            }
            if clock::elapsed() - began > PATIENCE {
                return lost("nothing was heard for 60 s");
            }
        };
        self.wait(self.weather.latency()).await;
        let cut = !self.weather.reaches(self.process.machine, host) || self.weather.broken(host) != broken;
        // An answer that comes late is none any more, and one that comes twice is one.
        if cut || matches!(self.weather.mishap(), Some(Mishap::Lost | Mishap::Late(_))) {
            self.wait(NOTICING).await;
            return lost("the connection was closed");
        }
        Ok(answer)
    }

    async fn wait(&self, span: Duration) {
        tokio::time::sleep(span).await;
        self.process.alive().await;
    }

    fn host(&self, host: &Host) -> Result<Arc<SimulatedHost>, HostError> {
        let known = self.hosts.get(host.name.as_str()).cloned();
        known.ok_or_else(|| HostError::Unreachable("no such host".to_owned()))
    }

    async fn begin(&self, host: &Host, order: &Order) -> Result<(), HostError> {
        let (name, there) = (host.name.as_str(), self.host(host)?);
        if let Step::Prepare { release, .. } = &order.step {
            let (there, order, id) = (Arc::clone(&there), order.clone(), release.id.clone());
            let offered = self.ask(name, true, move || {
                let (there, order, id) = (Arc::clone(&there), order.clone(), id.clone());
                async move { there.offer(&order, &id).await }
            });
            heard(offered.await?)?;
        }
        loop {
            let (there, order) = (Arc::clone(&there), order.clone());
            let started = self.ask(name, true, move || {
                let (there, order) = (Arc::clone(&there), order.clone());
                async move { there.start(&order).await }
            });
            match heard(started.await?) {
                // A step that was given up is still being ended there.
                Err(HostError::Refused(Refusal::Busy(_))) => self.wait(BUSY_PAUSE).await,
                other => return other,
            }
        }
    }

    async fn follow(&self, host: &Host, token: &Token) -> Result<Outcome, HostError> {
        let (name, there) = (host.name.as_str(), self.host(host)?);
        let (broken, boot) = (self.weather.broken(name), there.boot());
        let mut silent = Duration::ZERO;
        loop {
            self.wait(FOLLOWING).await;
            if !there.is_up() || there.boot() != boot || self.weather.broken(name) != broken {
                self.wait(NOTICING).await;
                return Err(HostError::Lost("the connection was closed".to_owned()));
            }
            if !self.weather.reaches(self.process.machine, name) {
                silent += FOLLOWING;
                if silent >= Duration::from_secs(15) {
                    return Err(HostError::Lost("nothing was heard".to_owned()));
                }
                continue;
            }
            match there.fate(token) {
                TokenStatus::Running => {}
                TokenStatus::Finished(outcome) => return Ok(outcome),
                TokenStatus::Interrupted => {
                    return Err(HostError::Lost("the step was interrupted".to_owned()));
                }
                TokenStatus::NeverStarted => {
                    return Err(HostError::Lost("the step is not known there".to_owned()));
                }
            }
        }
    }
}

fn heard(answer: Result<(), Silence>) -> Result<(), HostError> {
    match answer {
        Ok(()) => Ok(()),
        Err(Silence::Gone) => Err(HostError::Lost("the connection was closed".to_owned())),
        Err(Silence::Refused(refusal)) => Err(HostError::Refused(refusal)),
    }
}

#[async_trait]
impl Hosts for Ways {
    async fn probe(
        &self,
        host: &Host,
        placement: &Placement,
        tokens: &[Token],
    ) -> Result<HostFacts, HostError> {
        let (there, placement, tokens) = (self.host(host)?, placement.clone(), tokens.to_vec());
        self.ask(host.name.as_str(), false, move || {
            let facts = there.facts(&placement, &tokens);
            async move { facts }
        })
        .await
    }

    async fn carry_out(&self, host: &Host, order: Order, _: &Supplies) -> Result<Outcome, HostError> {
        let work = async {
            self.begin(host, &order).await?;
            self.follow(host, &order.token).await
        };
        match tokio::time::timeout(order.timeout + GRACE, work).await {
            Ok(ended) => ended,
            Err(_) => Err(HostError::Lost("nothing was heard".to_owned())),
        }
    }

    async fn balance(
        &self,
        _: &Host,
        pool: &Pool,
        authority: &Authority,
        wishes: &Wishes,
    ) -> Result<PoolSight, BalancerFailure> {
        let (balancer, pool) = (Arc::clone(&self.balancer), pool.clone());
        let (authority, wishes) = (authority.clone(), wishes.clone());
        let told = self.ask(BALANCER, false, move || {
            let sight = balancer.balance(&pool, &authority, &wishes);
            async move { sight }
        });
        told.await.unwrap_or_else(|error| {
            let kind = match error {
                HostError::Unreachable(_) | HostError::Lost(_) => FailureKind::Unreachable,
                HostError::Refused(_) | HostError::Unable(_) => FailureKind::Refused,
            };
            Err(BalancerFailure { kind, reason: error.to_string(), details: String::new() })
        })
    }

    async fn count_sockets(&self, host: &Host, _: &Placement) -> Result<Sockets, String> {
        let (balancer, name) = (Arc::clone(&self.balancer), host.name.to_string());
        let counted = self.ask(host.name.as_str(), false, move || {
            let sockets = balancer.sockets(&name);
            async move { sockets }
        });
        counted.await.map_err(|error| error.to_string())
    }

    async fn kill(&self, host: &Host, _: &Placement, token: &Token) -> Result<(), HostError> {
        let (there, token) = (self.host(host)?, token.clone());
        self.ask(host.name.as_str(), true, move || {
            there.kill(&token);
            async {}
        })
        .await
    }
}
