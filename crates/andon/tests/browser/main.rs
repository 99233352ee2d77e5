//! The screen as people meet it: the real server, local hosts, and a real browser.
//!
//! Pictures of what was seen are kept below `target/screenshots/`, for people to look at.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: also the parts that several tests share")]

#[path = "../process/project.rs"]
#[allow(dead_code, reason = "the tests over loopback use all of it")]
mod project;

mod look;
mod site;

mod deploy;
mod doors;
mod empty;
mod hands;
mod hostile;
mod timeline;
