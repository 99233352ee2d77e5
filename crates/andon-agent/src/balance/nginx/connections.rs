//! Connections from nginx's workers to servers, as the kernel knows them. nginx itself keeps no such count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::master::Master;

/// The most that is read of one of the kernel's tables: about 200 000 sockets.
const MAX_TABLE: u64 = 32 << 20;

/// The states of a socket that may carry a request: established, and about to be.
const AT_WORK: [&str; 2] = ["01", "02"];

/// One open connection to an address that was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Connection {
    to: SocketAddr,
    user: u32,
    socket: u64,
}

/// How many connections the workers of a master have to each of `targets`; those without any are absent. `None` when
/// the kernel does not tell, or there are more than can be read.
///
/// Where the workers' descriptors are closed to this user, all connections of their user count.
pub(super) fn count(master: Master, targets: &BTreeSet<SocketAddr>) -> Option<BTreeMap<SocketAddr, u64>> {
    let mut connections = Vec::new();
    for table in ["tcp", "tcp6"] {
        // Through the master: nginx may live in a network of its own.
        match read(&format!("/proc/{}/net/{table}", master.pid())) {
            Ok(text) => {
                connections.extend(text.lines().filter_map(parse).filter(|c| targets.contains(&c.to)))
            }
            // A machine without IPv6 has one table only.
            Err(error) if error.kind() == io::ErrorKind::NotFound && table == "tcp6" => {}
            Err(_) => return None,
        }
    }
    let workers: Vec<i32> = master.workers().iter().map(|worker| worker.process.pid).collect();
    Some(held(connections, &workers))
}

/// Those of the connections that belong to the processes, by their addresses.
fn held(connections: Vec<Connection>, processes: &[i32]) -> BTreeMap<SocketAddr, u64> {
    let mut found = BTreeMap::new();
    if connections.is_empty() {
        return found;
    }
    let (mut sockets, mut users) = (BTreeSet::new(), BTreeSet::new());
    for pid in processes {
        match sockets_of(*pid, &mut sockets) {
            // It has ended: so have its connections.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => users.extend(user_of(*pid)),
            Ok(()) => {}
        }
    }
    for connection in connections {
        if sockets.contains(&connection.socket) || users.contains(&connection.user) {
            *found.entry(connection.to).or_default() += 1;
        }
    }
    found
}

fn read(path: &str) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_TABLE).read_to_string(&mut text)?;
    if read as u64 >= MAX_TABLE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

/// A line of the kernel's table, if the connection may carry a request:
/// `sl local remote state queues timer retransmits uid timeout inode …`.
fn parse(line: &str) -> Option<Connection> {
    let mut fields = line.split_ascii_whitespace().skip(2);
    let (remote, state) = (fields.next()?, fields.next()?);
    if !AT_WORK.contains(&state) {
        return None;
    }
    let user = fields.nth(3)?.parse().ok()?;
    let socket = fields.nth(1)?.parse().ok()?;
    Some(Connection { to: address(remote)?, user, socket })
}

/// `0100007F:1F90`: words of 32 bits in the machine's own order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |index: usize| {
        Some(u32::from_str_radix(address.get(index * 8..index * 8 + 8)?, 16).ok()?.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut octets = [0; 16];
            for index in 0..4 {
                octets[index * 4..index * 4 + 4].copy_from_slice(&word(index)?);
            }
            IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// Adds the sockets that a process has open.
fn sockets_of(pid: i32, sockets: &mut BTreeSet<u64>) -> io::Result<()> {
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        // One that was closed meanwhile is of no interest.
        let Ok(link) = entry.and_then(|entry| fs::read_link(entry.path())) else { continue };
        let socket = link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']'));
        sockets.extend(socket.and_then(|number| number.parse::<u64>().ok()));
    }
    Ok(())
}

/// The user that a process acts as. The owner of its directory would not do: that is root for a process that has
/// given up rights.
fn user_of(pid: i32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_understood() {
        let line = "  12: 0100007F:C350 0200007F:1F90 01 00000000:00000000 02:000005A0 00000000  33        0 98765 2 x";
        let expected = Connection { to: "127.0.0.2:8080".parse().unwrap(), user: 33, socket: 98765 };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse(&line.replace(" 01 ", " 06 ")), None, "TIME_WAIT carries nothing");
        assert_eq!(address("0000000000000000FFFF00000100007F:0050"), Some("127.0.0.1:80".parse().unwrap()));
        for hostile in ["", "x:1", "0100007F", "0100007F:10000", "é100007:1", "0100007F0:1"] {
            assert_eq!(address(hostile), None, "{hostile:?}");
        }
        assert_eq!(parse("sl local_address rem_address st"), None);
    }

    /// What this process and its like are seen to have open to `target`.
    fn seen(target: SocketAddr, pid: u32) -> Option<u64> {
        let table = if target.is_ipv4() { "tcp" } else { "tcp6" };
        let text = read(&format!("/proc/self/net/{table}")).unwrap();
        let connections = text.lines().filter_map(parse).filter(|connection| connection.to == target);
        held(connections.collect(), &[i32::try_from(pid).unwrap()]).remove(&target)
    }

    #[test]
    fn own_connections_count_and_those_of_others_do_not() {
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        for listen in ["127.0.0.1:0", "[::1]:0"] {
            // Without IPv6 the second round has nothing to try.
            let Ok(listener) = TcpListener::bind(listen) else { continue };
            let target = listener.local_addr().unwrap();
            assert_eq!(seen(target, std::process::id()), None);
            let both = [TcpStream::connect(target).unwrap(), TcpStream::connect(target).unwrap()];
            assert_eq!(seen(target, std::process::id()), Some(2));
            assert_eq!(seen(target, other.id()), None, "they belong to another process");
            drop(both);
            assert_eq!(seen(target, std::process::id()), None);
        }
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
