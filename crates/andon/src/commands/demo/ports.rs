//! Ports of the demo: a free block on loopback that no other demo takes.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Where blocks begin. Below the ports that the kernel gives to outgoing connections.
const FIRST: u16 = 18_000;
const LAST: u16 = 28_000;
/// From one block to the next, so that web1 ends with 1.
const STRIDE: u16 = 10;

/// A base port, held for as long as this lives, and free ports right after it.
///
/// The hosts' own ports cannot be held, as their services are to listen there. Every demo that wants the same block
/// asks for its base port first, and only one gets it.
#[derive(Debug)]
pub(super) struct Ports {
    /// The base port: host `n` of the demo, counted from one, listens `n` above it.
    pub(super) base: u16,
    _held: TcpListener,
}

impl Ports {
    /// The first block whose base port and `count` ports after it are free. `count` is less than ten.
    pub(super) fn reserve(count: u16) -> io::Result<Self> {
        let mut refusal = io::Error::from(io::ErrorKind::AddrInUse);
        for base in (FIRST..LAST).step_by(usize::from(STRIDE)) {
            match bind(base) {
                Ok(held) if (1..=count).all(|n| bind(base + n).is_ok()) => {
                    return Ok(Self { base, _held: held });
                }
                Ok(_) => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blocks_that_are_held_at_once_do_not_overlap() {
        let (one, two) = (Ports::reserve(6).unwrap(), Ports::reserve(6).unwrap());
        assert!(one.base.abs_diff(two.base) >= STRIDE);
    }
}
