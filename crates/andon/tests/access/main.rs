//! Who may do what, on the real server over real HTTP: every way in, and every way that must not be one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: also the parts that several tests share")]
#![allow(dead_code, reason = "the project and the answers are those of other tests, which use more of them")]

#[path = "../server/client.rs"]
mod client;
#[path = "../process/project.rs"]
mod project;

mod browser;
mod house;

mod approvals;
mod commands;
mod forgery;
mod headers;
mod hostile;
mod oidc;
mod passwords;
mod roles;
mod signing_in;
mod tls;
mod tokens;
