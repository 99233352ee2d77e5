//! The server as programs meet it: the real one, over real HTTP, killed and started again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: also the parts that several tests share")]

#[allow(dead_code, reason = "other tests need more of it")]
mod client;
mod comparison;
mod site;

mod argo;
mod calibrate;
mod evaluations;
mod flagger;
mod hostile;
mod killed;
mod line;
mod process;
mod prometheus;
mod replay;
mod timeline;
