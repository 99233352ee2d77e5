//! How much and how long: every bound that protects the proxy and the servers behind it.

use std::time::Duration;

use serde::Deserialize;

use super::quantity::span;

/// What a client may ask for at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections of clients at once, over all listeners. More wait in the kernel's queue.
    pub connections: usize,
    /// Bytes of a request's head: the request line and all headers. More is answered with 431.
    pub header_bytes: usize,
    /// Headers of a request. More is answered with 431.
    pub headers: usize,
    /// Bytes of the request target. More is answered with 414.
    pub uri_bytes: usize,
    /// Bytes of a request's body; 0 for as many as the client likes. More is answered with 413.
    pub body_bytes: u64,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_bytes: 16 * 1024,
            headers: 100,
            uri_bytes: 8 * 1024,
            body_bytes: 0,
            streams: 128,
        }
    }
}

/// How long anybody is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// From a request head's first byte to its last, and for a TLS handshake. Answered with 408.
    #[serde(deserialize_with = "span")]
    pub head: Duration,
    /// Between two requests on a connection that is kept open, and before the first one.
    #[serde(deserialize_with = "span")]
    pub idle: Duration,
    /// Between two pieces of a request's body. Answered with 408.
    #[serde(deserialize_with = "span")]
    pub body: Duration,
    /// For a client that takes nothing of its response.
    #[serde(deserialize_with = "span")]
    pub write: Duration,
    /// For a connection to a server. Then another server is tried; at last the answer is 502.
    #[serde(deserialize_with = "span")]
    pub connect: Duration,
    /// From a request to the head of its response, and between two pieces of the response's body. Answered with 504.
    #[serde(deserialize_with = "span")]
    pub response: Duration,
    /// For an upgraded connection (WebSocket) on which nothing flows either way.
    #[serde(deserialize_with = "span")]
    pub tunnel: Duration,
    /// For what is under way when the proxy is told to end. Then it is cut.
    #[serde(deserialize_with = "span")]
    pub shutdown: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            body: Duration::from_secs(60),
            write: Duration::from_secs(60),
            connect: Duration::from_secs(2),
            response: Duration::from_secs(60),
            tunnel: Duration::from_secs(3600),
            shutdown: Duration::from_secs(30),
        }
    }
}
