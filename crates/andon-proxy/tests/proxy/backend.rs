//! A server behind the proxy: a small one of our own, that does exactly what a test says and remembers what it heard.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::scene::PATIENCE;

/// A server.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    connections: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

/// A request as the server got it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// All of the head.
    pub(crate) head: String,
    /// The body with its chunks, if any, taken apart.
    pub(crate) body: Vec<u8>,
    /// The lines after the last chunk.
    pub(crate) trailers: String,
}

impl Backend {
    /// One that answers each request with what `answer` makes of it.
    pub(crate) fn answering(answer: impl Fn(&Heard) -> String + Send + Sync + 'static) -> Self {
        Self::talking(move |talk| {
            while let Some(heard) = talk.request() {
                talk.keep(&heard);
                if talk.say(&answer(&heard)).is_err() {
                    return;
                }
            }
        })
    }

    /// One that answers each request with 200 and its own name.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::answering(move |_| ok(name))
    }

    /// One that does with each connection what `talk` says.
    pub(crate) fn talking(talk: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, talk) = (Arc::new(Mutex::new(Vec::new())), Arc::new(talk));
        let (connections, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let backend = Self {
            address,
            heard: heard.clone(),
            connections: connections.clone(),
            stopped: stopped.clone(),
        };
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                let (heard, talk) = (heard.clone(), talk.clone());
                let connections = connections.clone();
                connections.fetch_add(1, SeqCst);
                thread::spawn(move || {
                    let mut conversation = Conversation { stream, read: Vec::new(), heard };
                    talk(&mut conversation);
                    drop(conversation);
                    connections.fetch_sub(1, SeqCst);
                });
            }
        });
        backend
    }

    /// What it heard so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Connections that are open.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// Listens no more.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, SeqCst);
        // Wakes the listener, which then is dropped.
        let _ = TcpStream::connect(self.address);
        crate::scene::until("a port that is closed", || {
            TcpStream::connect(self.address).is_err().then_some(())
        });
    }
}

/// A connection as the server sees it.
pub(crate) struct Conversation {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Conversation {
    /// The next request, with its body.
    pub(crate) fn request(&mut self) -> Option<Heard> {
        let mut heard = self.head()?;
        self.body(&mut heard)?;
        Some(heard)
    }

    /// The body that belongs to a head.
    pub(crate) fn body(&mut self, heard: &mut Heard) -> Option<()> {
        let lower = heard.head.to_ascii_lowercase();
        let length =
            lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if let Some(length) = length {
            while self.read.len() < length {
                self.more()?;
            }
            heard.body = self.read.drain(..length).collect();
        } else if lower.contains("\r\ntransfer-encoding: chunked\r\n") {
            loop {
                let line = self.line()?;
                let size = usize::from_str_radix(line.trim(), 16).unwrap();
                if size == 0 {
                    break;
                }
                while self.read.len() < size + 2 {
                    self.more()?;
                }
                heard.body.extend(self.read.drain(..size + 2).take(size));
            }
            loop {
                let line = self.line()?;
                if line == "\r\n" {
                    break;
                }
                heard.trailers += &line;
            }
        }
        Some(())
    }

    /// The next head.
    pub(crate) fn head(&mut self) -> Option<Heard> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head += &self.line()?;
        }
        Some(Heard { head, body: Vec::new(), trailers: String::new() })
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
        let count = self.stream.read(&mut bytes).ok().filter(|count| *count > 0)?;
        self.read.extend_from_slice(&bytes[..count]);
        Some(())
    }

    /// Remembers a request.
    pub(crate) fn keep(&self, heard: &Heard) {
        self.heard.lock().unwrap().push(heard.clone());
    }

    /// Sends bytes.
    pub(crate) fn say(&mut self, text: &str) -> std::io::Result<()> {
        self.stream.write_all(text.as_bytes())
    }

    /// Waits until the other side has closed.
    pub(crate) fn wait_for_end(&mut self) {
        while self.more().is_some() {}
    }

    /// Closes at once.
    pub(crate) fn hang_up(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// A response with this body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
