//! Servers that answer nonsense: the client sees an error, never a short body that looks whole.

use std::sync::Arc;

use crate::exchange::Response;
use crate::recorder::Reply;
use crate::stage::Stage;

/// What a client gets when the server says these bytes, and then closes or not.
fn answered(bytes: &[u8], close: bool) -> (Option<Response>, Vec<u8>) {
    let reply = Reply { bytes: bytes.to_vec(), close };
    let stage = Stage::with(Arc::new(move |_: &_| reply.clone()), "[timeouts]\nresponse = \"1s\"");
    let mut client = stage.client();
    client.say(b"GET /outer HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response(false);
    // What is whole may be followed by another request; what is not ends with the connection.
    let rest =
        if response.as_ref().is_some_and(|response| response.whole) { Vec::new() } else { client.rest() };
    (response, rest)
}

/// Either an error of the proxy, or a response that the client can see is not whole.
fn is_seen_as_broken(case: &str, bytes: &[u8], close: bool) {
    let (response, rest) = answered(bytes, close);
    if let Some(response) = response {
        assert!(response.status == 502 || response.status == 504 || !response.whole, "{case}: {response:?}");
        let text = String::from_utf8_lossy(&rest);
        assert!(
            !text.contains("HTTP/1.1 200") && !response.head.contains("evil"),
            "{case}: {response:?} {text}"
        );
    }
}

#[test]
fn a_response_whose_end_two_could_see_differently_is_an_error() {
    for head in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nevil",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nevil",
        "Content-Length: 4\r\nContent-Length: 2\r\n\r\nevil",
        "Content-Length: 4, 2\r\n\r\nevil",
        "Content-Length: +4\r\n\r\nevil",
        "Content-Length: -4\r\n\r\nevil",
        "Content-Length: 0x4\r\n\r\nevil",
        "Content-Length: 99999999999999999999\r\n\r\nevil",
        "Transfer-Encoding: xchunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
        "Content-Length : 4\r\n\r\nevil",
        "Content-Length: 4\n\nevil",
        "X: a\r\n b\r\nContent-Length: 4\r\n\r\nevil",
        "X: a\0b\r\nContent-Length: 4\r\n\r\nevil",
        "X: a\rSet-Cookie: evil\r\nContent-Length: 4\r\n\r\nevil",
        "X: a\nSet-Cookie: evil\r\nContent-Length: 4\r\n\r\nevil",
        " X: a\r\nContent-Length: 4\r\n\r\nevil",
        ": a\r\nContent-Length: 4\r\n\r\nevil",
    ] {
        is_seen_as_broken(head, format!("HTTP/1.1 200 OK\r\n{head}").as_bytes(), true);
    }
}

#[test]
fn a_status_line_that_is_none_is_an_error() {
    for bytes in [
        "nonsense\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        " HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "",
        "H",
        "HTTP/1.1 200 OK\r\nContent-Le",
    ] {
        let (response, _) = answered(bytes.as_bytes(), true);
        assert_eq!(response.map(|response| response.status), Some(502), "{bytes:?}");
    }
    // A head without an end.
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: yyyyyyyyyyyyyyyy\r\n".repeat(200_000));
    assert_eq!(answered(endless.as_bytes(), true).0.map(|response| response.status), Some(502));
}

#[test]
fn a_body_cut_short_is_seen_as_cut_short() {
    for body in [
        "Content-Length: 10\r\n\r\nevil",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nevil",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0",
        "Transfer-Encoding: chunked\r\n\r\na\r\nevil",
    ] {
        is_seen_as_broken(body, format!("HTTP/1.1 200 OK\r\n{body}").as_bytes(), true);
    }
}

#[test]
fn chunks_that_are_none_are_seen_as_broken() {
    for chunks in [
        "-4\r\nevil\r\n0\r\n\r\n",
        "0x4\r\nevil\r\n0\r\n\r\n",
        "4 \nevil\r\n0\r\n\r\n",
        "4\r\nevilx\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nevil\r\n0\r\n\r\n",
        "4\nevil\n0\n\n",
        "zz\r\nevil\r\n0\r\n\r\n",
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        is_seen_as_broken(chunks, bytes.as_bytes(), false);
    }
}

#[test]
fn what_a_server_says_beyond_its_response_reaches_nobody() {
    let split = |_: &crate::strict::Request| Reply {
        bytes:
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
                .to_vec(),
        close: false,
    };
    let stage = Stage::with(Arc::new(split), "");
    let mut client = stage.client();
    for _ in 0..5 {
        client.say(b"GET /outer HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response(false).unwrap();
        assert_eq!((response.status, response.body.as_slice()), (200, &b"ok"[..]));
    }
}

#[test]
fn a_response_to_head_and_those_without_a_body_leave_nothing_behind() {
    for (method, bytes) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
        ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil"),
        ("GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil"),
    ] {
        let reply = Reply { bytes: bytes.as_bytes().to_vec(), close: false };
        let stage = Stage::with(Arc::new(move |_: &_| reply.clone()), "[timeouts]\nresponse = \"1s\"");
        let mut client = stage.client();
        for _ in 0..3 {
            client.say(format!("{method} /outer HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n").as_bytes());
            let Some(response) = client.response(method == "HEAD") else { break };
            assert!(matches!(response.status, 200 | 204 | 304 | 502), "{method} {bytes}: {response:?}");
            assert!(
                !String::from_utf8_lossy(&response.body).contains("evil"),
                "{method} {bytes}: {response:?}"
            );
            if response.status == 502 {
                break;
            }
        }
    }
}

#[test]
fn interim_responses_without_end_are_an_error() {
    let bytes = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(50_000);
    let reply = Reply { bytes, close: true };
    let stage = Stage::with(Arc::new(move |_: &_| reply.clone()), "[timeouts]\nresponse = \"1s\"");
    let mut client = stage.client();
    client.say(b"GET /outer HTTP/1.1\r\nHost: a\r\n\r\n");
    loop {
        match client.response(false) {
            Some(response) if response.status < 200 => {}
            Some(response) => break assert_eq!(response.status, 502),
            None => break,
        }
    }
}
