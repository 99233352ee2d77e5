//! HTTP/2 with prior knowledge, frame by frame: what becomes of it for a server that speaks HTTP/1.1.
//!
//! Headers are written as literals without compression, so that a test can say what no library would let it say.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::exchange::PATIENCE;
use crate::stage::Stage;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// What the proxy made of a stream.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It was answered with 200.
    Well,
    /// It was answered otherwise.
    Refused,
    /// The stream was reset, or the connection ended.
    Reset,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header block of literals without index.
fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        bytes.push(0);
        for text in [name, value] {
            bytes.push(u8::try_from(text.len()).unwrap());
            assert!(text.len() < 127, "the length has to fit into seven bits");
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

const PLAIN: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":path", "/outer"), (":authority", "a")];

/// Sends one request with these headers and pieces of body, the last of which ends the stream.
fn send(stage: &Stage, headers: &[(&str, &str)], body: &[&[u8]]) -> End {
    let mut stream = TcpStream::connect(stage.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    let ends = if body.is_empty() { END_STREAM } else { 0 };
    bytes.extend(frame(HEADERS, END_HEADERS | ends, 1, &block(headers)));
    for (number, piece) in body.iter().enumerate() {
        let ends = if number + 1 == body.len() { END_STREAM } else { 0 };
        bytes.extend(frame(DATA, ends, 1, piece));
    }
    // A proxy that has hung up in the middle has heard enough.
    let _ = stream.write_all(&bytes);
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).is_err() {
            return End::Reset;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        if stream.read_exact(&mut payload).is_err() {
            return End::Reset;
        }
        match head[3] {
            SETTINGS if head[4] & ACK == 0 => {
                let _ = stream.write_all(&frame(SETTINGS, ACK, 0, &[]));
            }
            // 0x88 is `:status: 200` in the static table.
            HEADERS if payload.contains(&0x88) && payload.iter().position(|byte| *byte == 0x88) < Some(6) => {
                return End::Well;
            }
            HEADERS => return End::Refused,
            RST_STREAM | GOAWAY => return End::Reset,
            _ => {}
        }
    }
}

/// It is refused, and nothing but the beginning of a request may have reached the server.
fn refuses(case: &str, headers: &[(&str, &str)], body: &[&[u8]]) {
    let stage = Stage::start();
    let end = send(&stage, headers, body);
    assert_ne!(end, End::Well, "{case}");
    assert!(stage.reached(case).is_empty(), "{case}: {:?}", stage.reached(case));
}

/// Either it is refused, or the server gets exactly one request, with this body and nothing smuggled.
fn is_safe(case: &str, headers: &[(&str, &str)], body: &[&[u8]]) {
    let stage = Stage::start();
    let end = send(&stage, headers, body);
    let reached = stage.reached(case);
    if end == End::Well {
        assert_eq!(reached.len(), 1, "{case}");
        assert_eq!(reached[0].body, body.concat(), "{case}");
        assert!(!reached[0].target.contains("smuggled"), "{case}: {reached:?}");
    } else {
        assert!(reached.is_empty(), "{case}: {reached:?}");
    }
}

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    PLAIN.iter().chain(more).copied().collect()
}

fn instead<'a>(name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    PLAIN.iter().map(|(own, old)| (*own, if *own == name { value } else { *old })).collect()
}

#[test]
fn a_plain_request_arrives_whole() {
    let stage = Stage::start();
    assert_eq!(send(&stage, &with(&[("content-length", "4")]), &[b"ab", b"cd"]), End::Well);
    let reached = stage.reached("plain");
    assert_eq!(
        (reached.len(), reached[0].body.as_slice(), reached[0].target.as_str()),
        (1, &b"abcd"[..], "/outer")
    );
    assert_eq!(reached[0].values("host"), ["a"]);
    assert_eq!(send(&stage, &PLAIN, &[b"no length"]), End::Well);
    assert_eq!(stage.reached("plain")[1].body, b"no length");
}

#[test]
fn a_length_that_is_not_that_of_the_body_is_refused() {
    let hidden = b"xGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for (length, body) in [
        ("1", &hidden[..]),
        ("0", hidden),
        ("100", hidden),
        ("x", b""),
        ("+1", b"x"),
        ("1, 1", b"x"),
        ("", b"x"),
    ] {
        refuses(length, &with(&[("content-length", length)]), &[body]);
    }
    refuses("two", &with(&[("content-length", "1"), ("content-length", "2")]), &[b"xy"]);
    refuses("no body", &with(&[("content-length", "4")]), &[]);
}

#[test]
fn headers_of_http_1_connections_are_refused() {
    for (name, value) in [
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("connection", "x-forwarded-for"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
    ] {
        refuses(name, &with(&[(name, value)]), &[b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"]);
    }
}

#[test]
fn names_and_values_cannot_begin_a_line() {
    for (name, value) in [
        ("x", "a\r\nTransfer-Encoding: chunked"),
        ("x", "a\nTransfer-Encoding: chunked"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        ("x: y\r\ntransfer-encoding", "chunked"),
        ("x\r\n\r\nGET /smuggled HTTP/1.1\r\nHost", "a"),
        ("x y", "a"),
        ("x:", "a"),
        ("x\0", "a"),
        ("", "a"),
        ("X-Upper", "a"),
        ("transfer-encoding ", "chunked"),
        ("\u{e9}", "a"),
    ] {
        refuses(&format!("{name:?}: {value:?}"), &with(&[(name, value)]), &[b"x"]);
    }
}

#[test]
fn pseudo_headers_cannot_write_the_request_line() {
    for path in [
        "/a b",
        "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /smuggled",
        "/\r\nx: y",
        "/\n",
        "/\0",
        "/a\tb",
        "",
        "outer",
        "http://b/",
        "/a#b",
        "*",
    ] {
        is_safe(path, &instead(":path", path), &[b"x"]);
    }
    for method in ["GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nGET", "G T", "G\r\nT", "", "GET\0", "CONNECT"] {
        refuses(method, &instead(":method", method), &[b"x"]);
    }
    for authority in ["a\r\nx: y", "a b", "a/b", "user@a", "a\0", "a,b", "a:b"] {
        refuses(authority, &instead(":authority", authority), &[b"x"]);
    }
    is_safe("scheme", &instead(":scheme", "http://b/ HTTP/1.1\r\nHost: b\r\n\r\nGET /smuggled"), &[b"x"]);
    refuses("two paths", &with(&[(":path", "/smuggled")]), &[b"x"]);
    refuses("two methods", &with(&[(":method", "GET")]), &[b"x"]);
    refuses("an unknown one", &with(&[(":x", "y")]), &[b"x"]);
    refuses("one that comes late", &[PLAIN[0], PLAIN[1], PLAIN[2], ("x", "y"), PLAIN[3]], &[b"x"]);
}

#[test]
fn the_host_agrees_with_the_authority() {
    refuses("another host", &with(&[("host", "b")]), &[b"x"]);
    refuses("two hosts", &with(&[("host", "a"), ("host", "b")]), &[b"x"]);
    refuses("no host at all", &PLAIN[..3], &[b"x"]);
    is_safe("the same host", &with(&[("host", "a")]), &[b"x"]);
    is_safe("only a host", &[PLAIN[0], PLAIN[1], PLAIN[2], ("host", "a")], &[b"x"]);
}

#[test]
fn trailers_cannot_smuggle() {
    let stage = Stage::start();
    let mut stream = TcpStream::connect(stage.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(HEADERS, END_HEADERS, 1, &block(&PLAIN)));
    bytes.extend(frame(DATA, 0, 1, b"x"));
    bytes.extend(frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        1,
        &block(&[("content-length", "9"), ("host", "b")]),
    ));
    stream.write_all(&bytes).unwrap();
    // Until the server has all that it will get: the proxy answers or resets, and either ends in a frame for stream 1.
    let mut head = [0; 9];
    loop {
        if stream.read_exact(&mut head).is_err() {
            break;
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        if stream.read_exact(&mut payload).is_err() || head[3] == GOAWAY || head[5..9] == [0, 0, 0, 1] {
            break;
        }
    }
    for request in stage.reached("trailers") {
        assert_eq!((request.body.as_slice(), request.values("host")), (&b"x"[..], vec!["a"]));
    }
}
