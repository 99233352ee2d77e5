//! Decides. Every rule of Andon lives here as data in, data out.
//!
//! This crate knows no clock, file, socket, process, thread or random number: time, ids and
//! observations come in as arguments, and what should happen comes out as values. The shell
//! (`andon-server`, `andon-agent`) loads, asks, stores and acts.
//!
//! - [`line`]: what a user describes in `line.star`, validated.
//! - [`plan`]: everything that a deployment will do, pinned before the first effect.
//! - [`deployment`]: the state machine of a deployment and of each host in it.
//! - [`analysis`]: the comparison of instances on the new release with instances on the old one.
//! - [`scope`]: the lock, the queue and the known releases of one service in one environment.
//! - [`chronicle`]: all deployments in memory, and what follows from them as numbers.
//! - [`cord`]: whether changes flow at all, who stopped them and why.
//! - [`balance`]: what a balancer is told, and what it sees.
//! - [`telling`]: what people are told, and what became of each message.
//! - [`access`]: who may do what.
//! - [`host`]: what a host says about itself.
//! - [`host_list`]: names of many hosts in few characters.
//! - [`vitals`]: what a host sees of the processes and the logs of a service.

pub mod access;
pub mod analysis;
pub mod balance;
pub mod chronicle;
pub mod cord;
pub mod deployment;
pub mod digest;
pub mod guard;
pub mod host;
pub mod host_list;
pub mod kind;
pub mod legible;
pub mod line;
pub mod masking;
pub mod name;
pub mod person;
pub mod phrase;
pub mod plan;
pub mod promotion;
pub mod proportion;
pub mod quantity;
pub mod release;
pub mod scope;
pub mod sentence;
pub mod signature;
pub mod suggest;
pub mod telling;
pub mod time;
pub mod version;
pub mod vitals;
