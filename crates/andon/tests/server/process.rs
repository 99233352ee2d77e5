//! The server as a process: readiness, and an orderly end.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::thread;

use rustix::process::Signal;

use crate::client::answer;
use crate::comparison::request;
use crate::site::{LIMIT, Site};

#[test]
fn systemd_is_told_when_it_answers_and_when_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let heard = || {
        let mut word = [0; 64];
        let length = socket.recv(&mut word).unwrap();
        String::from_utf8_lossy(&word[..length]).into_owned()
    };
    let mut site = Site::start_with(&[], &[("NOTIFY_SOCKET", &path)]);
    assert_eq!(heard(), "READY=1");
    site.signal(Signal::TERM);
    // What is under way is told in between, whenever that changes.
    let mut word = heard();
    while word.starts_with("STATUS=") {
        word = heard();
    }
    assert_eq!(word, "STOPPING=1");
    assert_eq!(site.end().code(), Some(0));
}

#[test]
fn a_request_that_was_begun_is_answered_before_the_end() {
    let mut site = Site::start();
    site.post("/v1/evaluations", &request("e")).is(201);
    let mut stream = site.connect();
    let body = crate::comparison::tick(1, 1).to_string();
    let head = format!(
        "POST /v1/evaluations/e/ticks HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Whoever says so reads the body: the request is under way.
    let mut word = [0; 25];
    std::io::Read::read_exact(&mut stream, &mut word).unwrap();
    assert!(word.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&word));
    site.signal(Signal::TERM);
    stream.write_all(body.as_bytes()).unwrap();
    let told = answer(&mut stream).is(200).json();
    assert_eq!(told["entries"], 1);
    assert_eq!(site.end().code(), Some(0));
}

#[test]
fn a_wait_does_not_hinder_the_end() {
    let mut site = Site::start();
    site.post("/v1/evaluations", &request("e")).is(201);
    let mut stream = site.connect();
    write!(stream, "GET /v1/evaluations/e?wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let waiting = thread::spawn(move || answer(&mut stream));
    site.signal(Signal::TERM);
    assert_eq!(site.end().code(), Some(0));
    // It was answered, or left: it does not wait for ever.
    waiting.join().unwrap();
}
