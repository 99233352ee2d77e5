//! A client that says exactly the bytes it is given, and reads what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A response as the client reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    /// The status.
    pub(crate) status: u16,
    /// The head as it came.
    pub(crate) head: String,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
    /// Whether all of the body came that was announced.
    pub(crate) whole: bool,
}

/// A connection to the proxy.
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
    ended: bool,
}

impl Client {
    /// Connects.
    pub(crate) fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new(), ended: false }
    }

    /// Says the bytes. A proxy that has hung up in the middle of them has heard enough.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The other half, to go on speaking while this one listens.
    pub(crate) fn writer(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// The next response; `None` when the connection ends without one.
    pub(crate) fn response(&mut self, head_only: bool) -> Option<Response> {
        let end = loop {
            match find(&self.unread, b"\r\n\r\n") {
                Some(at) => break at + 4,
                None if !self.more() => return None,
                None => {}
            }
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
        self.unread.drain(..end);
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let value = |name: &str| {
            head.lines().find_map(|line| {
                let (own, value) = line.split_once(':')?;
                own.eq_ignore_ascii_case(name).then(|| value.trim().to_ascii_lowercase())
            })
        };
        let bodiless = head_only || matches!(status, 100..=199 | 204 | 304);
        let (body, whole) = if bodiless {
            (Vec::new(), true)
        } else if value("transfer-encoding").is_some() {
            self.chunks()
        } else if let Some(length) = value("content-length") {
            self.exactly(length.parse().unwrap())
        } else {
            while self.more() {}
            (std::mem::take(&mut self.unread), true)
        };
        Some(Response { status, head, body, whole })
    }

    /// Whether the proxy ends the connection, now or soon, without another byte.
    pub(crate) fn ends(&mut self) -> bool {
        self.unread.is_empty() && !self.more()
    }

    /// All that comes until the end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.unread)
    }

    fn exactly(&mut self, length: usize) -> (Vec<u8>, bool) {
        while self.unread.len() < length && self.more() {}
        let there = length.min(self.unread.len());
        (self.unread.drain(..there).collect(), there == length)
    }

    fn chunks(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            let end = loop {
                match find(&self.unread, b"\r\n") {
                    Some(at) => break at,
                    None if !self.more() => return (body, false),
                    None => {}
                }
            };
            let line: Vec<u8> = self.unread.drain(..end + 2).collect();
            let size = String::from_utf8_lossy(&line[..end]).into_owned();
            let Ok(size) = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
            else {
                return (body, false);
            };
            let (data, whole) = self.exactly(size + 2);
            if !whole {
                return (body, false);
            }
            if size == 0 {
                return (body, true);
            }
            body.extend_from_slice(&data[..size]);
        }
    }

    /// Reads more; says whether there was any.
    fn more(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        while !self.ended {
            match self.stream.read(&mut piece) {
                Ok(0) => self.ended = true,
                Ok(read) => {
                    self.unread.extend_from_slice(&piece[..read]);
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("the proxy kept the connection open and said nothing for {PATIENCE:?}");
                }
                Err(_) => self.ended = true,
            }
        }
        false
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
