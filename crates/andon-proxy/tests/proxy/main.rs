//! The proxy as clients and servers see it: real sockets on loopback, bytes in and bytes out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: also the parts that several tests share"
)]

mod backend;
mod client;
mod scene;

mod balancing;
mod forwarding;
mod health;
mod http2;
mod lifecycle;
mod strictness;
mod tls;
mod upgrades;
