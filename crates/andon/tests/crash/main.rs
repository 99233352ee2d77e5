//! The whole product, with one of its parts killed or cut off at each moment that makes a difference.

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

mod controller;
mod cuts;
