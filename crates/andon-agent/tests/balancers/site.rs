//! A web site for tests, one thread for each connection: `/hold` is answered when the test says so.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use andon_testbed::Backend;

/// What the site and the test share.
#[derive(Default)]
struct Shared {
    sick: AtomicBool,
    held: AtomicUsize,
    released: Mutex<bool>,
    changed: Condvar,
}

/// Serves for as long as the test process lives.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Site {
    pub(crate) fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let site = Self { name, address: listener.local_addr().unwrap(), shared: Arc::default() };
        let serving = site.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = serving.clone();
                thread::spawn(move || site.serve(stream));
            }
        });
        site
    }

    pub(crate) fn backend(&self) -> Backend {
        Backend { name: self.name.to_owned(), address: self.address }
    }

    /// Whether it answers `/healthz` with 503.
    pub(crate) fn set_sick(&self, sick: bool) {
        self.shared.sick.store(sick, Ordering::SeqCst);
    }

    /// Requests for `/hold` that wait.
    pub(crate) fn held(&self) -> usize {
        self.shared.held.load(Ordering::SeqCst)
    }

    /// Answers what was held, and whatever comes.
    pub(crate) fn release(&self) {
        *self.shared.released.lock().unwrap() = true;
        self.shared.changed.notify_all();
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(&stream);
        loop {
            let mut path = None;
            loop {
                let mut line = String::new();
                match reader.read_line(&mut line) {
                    Ok(length) if length > 2 => {}
                    Ok(2) => break,
                    _ => return,
                }
                path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
            }
            let status = match path.as_deref() {
                Some("/hold") => self.hold(),
                Some("/healthz") if self.shared.sick.load(Ordering::SeqCst) => "503 Sick",
                _ => "200 OK",
            };
            let (length, name) = (self.name.len(), self.name);
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{name}");
            if (&stream).write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn hold(&self) -> &'static str {
        self.shared.held.fetch_add(1, Ordering::SeqCst);
        let waiting = self.shared.released.lock().unwrap();
        let _answered = self.shared.changed.wait_while(waiting, |released| !*released).unwrap();
        self.shared.held.fetch_sub(1, Ordering::SeqCst);
        "200 OK"
    }
}

/// A user's connection, on which a request was sent.
pub(crate) struct User(TcpStream);

impl User {
    pub(crate) fn ask(address: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(crate::driver::PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: www\r\n\r\n").unwrap();
        Self(stream)
    }

    /// The first line of the answer.
    pub(crate) fn answer(&self) -> String {
        let mut line = String::new();
        BufReader::new(&self.0).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The body of the answer, which says how long it is.
    pub(crate) fn body(&self) -> String {
        let (mut reader, mut length) = (BufReader::new(&self.0), 0);
        loop {
            let mut line = String::new();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the answer breaks off");
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().unwrap();
                }
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }
}
