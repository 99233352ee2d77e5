//! What must hold for whatever tells of connections.

use super::{netlink, table};

/// `data` is a datagram of the kernel, and its table.
pub(crate) fn sockets(data: &[u8]) {
    let mut found = Vec::new();
    let _ = netlink::read(data, 8080, &mut found);
    assert!(found.len() <= data.len() / 16, "more connections than messages");
    let _ = table::of_table(data, &[8080].into());
}
