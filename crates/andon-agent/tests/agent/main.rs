//! The agent's program as a controller meets it: over pipes, with real services, cut and killed at will.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: also the parts that several tests share")]

mod conversation;
mod driver;
mod endings;
mod exactly_once;
mod killed;
mod obedience;
mod releases;
mod service;
mod uploads;
mod upset;
mod vitals;
