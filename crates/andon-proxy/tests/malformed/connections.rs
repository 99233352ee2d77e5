//! Several requests on one connection, upgrades, CONNECT and expectations.

use std::sync::Arc;

use crate::recorder::Reply;
use crate::stage::Stage;

#[test]
fn what_stands_behind_a_refused_request_is_not_read() {
    let bad = "POST /outer HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n";
    let good = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    Stage::start().refuses("behind", format!("{bad}{good}").as_bytes(), &[400]);
    // Behind one that was well, one that is refused, and one more.
    let stage = Stage::start();
    let mut client = stage.client();
    client.say(format!("GET /first HTTP/1.1\r\nHost: a\r\n\r\n{bad}{good}").as_bytes());
    assert_eq!(client.response(false).unwrap().status, 200);
    assert_eq!(client.response(false).unwrap().status, 400);
    assert!(client.ends());
    assert_eq!(stage.reached("three").len(), 1);
}

#[test]
fn an_empty_line_before_a_request_changes_nothing() {
    let stage = Stage::start();
    let response = stage.is_safe_with("an empty line", b"\r\nGET /outer HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(matches!(response.unwrap().status, 200 | 400));
    Stage::start().is_safe_with(
        "many",
        &[b"\r\n".repeat(1000), b"GET /outer HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()].concat(),
    );
}

#[test]
fn nobody_gets_a_tunnel_by_connect() {
    for target in ["b.example:443", "127.0.0.1:22", "/outer", "a:1"] {
        let bytes = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        Stage::start().refuses(target, bytes.as_bytes(), &[400, 405, 501]);
    }
}

#[test]
fn trace_does_not_reveal_what_the_proxy_adds() {
    let response = Stage::start().is_safe_with("TRACE", b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(matches!(response.unwrap().status, 200 | 405 | 501));
}

#[test]
fn nobody_gets_http_2_by_an_upgrade() {
    let bytes = b"GET /outer HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                  HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n";
    let stage = Stage::start();
    stage.is_safe_with("h2c", bytes);
    for request in stage.reached("h2c") {
        assert!(
            request.values("upgrade").is_empty() && request.values("http2-settings").is_empty(),
            "{request:?}"
        );
    }
}

#[test]
fn the_preface_of_http_2_within_http_1_is_refused() {
    let stage = Stage::start();
    let mut client = stage.client();
    client.say(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(client.response(false).unwrap().status, 200);
    assert!(client.response(false).is_some_and(|response| response.status >= 400));
    assert!(client.ends());
    assert_eq!(stage.reached("preface").len(), 1);
}

#[test]
fn a_server_that_does_not_switch_gets_no_tunnel() {
    // It answers 200 to an upgrade; what the client says next is a request again, and is read as one.
    let stage = Stage::start();
    let mut client = stage.client();
    client.say(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.response(false).unwrap().status, 200);
    client.say(b"NOT HTTP AT ALL\n\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.response(false).is_none_or(|response| response.status == 400));
    assert!(client.ends());
    assert_eq!(stage.reached("no switch").len(), 1);
}

#[test]
fn an_upgrade_with_a_body_is_unambiguous() {
    for framing in ["Content-Length: 2\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"] {
        let bytes = format!(
            "POST /outer HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{framing}"
        );
        Stage::start().is_safe_with(framing, bytes.as_bytes());
    }
}

#[test]
fn bytes_sent_before_the_switch_are_not_a_request_for_the_server_until_it_switched() {
    let stage = Stage::start();
    let mut client = stage.client();
    client.say(
        b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\
          DELETE /smuggled HTTP/1.1\r\nHost : a\r\n\r\n",
    );
    assert_eq!(client.response(false).unwrap().status, 200);
    assert!(client.response(false).is_none_or(|response| response.status == 400));
    assert_eq!(stage.reached("early bytes").len(), 1);
}

#[test]
fn a_switch_that_nobody_asked_for_is_an_error() {
    let switch = |_: &crate::strict::Request| {
        Reply {
        bytes: b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil".to_vec(),
        close: false,
    }
    };
    let stage = Stage::with(Arc::new(switch), "");
    let mut client = stage.client();
    client.say(b"GET /outer HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response(false).unwrap().status, 502);
}

#[test]
fn an_expectation_is_known_or_refused() {
    for expectation in ["200-ok", "100-continue, x", "x=y", ""] {
        let bytes = format!(
            "POST /outer HTTP/1.1\r\nHost: a\r\nExpect: {expectation}\r\nContent-Length: 2\r\n\r\nab"
        );
        let response = Stage::start().is_safe_with(expectation, bytes.as_bytes());
        assert!(response.is_some_and(|response| matches!(response.status, 200 | 400 | 417)), "{expectation}");
    }
}

#[test]
fn a_client_that_expects_to_be_told_is_told_or_answered() {
    let stage = Stage::start();
    let mut client = stage.client();
    client.say(b"POST /outer HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    let first = client.response(false).unwrap();
    assert_eq!(first.status, 100);
    client.say(b"ab");
    assert_eq!(client.response(false).unwrap().status, 200);
    assert_eq!(stage.reached("expect")[0].body, b"ab");
}
