//! Request lines and headers: line ends, names, hosts, versions and sizes.

use crate::stage::Stage;

fn get(headers: &str) -> Vec<u8> {
    format!("GET /outer HTTP/1.1\r\n{headers}\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

#[test]
fn a_line_that_does_not_end_with_cr_lf_is_refused() {
    for bytes in [
        "GET /outer HTTP/1.1\nHost: a\n\n",
        "GET /outer HTTP/1.1\r\nHost: a\n\r\n",
        "GET /outer HTTP/1.1\r\nHost: a\r\n\n",
        "GET /outer HTTP/1.1\nHost: a\r\n\r\n",
        "GET /outer HTTP/1.1\rHost: a\r\n\r\n",
        "GET /outer HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
        "GET /outer HTTP/1.1\r\nHost: a\r\nX: y\r\r\n\r\n",
        "GET /outer HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET /outer HTTP/1.1\r\nHost: a\r\nX: y\r\0\n\r\n",
    ] {
        Stage::start().refuses(&format!("{bytes:?}"), bytes.as_bytes(), &[400]);
    }
}

#[test]
fn a_header_that_two_could_read_differently_is_refused() {
    for header in [
        "X: a\0b",
        "X: \u{1}",
        "X: a\u{7f}b",
        "X: a\u{8}",
        "X\0: a",
        "X : a",
        "X\t: a",
        " X: a",
        ": a",
        " : a",
        "no colon",
        "X(y): a",
        "X/y: a",
        "X\u{e9}: a",
        "X\"y\": a",
        "X: a\r\n folded",
        "X: a\r\n\tfolded",
        "X:\r\n a",
        "=: a\r\n\0",
        "GET /smuggled HTTP/1.1",
    ] {
        Stage::start().refuses(header, &get(&format!("Host: a\r\n{header}\r\n")), &[400]);
        Stage::start().refuses(header, &get(&format!("{header}\r\nHost: a\r\n")), &[400]);
    }
}

#[test]
fn there_is_exactly_one_host_and_it_is_one() {
    for headers in [
        "",
        "X: y\r\n",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nHost: b\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a, b\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: user@a\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: a\\b\r\n",
        "Host: a:b\r\n",
        "Host: a:80:80\r\n",
        "Host: a:99999\r\n",
        "Host: http://a\r\n",
        "Host: a\r\n b\r\n",
        "Host : a\r\n",
        " Host: a\r\n",
    ] {
        Stage::start().refuses(headers, &get(headers), &[400]);
    }
}

#[test]
fn an_absolute_target_agrees_with_the_host_or_is_refused() {
    let bytes = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n").into_bytes();
    for target in [
        "http://b.example/",
        "http://a.example@b.example/",
        "http://user@a.example/",
        "http://a.example:81/",
        "http:///x",
        "http:/a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "//b.example/x y",
        "a.example",
        "a.example:80",
        "*x",
        "?x",
        "x/y",
    ] {
        Stage::start().refuses(target, &bytes(target), &[400]);
    }
    let request = Stage::start().passes("absolute", &bytes("http://a.example/x?y"), b"");
    assert_eq!((request.target.as_str(), request.values("host")), ("/x?y", vec!["a.example"]));
}

#[test]
fn a_request_line_that_is_none_is_refused() {
    for line in [
        "GET /outer",
        "GET  /outer HTTP/1.1",
        "GET /outer  HTTP/1.1",
        "GET\t/outer HTTP/1.1",
        " GET /outer HTTP/1.1",
        "GET /outer HTTP/1.1 ",
        "GET /a b HTTP/1.1",
        "GET /a\tb HTTP/1.1",
        "GET /a\0b HTTP/1.1",
        "GET /a\u{7f} HTTP/1.1",
        "GET /a\u{b}b HTTP/1.1",
        "GET /outer#fragment HTTP/1.1",
        "GET HTTP/1.1",
        " HTTP/1.1",
        "G(T /outer HTTP/1.1",
        "GET\0 /outer HTTP/1.1",
        "GET /outer http/1.1",
        "GET /outer HTTP/1,1",
        "GET /outer HTTP/1.1x",
        "GET /outer HTTP/01.1",
        "GET /outer HTTP/1.01",
        "GET /outer HTTP/ 1.1",
        "GET /outer XTTP/1.1",
        "\u{16}\u{3}\u{1}",
        "SSH-2.0-x",
    ] {
        Stage::start().refuses(line, format!("{line}\r\nHost: a\r\n\r\n").as_bytes(), &[400, 505]);
    }
}

#[test]
fn a_version_that_is_not_spoken_is_refused() {
    for (line, statuses) in [
        ("GET /outer HTTP/1.2", &[400, 505][..]),
        ("GET /outer HTTP/0.9", &[400, 505]),
        ("GET /outer HTTP/2.0", &[400, 505]),
        ("GET /outer HTTP/2", &[400, 505]),
        ("GET /outer HTTP/3.0", &[400, 505]),
        ("GET /outer HTTP/9.9", &[400, 505]),
    ] {
        Stage::start().refuses(line, format!("{line}\r\nHost: a\r\n\r\n").as_bytes(), statuses);
    }
    Stage::start().refuses("HTTP/0.9", b"GET /outer\r\n\r\n", &[400, 505]);
}

#[test]
fn http_1_0_reaches_the_server_as_http_1_1_and_never_with_an_encoding() {
    let encoded = "POST /outer HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    Stage::start().refuses("1.0 with an encoding", encoded.as_bytes(), &[400, 501]);
    let stage = Stage::start();
    stage.passes("1.0", b"POST /outer HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", b"ab");
    let mut client = stage.client();
    client.say(b"GET /outer HTTP/1.0\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_eq!(client.response(false).unwrap().status, 200);
    assert!(client.ends());
    assert!(stage.reached("1.0").iter().all(|request| request.target == "/outer"));
}

#[test]
fn what_is_too_large_is_told_so() {
    let long = "a".repeat(20 * 1024);
    let cases = [
        ("the target", format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        ("the target without an end", format!("GET /{}", "a".repeat(1 << 20)), 414),
        ("one header", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), 431),
        ("a header without an end", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(1 << 20)), 431),
        ("a name", format!("GET / HTTP/1.1\r\nHost: a\r\n{long}: x\r\n\r\n"), 431),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(101)), 431),
        ("endless headers", format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "X: y\r\n".repeat(100_000)), 431),
        (
            "all of the head",
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", format!("X: {}\r\n", "a".repeat(1000)).repeat(30)),
            431,
        ),
    ];
    for (case, bytes, status) in cases {
        Stage::start().refuses(case, bytes.as_bytes(), &[status]);
    }
    Stage::start().refuses("a method without an end", "G".repeat(1 << 20).as_bytes(), &[400, 414, 431]);
    let limited = Stage::with(std::sync::Arc::new(crate::recorder::well), "[limits]\nbody_bytes = 10");
    limited.refuses("a body", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", &[413]);
}

#[test]
fn headers_of_one_hop_do_not_reach_the_server() {
    let bytes = get(
        "Host: a\r\nConnection: keep-alive, X-Secret\r\nKeep-Alive: timeout=5\r\nX-Secret: 1\r\nProxy-Connection: close\r\n\
         TE: gzip\r\nX-Kept: 1\r\n",
    );
    let stage = Stage::start();
    let mut client = stage.client();
    client.say(&bytes);
    assert_eq!(client.response(false).unwrap().status, 200);
    let request = &stage.reached("hop by hop")[0];
    for gone in ["x-secret", "keep-alive", "proxy-connection", "te"] {
        assert!(request.values(gone).is_empty(), "{gone}: {request:?}");
    }
    assert_eq!(request.values("x-kept"), ["1"]);
}

#[test]
fn connection_cannot_be_used_to_remove_what_frames_or_names_the_request() {
    for name in ["Host", "Content-Length", "Transfer-Encoding", "X-Forwarded-For", "close, Host"] {
        let bytes = format!(
            "POST /outer HTTP/1.1\r\nHost: a\r\nConnection: {name}\r\nContent-Length: 2\r\n\r\nabGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        let stage = Stage::start();
        let mut client = stage.client();
        client.say(bytes.as_bytes());
        let response = client.response(false).unwrap();
        let reached = stage.reached(name);
        match response.status {
            200 => {
                assert_eq!(reached[0].body, b"ab", "{name}");
                assert_eq!(reached[0].values("host"), ["a"], "{name}");
                assert_eq!(reached[0].values("x-forwarded-for").len(), 1, "{name}");
            }
            status => assert_eq!((status, reached.len()), (400, 0), "{name}"),
        }
    }
}
