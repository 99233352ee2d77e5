//! A client of HTTP/1.1 that says exactly what a test wants said, and takes whatever is answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// What no answer may take longer than, on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(90);

/// An answer. Where none came, its status is 0.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Insists on a status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Insists on all of these words in the body.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> &Self {
        for words in words {
            assert!(self.body.contains(words), "{words:?} is not in {}\n{}", self.head, self.body);
        }
        self
    }

    /// Insists on none of them.
    #[track_caller]
    pub(crate) fn never_says(&self, words: &[&str]) -> &Self {
        for words in words {
            assert!(!self.body.contains(words), "{words:?} is in {}\n{}", self.head, self.body);
        }
        self
    }

    /// Insists on an error with this code, whose message holds `words`, and that says what to do next.
    #[track_caller]
    pub(crate) fn refuses(&self, code: &str, words: &str) {
        let error = &self.json()["error"];
        assert_eq!(error["code"], code, "{self:?}");
        assert!(error["message"].as_str().unwrap().contains(words), "{words:?} is not in {self:?}");
        assert!(!error["next"].as_str().unwrap().is_empty());
    }

    /// Insists that a browser is led there.
    #[track_caller]
    pub(crate) fn leads_to(&self, path: &str) {
        assert_eq!((self.status, self.header("location")), (303, path), "{self:?}");
    }

    /// The only value of a header.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let all = self.headers(name);
        assert_eq!(all.len(), 1, "{name} in {self:?}");
        all[0]
    }

    /// The values of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

/// A connection that waits no longer than an answer may take.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

/// One request with these further lines in its head.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, lines: &str, body: &[u8]) -> Answer {
    raw(address, &request(address, method, path, lines, body))
}

/// One request, of whose answer only the head is read: what follows may never end.
pub(crate) fn ask_head(address: SocketAddr, method: &str, path: &str, lines: &str) -> Answer {
    begun(&mut sent(address, &request(address, method, path, lines, b""))).0
}

fn request(address: SocketAddr, method: &str, path: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// One request, in exactly these bytes.
pub(crate) fn raw(address: SocketAddr, request: &[u8]) -> Answer {
    answer(&mut sent(address, request))
}

fn sent(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut stream = connect(address);
    // A server that has refused a request need not read all of it.
    let _ = stream.write_all(request);
    stream
}

/// Reads an answer to its end: the connection closes, or the length that the head names.
pub(crate) fn answer(stream: &mut TcpStream) -> Answer {
    let (answer, mut body) = begun(stream);
    let length: Option<usize> =
        answer.headers("content-length").first().and_then(|length| length.parse().ok());
    while length.is_none_or(|length| body.len() < length) && read_more(stream, &mut body) {}
    if answer.headers("transfer-encoding") == ["chunked"] {
        body = joined(&body);
    }
    Answer { body: String::from_utf8_lossy(&body).into_owned(), ..answer }
}

/// The head of an answer, and what came of the body with it.
fn begun(stream: &mut TcpStream) -> (Answer, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut end = None;
    while end.is_none() && read_more(stream, &mut bytes) {
        end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    }
    let body = end.map(|end| bytes.split_off(end + 4)).unwrap_or_default();
    let head = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (Answer { status, head, body: String::new() }, body)
}

/// Reads what has come; nothing at the end, which a server may make without a word.
fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> bool {
    let mut piece = [0; 64 * 1024];
    let read = stream.read(&mut piece).unwrap_or(0);
    bytes.extend_from_slice(&piece[..read]);
    read > 0
}

/// A body that came in pieces, up to where it broke off.
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = String::from_utf8_lossy(&rest[..end]);
        let length = usize::from_str_radix(length.trim(), 16).unwrap_or(0);
        if length == 0 {
            break;
        }
        let piece = &rest[end + 2..];
        whole.extend_from_slice(&piece[..length.min(piece.len())]);
        rest = piece.get(length + 2..).unwrap_or_default();
    }
    whole
}
