//! Carries users' requests: the built-in proxy and balancer.
//!
//! The only code of Andon in the path of users' requests. It does what it is told: which servers get traffic is
//! decided by the controller and wished through [`Pool::set`]; this crate keeps requests away from servers that do
//! not answer, ends what is under way in peace, and counts.
//!
//! - [`config`]: the file that describes listeners and pools.
//! - [`Proxy`]: listeners, workers, reload and shutdown.
//! - [`Pool`]: servers, wishes and what is seen of them.
//! - [`access`]: one record for each request that ended.

pub mod access;
pub mod access_log;
pub mod config;
pub mod control;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
pub mod hand_over;
pub mod listener;
pub mod metrics;
pub mod pool;
pub mod process;
pub mod proxy;
pub mod tls;
pub mod wishes;

mod alarm;
mod body;
mod connection;
mod exchange;
mod head;
mod health;
mod mark;
mod outgoing;
mod refusal;
mod site;
mod wire;
mod worker;

pub use config::{Config, ConfigError};
pub use listener::Listener;
pub use pool::{Pool, Server};
pub use proxy::Proxy;
