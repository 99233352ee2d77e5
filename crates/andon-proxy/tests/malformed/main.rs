//! What no proxy may pass on: requests that two readers could read differently, and responses that lie.
//!
//! The real proxy, real sockets; behind it a server that keeps every byte, which a strict reader reads again. For each
//! case: either the proxy refuses with the right status and nothing reached the server, or what did is unambiguous.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: also the parts that several tests share")]

mod connections;
mod exchange;
mod framing;
mod heads;
mod http2;
mod recorder;
mod responses;
mod stage;
mod strict;
mod tardy;
