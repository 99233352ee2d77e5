//! What is known of a request that has ended: the record for the access log.
//!
//! The record borrows from the request; whoever keeps it, copies. It is made on the worker that carried the request,
//! so an [`AccessLog`] must not block.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use andon_core::name::ServerName;

/// Gets the record of each request, once, when its last byte has been sent or will never be.
pub trait AccessLog: Send + Sync {
    /// Takes the record. Called by many threads, and must not block.
    fn ended(&self, request: &Ended<'_>);
}

/// A request that has ended.
#[derive(Debug, Clone)]
pub struct Ended<'a> {
    /// When its head was read.
    pub at: SystemTime,
    /// From then until its end.
    pub took: Duration,
    /// From then until the head of the server's response; `None` where none came.
    pub answered_after: Option<Duration>,
    /// The client's address.
    pub client: SocketAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The HTTP version that the client speaks.
    pub version: http::Version,
    /// The method. Empty where no request could be read. This and the other texts are as the client sent them, without
    /// control characters, but not necessarily UTF-8.
    pub method: &'a [u8],
    /// The request target: path and query.
    pub target: &'a [u8],
    /// The host that was asked for.
    pub host: &'a [u8],
    /// The header `User-Agent`; empty where it is absent, as the next two.
    pub user_agent: &'a [u8],
    /// The header `Referer`.
    pub referer: &'a [u8],
    /// The header `X-Request-Id`.
    pub request_id: &'a [u8],
    /// The status that was answered; 0 where the client left before.
    pub status: u16,
    /// Bytes of the request's body that were read.
    pub received: u64,
    /// Bytes of the response's body that were sent; for an upgraded connection all that went to the client.
    pub sent: u64,
    /// The pool.
    pub pool: &'a str,
    /// The server that answered, or was tried last.
    pub server: Option<&'a ServerName>,
    /// Servers that were tried, one after the other.
    pub tries: u32,
    /// How it ended.
    pub end: End,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The whole response was sent.
    Complete,
    /// The proxy itself answered, in these words.
    Refused(&'static str),
    /// The client left before.
    ClientLeft,
    /// The server did not send the whole response.
    ServerBroke,
    /// It was cut: the server was taken out by force, or the time for the proxy's end was over.
    Cut,
}
