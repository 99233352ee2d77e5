//! Acts. Drives deployments and reaches hosts; every decision is `andon-core`'s.
//!
//! - [`access`]: who is let in: users, tokens, sessions, another system that signs people in.
//! - [`Controller`]: the door: plan, deploy, roll back, resume, ask.
//! - `driver`: one deployment's loop: load, decide, store, act.
//! - [`hosts`]: the ways to a host, behind one trait.
//! - `records`: typed facts in the ledger.
//! - `traffic`: rounds over all balancers of a service; what they count is in [`SharedNumbers`].
//! - [`evaluations`]: the judge as a service; what each has heard is in its [`recording`].
//! - [`chronicles`]: all deployments in memory, kept up with the ledger; [`census`]: what hosts really run.
//! - [`history`]: what the last weeks saw of each host, and the sampler that keeps it.
//! - [`http`]: what `andon server` answers over HTTP.
//! - [`senses`]: numbers that no balancer knows: Prometheus, what programs push, what commands print.
//! - [`Outbox`]: messages to people, kept until they are delivered.
//! - [`answers`]: the shapes of what the API answers and the commands print with `--json`.
//! - [`lines`]: the line on the disk, and the wishes that are made of it; [`workshop`]: what is driven here.
//! - [`registers`]: services, releases and records as they are looked up.
//! - [`push`]: one command on many hosts over plain ssh.
//! - [`artifacts`]: the releases that this controller can send.

pub mod access;
pub mod answers;
pub mod artifacts;
pub mod census;
pub mod chronicles;
pub mod clock;
mod controller;
mod driver;
pub mod evaluations;
mod frames;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
pub mod history;
pub mod hosts;
pub mod http;
mod lease;
pub mod lines;
mod numbers;
pub mod outbox;
mod output;
mod preflight;
mod private;
mod problem;
pub mod promotions;
pub mod push;
pub mod recording;
mod records;
pub mod registers;
pub mod revision;
pub mod secrets;
pub mod senses;
mod site_commands;
pub mod ssh;
mod traffic;
mod watching;
pub mod workshop;

pub use controller::{Controller, Found, Going, Sweep, Trial, WaitingApproval, Wish};
pub use driver::Progress;
pub use numbers::SharedNumbers;
pub use outbox::Outbox;
pub use problem::{Problem, Words};
pub use records::{Entry, Records, RecordsError, SubscribingError, Versioned};
pub use traffic::Round;
