//! Senses against the real thing: Prometheus with pages of our own, StatsD over real sockets, scripts that misbehave.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "senses/prometheus.rs"]
mod prometheus;
