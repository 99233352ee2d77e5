//! Deployments under constant load, through real balancers: what users lose by them is counted.
//!
//! `ANDON_RUNS` says how many deployments in a row each test of `rolling` makes; without it, one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: also the parts that several tests share"
)]

mod front;
#[path = "../process/project.rs"]
#[allow(dead_code, reason = "the tests over loopback use all of it")]
mod project;
mod shop;

mod disturbed;
mod left;
mod rolling;
mod sites;
mod swept;
mod two_sets;
mod undisturbed;
