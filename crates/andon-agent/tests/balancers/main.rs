//! The agent beside real balancers with real users, on loopback: HAProxy, nginx and the built-in proxy.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: also the parts that several tests share")]

#[path = "../agent/driver.rs"]
#[allow(dead_code, reason = "shared with the tests of steps, which need more of it")]
mod driver;

mod agent_check;
mod authority;
mod failures;
mod haproxy;
mod nginx;
mod pool;
mod proxy;
mod site;
