//! Talks: the messages between a controller and the agents on hosts, and those of the proxy's control socket.
//!
//! One schema for all ways to a host. A [`frame`] is a length and a self-describing (CBOR) message, so that two
//! sides that are one version apart understand each other: unknown fields are ignored, new fields have defaults.
//! No input or output happens here.

pub mod agent;
pub mod foreign;
pub mod frame;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
pub mod proxy;
pub mod secret;
