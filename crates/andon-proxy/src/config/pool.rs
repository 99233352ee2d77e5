//! The servers of a pool, and how they are chosen, watched and spared.

use std::time::Duration;

use andon_core::name::ServerName;
use serde::Deserialize;

use super::quantity::span;

/// Servers that answer for the same thing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolConfig {
    /// The instances.
    pub servers: Vec<ServerConfig>,
    /// How servers are asked whether they are well; without it they are thought to be.
    pub health_check: Option<HealthCheck>,
    /// When a server is spared because of what its requests came to.
    #[serde(default)]
    pub ejection: Ejection,
    /// How many other servers a request is brought to when one cannot be reached.
    #[serde(default = "two")]
    pub retries: u32,
    /// What happens while no server is available.
    #[serde(default)]
    pub queue: Queue,
    /// A cookie that keeps a client with its server.
    pub sticky: Option<Sticky>,
    /// What picks the canary.
    pub canary: Option<Canary>,
    /// Idle connections that are kept to each server, by each worker.
    #[serde(default = "sixty_four")]
    pub keep_connections: usize,
    /// How long an idle connection is kept. Shorter than what the servers allow, so that they never end one just as it
    /// is used.
    #[serde(default = "four_seconds", deserialize_with = "span")]
    pub keep_idle: Duration,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Its name, by which it is taken out and put back.
    pub name: ServerName,
    /// Host and port: `10.0.0.5:8080`, `web1.internal:8080`.
    pub address: String,
    /// Its share beside the others, 1 to 1000.
    #[serde(default = "hundred")]
    pub weight: u16,
    /// Whether a request can pick it by the mark of the canary.
    #[serde(default)]
    pub canary: bool,
}

/// An active health check: a GET, over HTTP/1.1, on a connection of its own. A status of 2xx or 3xx is well.
///
/// A server gets requests from the beginning and until a check fails; the first check is made at once, and for a
/// server that no check has seen well yet a single failure suffices.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// What is asked for.
    pub path: String,
    /// The `Host` of the request; the server's address where it is absent.
    pub host: Option<String>,
    /// Between two checks.
    #[serde(default = "two_seconds", deserialize_with = "span")]
    pub interval: Duration,
    /// For one check, all in all.
    #[serde(default = "one_second", deserialize_with = "span")]
    pub timeout: Duration,
    /// Successes in a row after which a sick server is well.
    #[serde(default = "two")]
    pub healthy_after: u32,
    /// Failures in a row after which a well server is sick.
    #[serde(default = "three")]
    pub unhealthy_after: u32,
}

/// When a server is spared for a while because of what its requests came to. Never more than half of the servers are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ejection {
    /// Connections in a row that could not be opened; 0 for never.
    pub connect_failures: u32,
    /// The share of responses 5xx, in hundredths, within `window`; 0 for never.
    pub errors_percent: u8,
    /// Requests within `window` below which the share says nothing.
    pub requests: u64,
    /// The span that errors are counted in.
    #[serde(deserialize_with = "span")]
    pub window: Duration,
    /// How long the server is spared the first time; each further time in a row as much longer, ten times at most.
    #[serde(deserialize_with = "span")]
    pub time: Duration,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            connect_failures: 3,
            errors_percent: 0,
            requests: 20,
            window: Duration::from_secs(10),
            time: Duration::from_secs(10),
        }
    }
}

/// Requests that wait because no server is available.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// So many at most; the next one is answered with 503.
    pub requests: usize,
    /// So long at most; then the answer is 503.
    #[serde(deserialize_with = "span")]
    pub wait: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        Self { requests: 1000, wait: Duration::from_secs(5) }
    }
}

/// A cookie that keeps a client with its server. It names the server opaquely, and nothing about the client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sticky {
    /// The cookie's name.
    pub cookie: String,
}

/// What picks the servers that are marked as canary: exactly one of a header and a cookie, with its value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// The header.
    pub header: Option<String>,
    /// The cookie.
    pub cookie: Option<String>,
    /// The value that picks the canary.
    pub value: String,
}

fn two() -> u32 {
    2
}

fn three() -> u32 {
    3
}

fn sixty_four() -> usize {
    64
}

fn hundred() -> u16 {
    100
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}

fn two_seconds() -> Duration {
    Duration::from_secs(2)
}

fn four_seconds() -> Duration {
    Duration::from_secs(4)
}
