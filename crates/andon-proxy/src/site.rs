//! A configuration at work: the pools, and what is behind each address.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{Config, Forwarded, Limits, Timeouts};
use crate::pool::Pool;
use crate::tls::{Keyring, TlsError};

/// A configuration at work. A reload makes another one.
pub(crate) struct Site {
    /// What was read.
    pub(crate) config: Config,
    /// The pools by name.
    pub(crate) pools: BTreeMap<String, Arc<Pool>>,
    /// What is behind each address.
    pub(crate) doors: BTreeMap<SocketAddr, Arc<Door>>,
}

/// What is behind an address: all that a connection there needs to know.
pub(crate) struct Door {
    /// Who answers.
    pub(crate) pool: Arc<Pool>,
    /// Present where TLS is spoken.
    pub(crate) keyring: Option<Arc<Keyring>>,
    /// What a client may ask for.
    pub(crate) limits: Limits,
    /// How long anybody is waited for.
    pub(crate) timeouts: Timeouts,
    /// Whose word about clients is believed.
    pub(crate) forwarded: Forwarded,
}

impl Site {
    /// Brings a configuration to work, with what is to be kept of the one before.
    pub(crate) fn new(config: Config, workers: usize, before: Option<&Site>) -> Result<Self, TlsError> {
        let pools: BTreeMap<String, Arc<Pool>> = config
            .pools
            .iter()
            .map(|(name, pool)| {
                let before = before.and_then(|before| before.pools.get(name)).map(|pool| &**pool);
                (name.clone(), Arc::new(Pool::new(name, pool, workers, before)))
            })
            .collect();
        let mut doors = BTreeMap::new();
        for listen in &config.listen {
            let Some(pool) = pools.get(&listen.pool) else { continue };
            let keyring = listen.tls.as_ref().map(Keyring::load).transpose()?.map(Arc::new);
            let door = Door {
                pool: Arc::clone(pool),
                keyring,
                limits: config.limits,
                timeouts: config.timeouts,
                forwarded: config.forwarded.clone(),
            };
            doors.insert(listen.address, Arc::new(door));
        }
        Ok(Self { config, pools, doors })
    }
}
