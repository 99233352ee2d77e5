//! The driver and the controller against a fleet in memory and a ledger that fails as told, in simulated time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod agents;
mod charge;
mod fleet;
mod killed;
mod ledger;
mod line;
mod lost;
mod numbers;
mod queue;
mod sweep;
mod told;
mod wishes;
mod world;
