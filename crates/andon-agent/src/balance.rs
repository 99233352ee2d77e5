//! Makes the servers of a pool as they are wished, and says what the balancer sees: finds the balancer's kind, sees
//! to it that one call at a time touches a pool, and that only the holder of the pool's fence changes anything.
//!
//! It never decides who is to get traffic, and knows nothing about any one balancer.

use std::path::{Path, PathBuf};

use andon_core::balance::{BalancerFailure, FailureKind, Pool, PoolSight, Wishes};
use andon_core::digest::Digest;
use andon_core::host::Authority;
use andon_core::host::obedience::is_late;
use andon_core::line::{BalancerKind, HaproxyApi};
use serde::{Deserialize, Serialize};

use crate::durable;
use crate::fence::{self, FenceError};
use crate::layout::Layout;
use crate::lock;
use crate::run::SelfExe;

mod agent_check;
mod haproxy;
mod nginx;
mod proxy;
mod socket;

#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz {
    //! The checks of everything that balancers say.
    pub use super::haproxy::fuzz::haproxy;
    pub use super::nginx::fuzz::{access_log, nginx_dump, nginx_include};
}

pub(crate) use agent_check::responder::{SUBCOMMAND as RESPONDER, main as respond};

/// Looks at `pool`, and changes those servers that are not as wished.
///
/// Calls for the same pool wait for each other, at most 20 s. Without wishes nobody needs to be obeyed.
pub(crate) fn balance(
    pool: &Pool,
    authority: &Authority,
    wishes: &Wishes,
    exe: &SelfExe,
) -> Result<PoolSight, BalancerFailure> {
    if let Some(stranger) = wishes.keys().find(|name| pool.servers.iter().all(|server| server.name != **name))
    {
        let reason = format!("the order names the server {stranger}, which is not one of its pool's");
        return Err(failure(FailureKind::Missing, reason));
    }
    let records = records(pool)?;
    let _lock = lock::acquire(&records.join("lock")).map_err(|error| {
        let reason = format!("{} cannot be locked: {error}", records.display());
        failure(FailureKind::Unreachable, reason)
    })?;
    if !wishes.is_empty() {
        fence::raise(&records.join("authority.json"), authority).map_err(refused)?;
    }
    let newest = records.join("newest.json");
    let told = told(&newest);
    if !wishes.is_empty() && is_late(told.as_ref().map(|told| &told.authority), authority) {
        let reason = "this wish comes late: the balancer was told something newer; nothing was changed";
        return Err(failure(FailureKind::Refused, reason));
    }
    let sight = make_and_look(pool, wishes, &records, exe)?;
    // Said again and again, the same is written once. What cannot be remembered only protects nobody from what comes late.
    if !wishes.is_empty() && told.is_none_or(|told| told.wishes != *wishes) {
        let told = Told { authority: authority.clone(), wishes: wishes.clone() };
        let _ = serde_json::to_vec(&told).map(|json| durable::replace(&newest, &json));
    }
    Ok(sight)
}

/// What was wished last that was not the same as before, and by whom.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    authority: Authority,
    wishes: Wishes,
}

fn told(path: &Path) -> Option<Told> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn make_and_look(
    pool: &Pool,
    wishes: &Wishes,
    records: &Path,
    exe: &SelfExe,
) -> Result<PoolSight, BalancerFailure> {
    match &pool.balancer {
        BalancerKind::Haproxy { api, backend } => haproxy::balance(pool, api, backend, wishes),
        BalancerKind::AgentCheck { port } => agent_check::balance(pool, *port, wishes, records, exe),
        BalancerKind::Nginx { .. } => nginx::balance(pool, wishes, records),
        BalancerKind::Proxy { control, pool: name } => proxy::balance(pool, control, name, wishes, records),
    }
}

/// The directory in which is kept what must be remembered of `pool`; made where it is missing.
fn records(pool: &Pool) -> Result<PathBuf, BalancerFailure> {
    let made = Layout::at(&pool.root).and_then(|layout| layout.create_pool(&key(pool)));
    made.map_err(|error| failure(FailureKind::Refused, error.to_string()))
}

/// Tells one set of servers from all others that share a root, those of other services included: each has fences of
/// its own. What only says how a balancer is handled, and may be edited, is no part of it.
fn key(pool: &Pool) -> String {
    let place = match &pool.balancer {
        BalancerKind::Haproxy { api: HaproxyApi::Socket(path), backend } => {
            format!("{}\n{backend}", path.display())
        }
        BalancerKind::Haproxy { api: HaproxyApi::Tcp(address), backend } => format!("{address}\n{backend}"),
        BalancerKind::AgentCheck { port } => port.to_string(),
        BalancerKind::Nginx { include, .. } => include.display().to_string(),
        BalancerKind::Proxy { control, pool } => format!("{}\n{pool}", control.display()),
    };
    let digest = Digest::of(format!("{}\n{place}", pool.service).as_bytes()).to_string();
    format!("{}-{}", pool.balancer.name(), digest.get(..16).unwrap_or_default())
}

fn refused(error: FenceError) -> BalancerFailure {
    let reason = match &error {
        FenceError::Held(holder) => format!(
            "this balancer obeys deployment #{} by {} on {} (fence {}); nothing was changed",
            holder.deployment, holder.by, holder.at, holder.fence
        ),
        FenceError::Storage { .. } => error.to_string(),
    };
    failure(FailureKind::Refused, reason)
}

/// A failure without details.
fn failure(kind: FailureKind, reason: impl Into<String>) -> BalancerFailure {
    BalancerFailure { kind, reason: reason.into(), details: String::new() }
}
