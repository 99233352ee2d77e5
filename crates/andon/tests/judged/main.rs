//! Releases that are judged while they spread, through real balancers and under constant load.
//!
//! `ANDON_RUNS` says how many harmless deployments in a row are made; without it, two.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: also the parts that several tests share"
)]

#[path = "../traffic/front.rs"]
#[allow(dead_code, reason = "the tests of traffic use all of it")]
mod front;
#[path = "../process/project.rs"]
#[allow(dead_code, reason = "the tests over loopback use all of it")]
mod project;
#[path = "../traffic/shop.rs"]
#[allow(dead_code, reason = "the tests of traffic use all of it")]
mod shop;

mod scene;

mod business;
mod disturbed;
mod doubtful;
mod harmful;
mod harmless;
mod shapes;
