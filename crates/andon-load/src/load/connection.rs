//! One connection of the load: sends a request, and checks what comes back to the last byte.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::content;
use crate::message::{self, Broken, Framing, Head};
use crate::mix::{Kind, Request};
use crate::tally::Fault;

/// The most bytes of a bad answer that a failure quotes.
const QUOTED: usize = 60;

/// An open connection.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    /// Our side's port.
    pub(super) local_port: u16,
    /// Whether it has served a request before.
    pub(super) reused: bool,
}

/// How a request has ended over a connection.
pub(super) struct Ending {
    /// Who answered, in its own words.
    pub(super) server: Option<String>,
    /// Whether the connection may serve another request.
    pub(super) stays_open: bool,
    /// Why it is no success.
    pub(super) fault: Option<Fault>,
}

/// What an idle connection is good for.
pub(super) enum Idle {
    /// Another request.
    Usable,
    /// The server has closed it, as it may.
    Closed,
    /// Nothing: something came that nobody had asked for.
    Disturbed,
}

impl Connection {
    pub(super) async fn open(target: SocketAddr) -> Result<Self, Fault> {
        let stream = TcpStream::connect(target).await.map_err(|error| Fault::Connect(error.to_string()))?;
        // Without it a small body waits for the acknowledgement of the head, which is nobody's fault but ours.
        let set = stream.set_nodelay(true).and_then(|()| stream.local_addr());
        let local_port = set.map_err(|error| Fault::Connect(error.to_string()))?.port();
        Ok(Self { stream: BufReader::new(stream), local_port, reused: false })
    }

    /// Looks whether a connection that has rested can be used once more.
    pub(super) fn idle(&self) -> Idle {
        if !self.stream.buffer().is_empty() {
            return Idle::Disturbed;
        }
        match self.stream.get_ref().try_read(&mut [0]) {
            Ok(0) => Idle::Closed,
            Ok(_) => Idle::Disturbed,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Idle::Usable,
            Err(_) => Idle::Closed,
        }
    }

    /// Sends a request and reads the answer to its end.
    pub(super) async fn exchange(&mut self, request: &Request, host: SocketAddr) -> Ending {
        let sent = self.send(request, host).await;
        // An answer may have come although not all was sent: a balancer that refuses an upload.
        let mut server = None;
        let received = self.receive(request, &mut server).await;
        let fault = match (sent, received) {
            (_, Ok(stays_open)) => return Ending { server, stays_open, fault: None },
            (Err(error), Err(Fault::NoAnswer | Fault::Reset { received: 0, .. })) => {
                Fault::Send(error.to_string())
            }
            (_, Err(fault)) => fault,
        };
        Ending { server, stays_open: false, fault: Some(fault) }
    }

    async fn send(&mut self, request: &Request, host: SocketAddr) -> io::Result<()> {
        let number = request.number;
        let (first, body): (String, &[u8]) = match request.kind {
            Kind::Page(bytes) => (format!("GET /text?number={number}&bytes={bytes}"), &[]),
            Kind::Slow(bytes, time) => {
                (format!("GET /text?number={number}&bytes={bytes}&ms={}", time.as_millis()), &[])
            }
            Kind::Upload(bytes) => ("POST /upload".to_owned(), content::upload(number, bytes)),
        };
        let length = match request.kind {
            Kind::Upload(_) => format!("Content-Length: {}\r\n", body.len()),
            Kind::Page(_) | Kind::Slow(..) => String::new(),
        };
        let close = if request.fresh { "Connection: close\r\n" } else { "" };
        let head = format!("{first} HTTP/1.1\r\nHost: {host}\r\n{length}{close}\r\n");
        let mut message = head.into_bytes();
        message.extend_from_slice(body);
        self.stream.write_all(&message).await
    }

    /// Answers whether the connection may serve another request.
    async fn receive(&mut self, request: &Request, server: &mut Option<String>) -> Result<bool, Fault> {
        let head = self.head().await?;
        *server = head.field("served-by").map(|by| by.chars().take(QUOTED).collect());
        let framing = head.framing().map_err(fault)?.unwrap_or(Framing::UntilClose);
        let body = message::body(&mut self.stream, framing, head.bytes).await.map_err(fault)?;
        let status = status(&head)?;
        if !(200..300).contains(&status) {
            return Err(Fault::Status { status, reason: quote(&body) });
        }
        let wanted = match request.kind {
            Kind::Page(bytes) | Kind::Slow(bytes, _) => content::text(request.number, bytes),
            Kind::Upload(bytes) => content::receipt(content::upload(request.number, bytes)).into_bytes(),
        };
        if body != wanted {
            let (got, due) = (body.len(), wanted.len());
            return Err(Fault::WrongBody(format!("{} ({got} bytes, {due} were due)", quote(&body))));
        }
        Ok(!request.fresh && !head.closes() && framing != Framing::UntilClose)
    }

    /// The head of the answer, after any interim ones.
    async fn head(&mut self) -> Result<Head, Fault> {
        loop {
            let head = Head::read(&mut self.stream).await.map_err(fault)?;
            if !(100..200).contains(&status(&head)?) {
                return Ok(head);
            }
        }
    }
}

fn status(head: &Head) -> Result<u16, Fault> {
    let mut words = head.first.split(' ');
    let version = words.next().unwrap_or_default();
    let status = words.next().unwrap_or_default();
    let number = status.parse().ok().filter(|_| status.len() == 3 && version.starts_with("HTTP/1."));
    number.ok_or_else(|| Fault::Senseless(format!("{:?} as the first line", quote(head.first.as_bytes()))))
}

fn fault(broken: Broken) -> Fault {
    match broken {
        Broken::Closed(0) => Fault::NoAnswer,
        Broken::Closed(received) => Fault::Short { received },
        Broken::Failed(received, why) => Fault::Reset { received, why: why.to_string() },
        Broken::Senseless(what) => Fault::Senseless(what),
    }
}

/// The beginning of a body, on one line.
fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(QUOTED)]);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
