//! The constructors: what each one takes, means and refuses. Checks that need only one call.

pub(crate) mod balancer;
pub(crate) mod blue_green;
mod command;
pub(crate) mod environment;
pub(crate) mod group;
pub(crate) mod health;
pub(crate) mod host;
pub(crate) mod probe;
pub(crate) mod release;
pub(crate) mod rollout;
pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod service;
pub(crate) mod site;
pub(crate) mod tell;
pub(crate) mod watch;
