//! A client that says exactly the bytes that a test gives it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::scene::PATIENCE;

/// A connection to the proxy.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// All of the head.
    pub(crate) head: String,
    /// The body, with its chunks taken apart.
    pub(crate) body: String,
    /// The lines after the last chunk.
    pub(crate) trailers: String,
}

impl Reply {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Client {
    /// Connects.
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// Sends bytes.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Asks for a path, on a connection that stays open.
    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.say(format!("GET {path} HTTP/1.1\r\nHost: example.test\r\n\r\n")).reply()
    }

    /// The next response.
    pub(crate) fn reply(&mut self) -> Reply {
        self.try_reply().expect("a response")
    }

    /// The next response; `None` when the connection ends before it does.
    pub(crate) fn try_reply(&mut self) -> Option<Reply> {
        let head = self.head()?;
        let status = head[9..12].parse().unwrap();
        let mut reply = Reply { status, head, body: String::new(), trailers: String::new() };
        if let Some(length) = reply.header("content-length") {
            let length = length.parse().unwrap();
            reply.body = self.take(length)?;
        } else if reply.header("transfer-encoding").is_some() {
            loop {
                let line = self.line()?;
                let size = usize::from_str_radix(line.trim(), 16).unwrap();
                if size == 0 {
                    break;
                }
                reply.body += &self.take(size)?;
                self.take(2)?;
            }
            loop {
                let line = self.line()?;
                if line == "\r\n" {
                    break;
                }
                reply.trailers += &line;
            }
        } else if reply.header("connection") == Some("close") {
            while self.more().is_some() {}
            reply.body = String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned();
        }
        Some(reply)
    }

    /// The next head.
    pub(crate) fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head += &self.line()?;
        }
        Some(head)
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Option<String> {
        while self.read.len() < count {
            self.more()?;
        }
        Some(String::from_utf8_lossy(&self.read.drain(..count).collect::<Vec<_>>()).into_owned())
    }

    /// Whether the proxy ends the connection, and says nothing before.
    pub(crate) fn is_ended(&mut self) -> bool {
        self.read.is_empty() && self.more().is_none()
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Option<()> {
        let mut bytes = [0; 16 * 1024];
        let count = match self.stream.read(&mut bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the proxy says nothing"),
            Err(_) => 0,
        };
        self.read.extend_from_slice(&bytes[..count]);
        (count > 0).then_some(())
    }
}
