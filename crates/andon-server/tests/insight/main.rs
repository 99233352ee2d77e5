//! The pages and answers about deployments and hosts as a whole, over HTTP, with a ledger, a driver and hosts in memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: also the parts that several tests share")]

mod fleet;
mod pages;
mod scene;
mod watching;
