//! Counts the connections that this host has on the ports of a service's instances, and those among them that are at
//! work. Only looks, and only at TCP in the network namespace of the agent.

use std::collections::BTreeSet;

use andon_core::balance::Sockets;
use andon_core::host::Placement;

use connection::Work;

mod connection;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod netlink;
mod table;

/// What the instances of `placement` have now, or why it cannot be known, as a sentence.
///
/// Where the kernel does not say when bytes flowed, every connection counts as busy: nothing says that it is not.
pub(crate) fn count(placement: &Placement) -> Result<Sockets, String> {
    let ports: BTreeSet<u16> = placement.instances.iter().filter_map(|instance| instance.port).collect();
    let mut sockets = Sockets::default();
    if ports.is_empty() {
        return Ok(sockets);
    }
    let asked = netlink::connections(&ports).or_else(|refused| {
        table::connections(&ports).map_err(|unreadable| {
            format!(
                "the kernel does not tell this host's connections ({refused}), and its table of them cannot be \
                 read either ({unreadable})"
            )
        })
    });
    for connection in asked? {
        sockets.established = sockets.established.saturating_add(1);
        match connection.work() {
            Work::Busy => sockets.busy = sockets.busy.saturating_add(1),
            Work::Unsure => sockets.unsure = sockets.unsure.saturating_add(1),
            Work::Idle => {}
        }
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests;
