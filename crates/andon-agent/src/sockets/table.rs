//! Reads `/proc/net/tcp` and `/proc/net/tcp6`, for where the kernel answers no questions. They tell no times.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use super::connection::Connection;

/// The most that is read of one table: about 400,000 connections.
const MOST: u64 = 64 << 20;

/// All connections of the local `ports`.
pub(super) fn connections(ports: &BTreeSet<u16>) -> io::Result<Vec<Connection>> {
    let mut found = of_table(File::open("/proc/net/tcp")?, ports)?;
    match File::open("/proc/net/tcp6") {
        Ok(table) => found.extend(of_table(table, ports)?),
        // A kernel without IPv6 has no such connections.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(found)
}

pub(super) fn of_table(table: impl Read, ports: &BTreeSet<u16>) -> io::Result<Vec<Connection>> {
    let lines = BufReader::new(table.take(MOST)).lines();
    lines.filter_map(|line| line.map(|line| connection(&line, ports)).transpose()).collect()
}

/// Reads a line such as `0: 0100007F:1F90 0100007F:D2A4 01 00000000:00000000 …`: after the number the local end, the
/// other end, the state, and what waits to be confirmed and to be read.
fn connection(line: &str, ports: &BTreeSet<u16>) -> Option<Connection> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let local = words.next()?;
    let (_, port) = local.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let state = words.nth(1)?;
    // Established, or closed by the other end only.
    if !ports.contains(&port) || !matches!(state, "01" | "08") {
        return None;
    }
    let (unconfirmed, unread) = words.next()?.split_once(':')?;
    let number = |hex| u32::from_str_radix(hex, 16).ok();
    Some(Connection { unread: number(unread)?, unconfirmed: number(unconfirmed)?, flow: None })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn only_established_connections_of_the_ports_are_taken() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1\n\
            1: 0100007F:1F90 0100007F:D2A4 01 00000005:00000007 00:00000000 00000000 0 0 2\n\
            2: 0100007F:1F91 0100007F:D2A6 01 00000000:00000000 00:00000000 00000000 0 0 3\n\
            3: 0100007F:D2A4 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 0 0 4\n\
            4: nonsense\n";
        let found = of_table(table.as_bytes(), &[8080].into()).unwrap();
        assert_eq!(found, [Connection { unread: 7, unconfirmed: 5, flow: None }]);
    }

    #[test]
    fn the_real_table_knows_a_connection_of_this_test() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            assert!(connections(&[port].into()).unwrap().is_empty());
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            assert_eq!(connections(&[port].into()).unwrap().len(), 1, "{address}");
        }
    }
}
