//! Acts. Drives deployments and reaches hosts; every decision is `andon-core`'s.
//!
//! - [`Controller`]: the door: plan, deploy, roll back, resume, ask.
//! - `driver`: one deployment's loop: load, decide, store, act.
//! - [`hosts`]: the ways to a host, behind one trait.
//! - `records`: typed facts in the ledger.
//! - `traffic`: rounds over all balancers of a service; what they count is in [`SharedNumbers`].
//! - [`evaluations`]: the judge as a service; what each has heard is in its [`recording`].
//! - [`history`]: what the last weeks saw of each host, and the sampler that keeps it.
//! - [`http`]: what `andon server` answers over HTTP.
//! - [`senses`]: numbers that no balancer knows: Prometheus, what programs push, what commands print.
//! - [`Outbox`]: messages to people, kept until they are delivered; [`chart`] draws what they show.
//! - [`push`]: one command on many hosts over plain ssh.
//! - [`artifacts`]: the releases that this controller can send.

pub mod artifacts;
pub mod chart;
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
mod numbers;
pub mod outbox;
mod output;
mod preflight;
mod private;
mod problem;
pub mod push;
pub mod recording;
mod records;
pub mod revision;
pub mod secrets;
pub mod senses;
mod site_commands;
pub mod ssh;
mod traffic;
mod watching;

pub use controller::{Controller, Found, Going, Sweep, Trial, Wish};
pub use driver::Progress;
pub use numbers::SharedNumbers;
pub use outbox::Outbox;
pub use problem::Problem;
pub use records::{Entry, Records, RecordsError, Versioned};
pub use traffic::Round;
