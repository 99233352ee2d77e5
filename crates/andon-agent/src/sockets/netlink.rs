//! Asks the kernel for connections by `sock_diag(7)`. The messages are read by hand, every field at a place that the
//! kernel's interface has fixed, and never beyond what arrived.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::connection::{Connection, Flow};

/// The longest time for all answers.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most connections that are counted; a host with more is busy in any case.
const MOST: usize = 1 << 20;

/// The kernel sends at most 32 KiB at a time, unless a single message is longer.
const BUFFER: usize = 64 * 1024;

const HEADER: usize = 16;
const DIAG_MESSAGE: usize = 72;
const REQUEST: u8 = 56;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const IPPROTO_TCP: u8 = 6;
const INET_DIAG_INFO: u16 = 2;
/// The other end may have closed its half and still wait for the answer.
const ESTABLISHED_AND_CLOSE_WAIT: u32 = (1 << 1) | (1 << 8);

/// All connections of the local `ports`.
pub(super) fn connections(ports: &BTreeSet<u16>) -> Result<Vec<Connection>, Errno> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(SOCK_DIAG),
    )?;
    let deadline = Instant::now() + PATIENCE;
    let mut found = Vec::new();
    for port in ports {
        // The family of IPv6 holds IPv4 connections of sockets that take both.
        for family in [AddressFamily::INET, AddressFamily::INET6] {
            let question = question(family, *port);
            let kernel = SocketAddrNetlink::new(0, 0);
            rustix::net::sendto(&socket, &question, SendFlags::empty(), &kernel)?;
            collect(&socket, *port, deadline, &mut found)?;
        }
    }
    Ok(found)
}

fn question(family: AddressFamily, port: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + usize::from(REQUEST));
    let total = u32::from(REQUEST) + 16;
    bytes.extend(total.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    let family = u8::try_from(family.as_raw()).unwrap_or_default();
    bytes.extend([family, IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0]);
    bytes.extend(ESTABLISHED_AND_CLOSE_WAIT.to_ne_bytes());
    bytes.extend(port.to_be_bytes());
    // Any other end, any address, any interface.
    bytes.resize(total as usize, 0);
    bytes
}

/// Reads the answer to one question to its end.
fn collect(socket: &OwnedFd, port: u16, deadline: Instant, found: &mut Vec<Connection>) -> Result<(), Errno> {
    let mut buffer = vec![0_u8; BUFFER];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || found.len() > MOST {
            return Err(Errno::TIMEDOUT);
        }
        set_socket_timeout(socket, Timeout::Recv, Some(left.max(Duration::from_millis(1))))?;
        let length = match rustix::net::recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
            Ok((_, length)) if length <= buffer.len() => length,
            Ok(_) => return Err(Errno::MSGSIZE),
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error),
        };
        if read(&buffer[..length], port, found)? == Part::Last {
            return Ok(());
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    More,
    Last,
}

/// Reads the messages of one datagram.
pub(super) fn read(mut bytes: &[u8], port: u16, found: &mut Vec<Connection>) -> Result<Part, Errno> {
    while bytes.len() >= HEADER {
        let length = u32_at(bytes, 0).ok_or(Errno::BADMSG)? as usize;
        let body = bytes.get(HEADER..length).ok_or(Errno::BADMSG)?;
        match u16_at(bytes, 4).ok_or(Errno::BADMSG)? {
            NLMSG_DONE => return Ok(Part::Last),
            NLMSG_ERROR => {
                let code = i32::from_ne_bytes(array_at(body, 0).ok_or(Errno::BADMSG)?);
                // Any other number is none of an error.
                let is_error = (-4095..0).contains(&code);
                return Err(if is_error { Errno::from_raw_os_error(-code) } else { Errno::BADMSG });
            }
            SOCK_DIAG_BY_FAMILY => found.extend(connection(body, port)),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(Part::More)
}

/// One `inet_diag_msg` with its attributes; `None` when it is of another port or too short.
fn connection(body: &[u8], port: u16) -> Option<Connection> {
    if array_at(body, 4)? != port.to_be_bytes() {
        return None;
    }
    let (unread, unconfirmed) = (u32_at(body, 56)?, u32_at(body, 60)?);
    Some(Connection { unread, unconfirmed, flow: body.get(DIAG_MESSAGE..).and_then(flow) })
}

/// Finds the `tcp_info` among the attributes, and in it what has flowed. Kernels before 4.6 count no segments.
fn flow(mut attributes: &[u8]) -> Option<Flow> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let value = attributes.get(4..length)?;
        if u16_at(attributes, 2)? == INET_DIAG_INFO {
            let ago = |offset| Some(Duration::from_millis(u32_at(value, offset)?.into()));
            return Some(Flow {
                sent: ago(44)?,
                received: ago(52)?,
                confirmed: ago(56)?,
                segments_received: u32_at(value, 152)?,
                segments_sent: u32_at(value, 156)?,
            });
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset + N)?.try_into().ok()
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::connection::Work;
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEADER, 0);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_refusal_of_the_kernel_is_an_error_and_its_end_an_end() {
        let mut found = Vec::new();
        let refused = message(NLMSG_ERROR, &(-1_i32).to_ne_bytes());
        assert_eq!(read(&refused, 80, &mut found), Err(Errno::PERM));
        assert_eq!(read(&message(NLMSG_DONE, &[0; 4]), 80, &mut found), Ok(Part::Last));
    }

    #[test]
    fn a_refusal_without_a_reason_is_an_error_too() {
        for code in [0, 1, i32::MAX, i32::MIN, -4096] {
            let message = message(NLMSG_ERROR, &code.to_ne_bytes());
            assert_eq!(read(&message, 80, &mut Vec::new()), Err(Errno::BADMSG), "{code}");
        }
    }

    #[test]
    fn no_message_is_read_beyond_its_end() {
        let mut body = vec![0; DIAG_MESSAGE];
        body[4..6].copy_from_slice(&80_u16.to_be_bytes());
        body.extend(200_u16.to_ne_bytes());
        body.extend(INET_DIAG_INFO.to_ne_bytes());
        body.resize(DIAG_MESSAGE + 200, 7);
        let whole = message(SOCK_DIAG_BY_FAMILY, &body);
        let mut found = Vec::new();
        assert_eq!(read(&whole, 80, &mut found), Ok(Part::More));
        assert!(found.pop().unwrap().flow.is_some());
        for cut in HEADER..whole.len() {
            assert_eq!(read(&whole[..cut], 80, &mut found), Err(Errno::BADMSG), "{cut}");
        }
        for cut in 0..body.len() {
            // A message that is short in itself says less, and never that a connection is at rest.
            let short = message(SOCK_DIAG_BY_FAMILY, &body[..cut]);
            found.clear();
            let _ = read(&short, 80, &mut found);
            assert!(found.iter().all(|one| one.work() == Work::Busy), "{cut}");
        }
        // A length of nought must not be read for ever.
        assert_eq!(read(&[0; HEADER], 80, &mut found), Err(Errno::BADMSG));
    }
}
