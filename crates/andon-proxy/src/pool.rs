//! Servers that answer for the same thing, and the choice among them.
//!
//! The choice takes no lock: it reads atomics, and writes one when it has chosen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use andon_core::balance::{BalancerFailure, FailureKind, PoolSight, Traffic, Wishes};
use andon_core::name::ServerName;
use andon_core::suggest::nearest;

use crate::config::PoolConfig;

pub(crate) use choice::Wanted;
pub(crate) use connections::{Link, Socket};
pub(crate) use in_flight::InFlight;
pub use server::Server;

mod choice;
mod connections;
mod ejection;
mod in_flight;
mod server;
mod tally;
mod waiting;

/// Servers that answer for the same thing.
#[derive(Debug)]
pub struct Pool {
    name: Arc<str>,
    config: PoolConfig,
    servers: Vec<Arc<Server>>,
    waiting: Arc<waiting::Waiting>,
}

impl Pool {
    /// The pool of a configuration. What is known of a server that was in `before` by the same name and address is kept:
    /// its wish, its health, its counters and what is under way there.
    pub(crate) fn new(name: &str, config: &PoolConfig, workers: usize, before: Option<&Pool>) -> Self {
        let servers = config.servers.iter().map(|server| {
            let known = before.and_then(|before| before.server(&server.name));
            match known {
                Some(known) if known.address() == server.address => {
                    known.adopt(server);
                    Arc::clone(known)
                }
                Some(known) => {
                    let moved = Server::new(name, server, workers);
                    moved.set(known.traffic());
                    Arc::new(moved)
                }
                None => Arc::new(Server::new(name, server, workers)),
            }
        });
        Self {
            name: name.into(),
            config: config.clone(),
            servers: servers.collect(),
            waiting: before.map_or_else(Arc::default, |before| Arc::clone(&before.waiting)),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is configured.
    pub fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// Its servers, in the order of the configuration.
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// The server of this name.
    pub fn server(&self, name: &ServerName) -> Option<&Arc<Server>> {
        self.servers.iter().find(|server| server.name() == name)
    }

    /// Requests that wait for any server now.
    pub fn queued(&self) -> usize {
        self.waiting.count()
    }

    /// Lets a server get so much traffic from now on, and says whether that is a change.
    ///
    /// When this returns, no request is on its way to a server that is [`Traffic::Out`] that is not counted by
    /// [`Server::in_flight`].
    ///
    /// # Errors
    /// When there is no such server.
    pub fn set(&self, name: &ServerName, traffic: Traffic) -> Result<bool, BalancerFailure> {
        let server = self.server(name).ok_or_else(|| self.missing(name))?;
        let changed = server.set(traffic);
        self.waiting.wake();
        Ok(changed)
    }

    /// Makes the servers so, all of them or none, and says what is seen then.
    ///
    /// # Errors
    /// When a wish names a server that the pool does not have.
    pub fn assert(&self, wishes: &Wishes) -> Result<PoolSight, BalancerFailure> {
        if let Some(unknown) = wishes.keys().find(|name| self.server(name).is_none()) {
            return Err(self.missing(unknown));
        }
        let mut changed = BTreeSet::new();
        for (name, traffic) in wishes {
            if self.set(name, *traffic)? {
                changed.insert(name.clone());
            }
        }
        Ok(PoolSight { changed, ..self.sight() })
    }

    /// What is seen of the pool.
    pub fn sight(&self) -> PoolSight {
        let servers = self.servers.iter().map(|server| (server.name().clone(), server.sight()));
        PoolSight { servers: servers.collect(), changed: BTreeSet::new() }
    }

    /// Waits until a server may have become available, at most so long. `false`: too many wait already.
    pub(crate) async fn wait(&self, span: Duration) -> bool {
        self.waiting.wait(self.config.queue.requests, span).await
    }

    /// Something may have become available.
    pub(crate) fn wake(&self) {
        self.waiting.wake();
    }

    fn missing(&self, name: &ServerName) -> BalancerFailure {
        let names = self.servers.iter().map(|server| server.name().as_str());
        let hint = nearest(name.as_str(), names).map_or_else(
            || "; add it to the proxy's configuration and reload it".to_owned(),
            |near| format!("; did you mean {near}?"),
        );
        BalancerFailure {
            kind: FailureKind::Missing,
            reason: format!("the pool {} has no server {name}{hint}", self.name),
            details: String::new(),
        }
    }
}
