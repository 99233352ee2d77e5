//! Heads of requests and responses that two readers could take differently.

use proptest::prelude::*;

use super::*;
use crate::fuzz::in_pieces;

const BOUNDS: Bounds = Bounds { bytes: 16 * 1024, fields: 100, target: 8 * 1024 };

fn request(text: &str) -> Result<RequestHead, Refusal> {
    let end =
        Scan::default().end(text.as_bytes(), &BOUNDS)?.ok_or(Refusal::new(0, "there is more to come"))?;
    RequestHead::parse(Bytes::copy_from_slice(&text.as_bytes()[..end]), &BOUNDS)
}

fn response(text: &str) -> Result<ResponseHead, Refusal> {
    let end =
        Scan::default().end(text.as_bytes(), &BOUNDS)?.ok_or(Refusal::new(0, "there is more to come"))?;
    ResponseHead::parse(Bytes::copy_from_slice(&text.as_bytes()[..end]), false)
}

#[test]
fn the_parts_of_a_request_are_found() {
    let head = request(
        "POST /a?b HTTP/1.1\r\nhOsT:example.test:80\r\nContent-Length:  12\t\r\nX: \tspaced out \r\n\
         Connection: close\r\nX-Request-Id: 7\r\n\r\nbody",
    )
    .unwrap();
    assert_eq!((head.part(head.method), head.part(head.target)), (&b"POST"[..], &b"/a?b"[..]));
    assert_eq!((head.part(head.host), head.framing), (&b"example.test:80"[..], Framing::Length(12)));
    assert_eq!((head.keep_alive, head.is_11, head.expects_continue), (false, true, false));
    assert_eq!(head.part(head.fields[2].value), b"spaced out");
    assert_eq!(head.value(Known::RequestId), b"7");
}

#[test]
fn the_end_of_a_response_is_known() {
    for (text, framing, keep_alive) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Framing::Length(3), true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", Framing::Chunked, true),
        ("HTTP/1.1 200\r\n\r\n", Framing::Close, false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", Framing::Length(3), false),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", Framing::None, true),
        ("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", Framing::None, false),
    ] {
        let head = response(text).unwrap();
        assert_eq!((head.framing, head.keep_alive), (framing, keep_alive), "{text}");
    }
    for senseless in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 O\x01K\r\n\r\n",
    ] {
        assert!(response(senseless).is_err(), "{senseless}");
    }
}

#[test]
fn a_head_that_is_too_large_is_refused_the_same_in_pieces() {
    let start = "GET / HTTP/1.1\r\n";
    let long = |bytes: usize| format!("{start}X: {}", "y".repeat(bytes));
    for (text, refused) in [
        (format!("{start}{}\r\n", "X: y\r\n".repeat(100)), None),
        (format!("{start}{}\r\n", "X: y\r\n".repeat(101)), Some("there are too many headers")),
        (format!("{}\r\n\r\n", long(BOUNDS.bytes - start.len() - 7)), None),
        (
            format!("{}\r\n\r\n", long(BOUNDS.bytes - start.len() - 6)),
            Some("the head of the request is too long"),
        ),
        (format!("{}\n", long(BOUNDS.bytes)), Some("the head of the request is too long")),
        (format!("GET /{}\n", "y".repeat(BOUNDS.target + 64)), Some("the request target is too long")),
    ] {
        let found = Scan::default().end(text.as_bytes(), &BOUNDS);
        assert_eq!(found.as_ref().err().map(|refusal| refusal.why), refused);
        for step in [1, 7, 1000] {
            assert_eq!(in_pieces(text.as_bytes(), step, &BOUNDS), found, "pieces of {step} bytes");
        }
    }
}

proptest! {
    /// Whatever comes, in whatever pieces: no panic, and the pieces do not matter.
    #[test]
    fn a_head_is_read_the_same_in_pieces(
        bytes in proptest::collection::vec(
            prop_oneof![
                Just(b"GET / HTTP/1.1\r\n".to_vec()), Just(b"Host: x\r\n".to_vec()), Just(b"\r\n".to_vec()),
                Just(b"Content-Length: 1\r\n".to_vec()), Just(b"\n".to_vec()), Just(b" ".to_vec()),
                proptest::collection::vec(any::<u8>(), 0..4),
            ],
            0..8,
        ),
        step in 1_usize..7,
    ) {
        let bytes = bytes.concat();
        let whole = Scan::default().end(&bytes, &BOUNDS);
        let pieces = in_pieces(&bytes, step, &BOUNDS);
        prop_assert_eq!(&whole, &pieces);
        if let Ok(Some(end)) = whole {
            let _ = RequestHead::parse(Bytes::copy_from_slice(&bytes[..end]), &BOUNDS);
            let _ = ResponseHead::parse(Bytes::copy_from_slice(&bytes[..end]), false);
        }
    }
}
