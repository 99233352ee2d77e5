//! The API of `andon server` as programs of others meet it: the real server, real deployments on local hosts, clients that
//! nobody here wrote.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: also the parts that several tests share")]

#[path = "../server/client.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod client;
mod house;
#[path = "../process/project.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod project;

mod events;
mod generated;
mod logs;
mod metrics;
mod once;
mod reading;
mod refused;
mod schemathesis;
