//! What a balancer is told, and what it sees: the words that all balancers share.
//!
//! One verb serves them all. The controller says what traffic each server of a pool is to get; the agent beside the
//! balancer makes it so where it is not, and answers with what the balancer sees. Said again and again, it makes
//! the first change, proves that a drain is done, repairs what a reload of the balancer has lost, and brings the
//! numbers along.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::line::BalancerKind;
use crate::name::{HostName, ServerName, ServiceName};

pub use counters::{Counters, Histogram, Meter};
pub use host_sight::{HostSight, Standing};

mod counters;
mod host_sight;
pub mod numbers;

/// How much traffic a server is to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// Its share, in hundredths of its full weight: 1 to 100.
    In(u8),
    /// Nothing new. What is under way may end.
    Out,
    /// Nothing new, and what is under way is cut where the balancer can do so.
    Cut,
}

impl Traffic {
    /// All that a server is meant to get.
    pub const FULL: Self = Traffic::In(100);

    /// What a server is to get that began to come back `elapsed` ago: in growing steps, all of it after `slow_start`.
    pub fn coming_back(elapsed: Duration, slow_start: Duration) -> Self {
        const STEPS: [u8; 4] = [10, 25, 50, 75];
        if elapsed >= slow_start {
            return Self::FULL;
        }
        let reached = 100.0 * elapsed.as_secs_f64() / slow_start.as_secs_f64();
        let step = STEPS.into_iter().rev().find(|step| f64::from(*step) <= reached);
        Traffic::In(step.unwrap_or(STEPS[0]))
    }
}

/// One instance as a balancer knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its name in the balancer.
    pub name: ServerName,
    /// The host that it runs on.
    pub host: HostName,
    /// Where the balancer reaches it: a name or an address.
    pub address: String,
    /// The port that it listens on.
    pub port: u16,
}

/// The servers of one service in one environment, in one balancer on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The service.
    pub service: ServiceName,
    /// The host that the balancer runs on.
    pub host: HostName,
    /// What kind it is, and how it is reached there.
    pub balancer: BalancerKind,
    /// All servers, those that nothing is wished of included.
    pub servers: Vec<Server>,
    /// Where the agent beside the balancer keeps what it must remember. Absolute, or below `~`; on a local host
    /// relative to the host's own directory until the transport makes it absolute.
    pub root: PathBuf,
}

impl Pool {
    /// What people call it: `haproxy www on lb1`.
    pub fn name(&self) -> String {
        match (self.balancer.name(), self.balancer.pool()) {
            (kind, "") => format!("{kind} on {}", self.host),
            (kind, pool) => format!("{kind} {pool} on {}", self.host),
        }
    }

    /// The servers that run on a host.
    pub fn servers_of(&self, host: &HostName) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(move |server| server.host == *host)
    }
}

/// What is wished of the servers of a pool. One that is not named stays as it is.
pub type Wishes = BTreeMap<ServerName, Traffic>;

/// What a balancer sees of a pool.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PoolSight {
    /// Every server that the balancer knows.
    pub servers: BTreeMap<ServerName, ServerSight>,
    /// Servers that were not as wished and were changed by this very call.
    pub changed: BTreeSet<ServerName>,
}

/// What a balancer sees of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerSight {
    /// Whether it gets traffic.
    pub state: ServerState,
    /// Its present share in hundredths of its full weight.
    pub weight: u8,
    /// Sessions or requests under way; `None` where this balancer cannot tell.
    pub sessions: Option<u64>,
    /// Requests that wait for this server.
    pub queued: u64,
    /// What the balancer has counted; `None` where it counts nothing.
    pub counters: Option<Counters>,
}

/// Whether a server gets traffic from a balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// It does.
    Up,
    /// It would, but the balancer finds it sick, or has not seen it healthy yet.
    Down {
        /// The balancer's words.
        why: String,
    },
    /// It was taken out: by us or by somebody else.
    Out,
}

/// Why a balancer did not do, or say, what was asked. The state of its servers is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct BalancerFailure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// One sentence: what happened, and what to do.
    pub reason: String,
    /// A difference or the output of a command, as text, at most 4 KiB; may be empty.
    pub details: String,
}

/// Kinds of failure of a balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The balancer, or the host that it runs on, does not answer.
    Unreachable,
    /// Its configuration was changed by somebody else: it is shown, and not overwritten.
    Drift,
    /// Its configuration is not valid: it was not loaded.
    Invalid,
    /// It knows no such pool, or lacks one of its servers.
    Missing,
    /// It refuses: no permission, or it obeys somebody else.
    Refused,
}

/// The connections that a host itself sees on the ports of a service's instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sockets {
    /// Established connections.
    pub established: u32,
    /// Those among them that are at work: a request came and was not answered yet, or bytes flowed within the last
    /// second. The others are kept open by a balancer for later.
    pub busy: u32,
    /// Connections that may be at work: their last question and their last answer came within one tick of the kernel's
    /// clock. A balancer that counts its sessions knows better.
    #[serde(default)]
    pub unsure: u32,
}
