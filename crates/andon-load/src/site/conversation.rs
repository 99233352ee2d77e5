//! The requests and answers of one connection, one after another.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Site;
use super::behaviour::Conduct;
use super::page::page;
use crate::content;
use crate::message::{self, Framing, Head};

/// How long a connection may rest, or a request take to come in. Longer than balancers keep connections open: who
/// closes first must be the one that sends requests.
const PATIENCE: Duration = Duration::from_secs(75);

/// The longest time that a page can be told to take.
const MAX_DELAY: Duration = Duration::from_secs(60);

const OK: &str = "200 OK";
const FAILED: &str = "500 Internal Server Error";
const TEXT: &str = "text/plain";

pub(super) struct Conversation<'a> {
    stream: BufReader<TcpStream>,
    site: &'a Site,
    conduct: &'a Conduct,
    /// Becomes true when the application is to end.
    ending: watch::Receiver<bool>,
}

/// What is said to a request.
struct Answer {
    status: &'static str,
    kind: &'static str,
    body: Vec<u8>,
    /// How long the answer takes once it has begun to be made.
    delay: Duration,
    /// How long it takes before.
    work: Duration,
}

impl Answer {
    fn new(status: &'static str, kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, kind, body: body.into(), delay: Duration::ZERO, work: Duration::ZERO }
    }
}

impl<'a> Conversation<'a> {
    pub(super) fn new(
        stream: TcpStream,
        site: &'a Site,
        conduct: &'a Conduct,
        ending: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), site, conduct, ending })
    }

    /// Answers until either side has had enough.
    pub(super) async fn hold(mut self) -> Result<(), message::Broken> {
        let broken = |error| message::Broken::Failed(0, error);
        loop {
            let head = tokio::select! {
                biased;
                head = timeout(PATIENCE, Head::read(&mut self.stream)) => head,
                // Nobody speaks at this moment.
                _ = self.ending.wait_for(|ending| *ending) => return Ok(()),
            };
            let Ok(head) = head else { return Ok(()) };
            let head = head?;
            let framing = head.framing()?.unwrap_or(Framing::Length(0));
            if head.field("expect").is_some() {
                self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(broken)?;
            }
            let body = timeout(PATIENCE, message::body(&mut self.stream, framing, head.bytes)).await;
            let Ok(body) = body else { return Ok(()) };
            let answer = answer(&head, &body?, self.site, self.conduct);
            let closes = head.closes() || *self.ending.borrow();
            self.send(&head, answer, closes).await.map_err(broken)?;
            if closes {
                return self.stream.shutdown().await.map_err(broken);
            }
        }
    }

    /// A slow answer says nothing for half of its time, and falls silent in the middle for the other half.
    async fn send(&mut self, request: &Head, answer: Answer, closes: bool) -> io::Result<()> {
        let Answer { status, kind, body, delay, work } = answer;
        if !work.is_zero() {
            sleep(work).await;
        }
        let Site { port, release, .. } = self.site;
        // The length of a slow answer is not known in advance, as it is in life; the old protocol has no chunks.
        let chunked = !delay.is_zero() && request.first.ends_with("HTTP/1.1");
        let framing = match chunked {
            true => "Transfer-Encoding: chunked".to_owned(),
            false => format!("Content-Length: {}", body.len()),
        };
        let connection = if closes { "close" } else { "keep-alive" };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nServed-By: {port} {release}\r\n\
             Connection: {connection}\r\n{framing}\r\n\r\n"
        );
        let mut first = head.into_bytes();
        if request.first.starts_with("HEAD ") {
            return self.stream.write_all(&first).await;
        }
        let (early, late) = body.split_at(if delay.is_zero() { body.len() } else { body.len() / 2 });
        append(&mut first, early, chunked);
        sleep(delay / 2).await;
        self.stream.write_all(&first).await?;
        if delay.is_zero() {
            return Ok(());
        }
        sleep(delay / 2).await;
        let mut second = Vec::new();
        append(&mut second, late, chunked);
        if chunked {
            second.extend_from_slice(b"0\r\n\r\n");
        }
        self.stream.write_all(&second).await
    }
}

/// Adds a part of a body. An empty chunk would be the last one.
fn append(message: &mut Vec<u8>, part: &[u8], chunked: bool) {
    if !chunked {
        message.extend_from_slice(part);
    } else if !part.is_empty() {
        message.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        message.extend_from_slice(part);
        message.extend_from_slice(b"\r\n");
    }
}

fn answer(head: &Head, body: &[u8], site: &Site, conduct: &Conduct) -> Answer {
    let mut words = head.first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match (method, path) {
        ("POST", "/upload") => Answer::new(OK, TEXT, content::receipt(body)),
        ("GET" | "HEAD", "/healthz") => Answer::new(OK, TEXT, "ok\n"),
        ("GET" | "HEAD", "/text") => {
            let asked = |name| parameter(query, name).unwrap_or_default();
            let bytes = usize::try_from(asked("bytes")).unwrap_or(usize::MAX);
            let delay = Duration::from_millis(asked("ms")).min(MAX_DELAY);
            let fare = conduct.page(asked("number"));
            let answer = match fare.fails {
                true => Answer::new(FAILED, TEXT, "This went wrong.\n"),
                false => Answer { delay, ..Answer::new(OK, TEXT, content::text(asked("number"), bytes)) },
            };
            Answer { work: fare.cost, ..answer }
        }
        ("GET" | "HEAD", path) => match page(&site.pages, path) {
            Some(body) => Answer::new(OK, "text/html", body),
            None => Answer::new("404 Not Found", TEXT, "There is no such page.\n"),
        },
        _ => Answer::new("405 Method Not Allowed", TEXT, "Only GET and HEAD, and POST to /upload.\n"),
    }
}

/// A number from a query like `a=1&b=2`.
fn parameter(query: &str, name: &str) -> Option<u64> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(own, _)| *own == name)?.1.parse().ok()
}
