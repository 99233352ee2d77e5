//! What a web service really answers: one HTTP request over one connection, as plain as it gets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long connecting, and each read of the answer, may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const MOST: u64 = 4 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks for `path`; `None` when nobody answers, or not in HTTP.
pub(crate) fn get(address: Ipv4Addr, port: u16, path: &str) -> Option<Page> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((address, port)), LIMIT).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    stream.set_write_timeout(Some(LIMIT)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Page { status, body: body.to_owned() })
}
