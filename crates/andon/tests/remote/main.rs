//! Commands over a server: the real program on both sides, over real HTTP; either side killed in the middle.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: also the parts that several tests share")]

#[path = "../server/client.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod client;
#[path = "../process/project.rs"]
#[allow(dead_code, reason = "the tests over loopback use all of it")]
mod project;
mod site;

mod doors;
mod interrupted;
mod lines;
mod live;
mod same;
mod unit;
