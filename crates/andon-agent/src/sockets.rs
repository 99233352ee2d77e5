//! Counts the connections that this host has on the ports of a service's instances. Only looks.

use andon_core::balance::Sockets;
use andon_core::host::Placement;

/// What the instances of `placement` have now, or why it cannot be known, as a sentence.
pub(crate) fn count(_placement: &Placement) -> Result<Sockets, String> {
    Err("this agent does not count connections yet".to_owned())
}
