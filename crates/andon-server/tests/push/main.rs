//! Commands on many hosts, over the real `ssh` to real daemons on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod bench;
mod commands;
mod endings;
mod unreachable;
