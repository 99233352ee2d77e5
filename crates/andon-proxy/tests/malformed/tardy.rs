//! Clients that take their time, to hold what others need.

use std::sync::Arc;

use crate::recorder::well;
use crate::stage::Stage;

const HASTE: &str = "[timeouts]\nhead = \"300ms\"\nidle = \"300ms\"\nbody = \"300ms\"";

#[test]
fn a_head_that_does_not_end_is_answered_with_408_and_never_forwarded() {
    for bytes in
        ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: ", "GET / HTTP/1.1\r\nHost: a\r\n\r"]
    {
        Stage::with(Arc::new(well), HASTE).refuses(bytes, bytes.as_bytes(), &[408]);
    }
}

#[test]
fn a_head_that_comes_byte_by_byte_has_no_more_time_than_any_other() {
    let stage = Stage::with(Arc::new(well), HASTE);
    let mut client = stage.client();
    client.say(b"GET / HTTP/1.1\r\nHost: a\r\n");
    let mut writer = client.writer();
    let trickle = std::thread::spawn(move || {
        use std::io::Write;
        // Each byte by itself would be in time.
        while writer.write_all(b"X: y\r\n").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    assert_eq!(client.response(false).unwrap().status, 408);
    let _ = client.rest();
    drop(client);
    trickle.join().unwrap();
    assert!(stage.reached("trickle").is_empty());
}

#[test]
fn a_body_that_does_not_go_on_is_never_made_whole() {
    for framing in [
        "Content-Length: 10\r\n\r\nab",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n",
    ] {
        let stage = Stage::with(Arc::new(well), HASTE);
        let mut client = stage.client();
        client.say(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}").as_bytes());
        let response = client.response(false);
        assert!(response.as_ref().is_none_or(|response| response.status == 408), "{framing}: {response:?}");
        assert!(client.ends(), "{framing}");
        assert!(stage.reached(framing).is_empty(), "{framing}");
    }
}

#[test]
fn a_client_that_says_nothing_is_let_go() {
    let stage = Stage::with(Arc::new(well), HASTE);
    let mut client = stage.client();
    assert!(client.response(false).is_none_or(|response| response.status == 408));
    assert!(client.ends());
}
