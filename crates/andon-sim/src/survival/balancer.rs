//! The simulated balancer, and the agent beside it: it obeys whom the core says, and remembers what it was told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use andon_core::balance::{
    BalancerFailure, FailureKind, Pool, PoolSight, ServerSight, ServerState, Sockets, Traffic, Wishes,
};
use andon_core::host::Authority;
use andon_core::host::obedience::{Obedience, is_late, obey};

use super::clock;
use super::host::{Instance, SimulatedHost};
use super::log::Log;
use super::observer::Observer;
use super::sabotage::Sabotage;
use super::story::Dice;

/// How long users of a host that is taken out stay at most.
const USERS_STAY: u64 = 1_500;

/// The balancer.
pub struct Balancer {
    hosts: BTreeMap<String, Arc<SimulatedHost>>,
    observer: Arc<Observer>,
    log: Arc<Log>,
    sabotage: Option<Sabotage>,
    state: Mutex<State>,
}

struct State {
    holder: Option<Authority>,
    /// What was wished last that was not the same as before, and by whom.
    newest: Option<(Authority, Wishes)>,
    servers: BTreeMap<String, Server>,
    dice: Dice,
}

#[derive(Debug, Clone, Copy)]
struct Server {
    traffic: Traffic,
    /// Until when users are at work on it although it is out.
    users_until: Duration,
    /// Until when they stay whatever happens, unless they are cut.
    stubborn_until: Duration,
}

impl Balancer {
    /// A balancer that sends traffic to all hosts.
    pub fn new(
        hosts: &BTreeMap<String, Arc<SimulatedHost>>,
        observer: &Arc<Observer>,
        log: &Arc<Log>,
        sabotage: Option<Sabotage>,
        dice: Dice,
    ) -> Self {
        let server =
            Server { traffic: Traffic::FULL, users_until: Duration::ZERO, stubborn_until: Duration::ZERO };
        let servers = hosts.keys().map(|name| (name.clone(), server)).collect();
        let state = Mutex::new(State { holder: None, newest: None, servers, dice });
        Self { hosts: hosts.clone(), observer: Arc::clone(observer), log: Arc::clone(log), sabotage, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the servers of the pool as they are wished, and says what is seen.
    pub fn balance(
        &self,
        pool: &Pool,
        authority: &Authority,
        wishes: &Wishes,
    ) -> Result<PoolSight, BalancerFailure> {
        self.obey(authority, wishes)?;
        let mut sight = PoolSight::default();
        for server in &pool.servers {
            let name = server.host.as_str();
            if let Some(wish) = wishes.get(&server.name)
                && self.tell(name, *wish, authority)
            {
                sight.changed.insert(server.name.clone());
            }
            sight.servers.insert(server.name.clone(), self.sight(name, wishes.get(&server.name)));
        }
        let mut state = self.state();
        if !wishes.is_empty() && state.newest.as_ref().is_none_or(|(_, newest)| newest != wishes) {
            state.newest = Some((authority.clone(), wishes.clone()));
        }
        drop(state);
        self.observer.looked(&self.ill());
        Ok(sight)
    }

    fn obey(&self, authority: &Authority, wishes: &Wishes) -> Result<(), BalancerFailure> {
        if wishes.is_empty() {
            return Ok(());
        }
        let mut state = self.state();
        let forgetful = self.sabotage == Some(Sabotage::LateWishesAreObeyed);
        if is_late(state.newest.as_ref().map(|(newest, _)| newest), authority) && !forgetful {
            let reason = "this wish comes late".to_owned();
            return Err(BalancerFailure { kind: FailureKind::Refused, reason, details: String::new() });
        }
        match obey(state.holder.as_ref(), authority) {
            Obedience::Refused(holder) if self.sabotage != Some(Sabotage::BalancerIgnoresFences) => {
                let reason = format!("this balancer obeys deployment #{}", holder.deployment);
                Err(BalancerFailure { kind: FailureKind::Refused, reason, details: String::new() })
            }
            Obedience::Refused(_) | Obedience::AsBefore => Ok(()),
            Obedience::From(next) => {
                state.holder = Some(next);
                Ok(())
            }
        }
    }

    /// Gives a server as much traffic as is wished; whether that is new.
    fn tell(&self, name: &str, wish: Traffic, authority: &Authority) -> bool {
        let feigned = self.sabotage == Some(Sabotage::DrainsAreFeigned) && !matches!(wish, Traffic::In(_));
        let (before, leaves) = {
            let mut state = self.state();
            let stay = state.dice.millis(0, USERS_STAY);
            let Some(server) = state.servers.get_mut(name) else { return false };
            let before = server.traffic;
            if before == wish || feigned {
                return false;
            }
            let leaves = matches!(before, Traffic::In(_)) && !matches!(wish, Traffic::In(_));
            if leaves {
                server.users_until = (clock::elapsed() + stay).max(server.stubborn_until);
            }
            if wish == Traffic::Cut {
                server.users_until = Duration::ZERO;
            }
            (before, leaves)
        };
        if leaves {
            self.observer.leaves(name, authority, &self.in_traffic());
        }
        if let Some(server) = self.state().servers.get_mut(name) {
            server.traffic = wish;
        }
        if matches!(before, Traffic::In(_)) != matches!(wish, Traffic::In(_)) {
            let way = if matches!(wish, Traffic::In(_)) { "sends users to" } else { "takes users from" };
            self.log
                .say(format!("lb1 {way} {name} for #{} (fence {})", authority.deployment, authority.fence));
        }
        self.observer.look(name);
        true
    }

    fn sight(&self, name: &str, wish: Option<&Traffic>) -> ServerSight {
        let server = self.state().servers.get(name).copied();
        let traffic = server.map_or(Traffic::Out, |server| server.traffic);
        let feigned = self.sabotage == Some(Sabotage::DrainsAreFeigned)
            && wish.is_some_and(|wish| !matches!(wish, Traffic::In(_)));
        let seen = match traffic {
            _ if feigned => ServerState::Out,
            Traffic::Out | Traffic::Cut => ServerState::Out,
            Traffic::In(_) if self.is_healthy(name) => ServerState::Up,
            Traffic::In(_) => ServerState::Down { why: "connection refused".into() },
        };
        let sessions = u64::from(!feigned && self.has_users(name));
        ServerSight { state: seen, weight: 100, sessions: Some(sessions), queued: 0, counters: None }
    }

    /// Whether the process on a host passes its check.
    pub fn is_healthy(&self, name: &str) -> bool {
        let host = self.hosts.get(name);
        host.is_some_and(|host| {
            host.is_up() && host.see(|_, instance| instance.is_some_and(Instance::is_healthy))
        })
    }

    /// Whether users are at work on a host.
    pub fn has_users(&self, name: &str) -> bool {
        if !self.hosts.get(name).is_some_and(|host| host.is_up()) {
            return false;
        }
        let state = self.state();
        state.servers.get(name).is_some_and(|server| {
            matches!(server.traffic, Traffic::In(_)) || clock::elapsed() < server.users_until
        })
    }

    /// The connections at work that a host itself sees.
    pub fn sockets(&self, name: &str) -> Sockets {
        let busy = u32::from(self.has_users(name));
        Sockets { established: busy, busy, unsure: 0 }
    }

    /// The hosts that it sends traffic to.
    pub fn in_traffic(&self) -> Vec<String> {
        let state = self.state();
        let sends = state.servers.iter().filter(|(_, server)| matches!(server.traffic, Traffic::In(_)));
        sends.map(|(name, _)| name.clone()).collect()
    }

    /// The hosts that it does not send traffic to.
    pub fn out_of_traffic(&self) -> Vec<String> {
        let state = self.state();
        let sends = state.servers.iter().filter(|(_, server)| !matches!(server.traffic, Traffic::In(_)));
        sends.map(|(name, _)| name.clone()).collect()
    }

    fn ill(&self) -> Vec<String> {
        self.hosts.keys().filter(|name| !self.is_healthy(name)).cloned().collect()
    }

    /// Users of a host stay for so long, also when it is taken out.
    pub fn users_stay(&self, name: &str, span: Duration) {
        if let Some(server) = self.state().servers.get_mut(name) {
            server.stubborn_until = clock::elapsed() + span;
        }
    }
}
