//! The whole product on Debian machines with systemd: the program, real agents sent over ssh, units, HTTP, reboots.
//!
//! They need root and a few minutes: they are part of the fleet set, which `cargo xtask test` runs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: also the parts that several tests share"
)]

mod page;
#[path = "../process/project.rs"]
#[allow(dead_code, reason = "the tests over loopback use all of it")]
mod project;
mod site;

mod absent;
mod application;
mod faults;
mod reboot;
mod server;
mod service;
