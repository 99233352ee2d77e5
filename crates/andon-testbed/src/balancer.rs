//! Real balancers on loopback: HAProxy, nginx and the built-in proxy, each from a configuration as a person would
//! write it, in a directory of its own.
//!
//! Dropping one ends all of its processes and removes its files.

pub(crate) mod daemon;
pub mod haproxy;
pub mod nginx;
pub mod proxy;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::program::MissingPrograms;

pub use haproxy::Haproxy;
pub use nginx::Nginx;
pub use proxy::Proxy;

/// What stands behind a balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Its name in the balancer.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What a balancer does with a request whose server has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retries {
    /// Nothing: the user sees it. Whatever is lost is then counted.
    #[default]
    None,
    /// It sends a `GET` to another server when none of the answer was passed on yet.
    Idempotent,
}

/// Why no balancer runs.
#[derive(thiserror::Error)]
pub enum BalancerError {
    /// A program is not installed.
    #[error(transparent)]
    Missing(#[from] MissingPrograms),
    /// A file could not be written, or a program could not be started.
    #[error("cannot prepare the test's balancer: {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended, or did not do in time what was asked of it.
    #[error("{program} did not {what}; it says: {log}")]
    NotReady {
        /// Its name.
        program: &'static str,
        /// What was expected.
        what: &'static str,
        /// What it wrote to its standard error.
        log: String,
    },
}

// A failed `unwrap` prints the debug form, and the person who reads it wants the sentence.
impl fmt::Debug for BalancerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl BalancerError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// An address on loopback that is free now. The listener keeps other tests from it for as long as it lives, also while
/// whoever listens there is started anew.
pub(crate) fn free_address() -> Result<(TcpListener, SocketAddr), BalancerError> {
    let (held, port) = free_ports(1).map_err(BalancerError::io("find a free port"))?;
    Ok((held, SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
}

/// A block of `count` ports in a row (at most 99) that are free on loopback now. The listener holds the one before
/// them, so that no other test finds the same block for as long as it lives.
///
/// # Errors
/// The system's, when there is no such block.
pub fn free_ports(count: u16) -> io::Result<(TcpListener, u16)> {
    // Below the ports that the kernel gives to outgoing connections, which a load opens by the thousand.
    const BLOCKS: std::ops::Range<u16> = 110..320;
    const STRIDE: u16 = 100;
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    for block in BLOCKS {
        let base = block * STRIDE;
        if let Ok(held) = bind(base)
            && (1..=count).all(|offset| bind(base + offset).is_ok())
        {
            return Ok((held, base + 1));
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
