//! Requests and responses, as the two sides see them.

use std::sync::mpsc;

use andon_proxy::access::End;

use crate::backend::{Backend, ok};
use crate::client::Client;
use crate::scene::{Scene, servers, until};

#[test]
fn a_request_reaches_the_server_and_the_response_the_client() {
    let backend =
        Backend::answering(|_| "HTTP/1.1 201 Made\r\nX-Own: 1\r\nContent-Length: 5\r\n\r\nhello".into());
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    let reply = client
        .say("POST /a?b=c HTTP/1.1\r\nHost: example.test\r\nX-Mine: y\r\nContent-Length: 3\r\n\r\nabc")
        .reply();
    assert_eq!((reply.status, reply.body.as_str(), reply.header("x-own")), (201, "hello", Some("1")));
    assert!(reply.head.starts_with("HTTP/1.1 201 Made\r\n"), "{}", reply.head);
    let heard = backend.heard();
    assert!(heard[0].head.starts_with("POST /a?b=c HTTP/1.1\r\nHost: example.test\r\n"), "{}", heard[0].head);
    assert!(heard[0].head.contains("\r\nX-Mine: y\r\n"));
    assert_eq!(heard[0].body, b"abc");
    let line = scene.log.first();
    assert_eq!((line.status, line.received, line.sent, line.end), (201, 3, 5, End::Complete));
    assert_eq!((line.server.as_deref(), line.tries, line.target.as_str()), (Some("a"), 1, "/a?b=c"));
    let counters = scene.sight("a").counters.unwrap();
    assert_eq!((counters.requests, counters.responses[2], counters.bytes), (1, 1, 5));
    assert_eq!(counters.latency.unwrap().count(), 1);
}

#[test]
fn connections_are_kept_on_both_sides() {
    let backend = Backend::named("a");
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    for _ in 0..50 {
        assert_eq!(client.get("/").body, "a");
    }
    assert_eq!(backend.connections(), 1);
    until("nothing under way", || (scene.sight("a").sessions == Some(0)).then_some(()));
}

#[test]
fn requests_sent_ahead_are_answered_in_their_order() {
    let backend = Backend::answering(|heard| ok(heard.head.split(' ').nth(1).unwrap()));
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    client.say([one("/1"), one("/2"), one("/3")].concat());
    assert_eq!(["/1", "/2", "/3"].map(|_| client.reply().body), ["/1", "/2", "/3"]);
}

#[test]
fn headers_that_end_at_a_proxy_are_not_passed_on() {
    let backend = Backend::answering(|_| {
        "HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n".into()
    });
    let scene = Scene::before(&[&backend]);
    let reply = Client::to(scene.address)
        .say(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, x-secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\n\
             Proxy-Connection: keep-alive\r\nTE: trailers\r\nX-Kept: 1\r\n\r\n",
        )
        .reply();
    assert_eq!(
        (reply.header("x-hop"), reply.header("keep-alive"), reply.header("connection")),
        (None, None, None)
    );
    let head = backend.heard()[0].head.to_ascii_lowercase();
    for gone in ["x-secret", "keep-alive", "proxy-connection", "\r\nte:", "connection"] {
        assert!(!head.contains(gone), "{gone} in {head}");
    }
    assert!(head.contains("x-kept: 1") && head.contains("via: 1.1 andon"));
}

#[test]
fn what_a_stranger_says_about_the_client_is_replaced() {
    let backend = Backend::named("a");
    let scene = Scene::before(&[&backend]);
    let claims = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /x\r\n\
                  Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n";
    Client::to(scene.address).say(format!("GET / HTTP/1.1\r\nHost: h.test:81\r\n{claims}\r\n")).reply();
    let head = backend.heard()[0].head.clone();
    assert!(!head.contains("6.6.6.6") && !head.contains("Prefix"), "{head}");
    for said in
        ["X-Forwarded-For: 127.0.0.1\r\n", "X-Forwarded-Proto: http\r\n", "X-Forwarded-Host: h.test:81\r\n"]
    {
        assert!(head.contains(said), "{head}");
    }
}

#[test]
fn what_a_trusted_proxy_says_about_the_client_is_added_to() {
    let backend = Backend::named("a");
    let scene = Scene::with("forwarded = { trusted = [\"127.0.0.0/8\"] }", &servers(&[&backend]));
    let claims = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\n";
    Client::to(scene.address).say(format!("GET / HTTP/1.1\r\nHost: h\r\n{claims}\r\n")).reply();
    let head = backend.heard()[0].head.clone();
    for said in [
        "X-Forwarded-For: 6.6.6.6, 127.0.0.1\r\n",
        "X-Forwarded-Proto: https\r\n",
        "Forwarded: for=6.6.6.6, for=127.0.0.1;proto=http\r\n",
        "X-Forwarded-Host: h\r\n",
    ] {
        assert!(head.contains(said), "{said} in {head}");
    }
}

#[test]
fn a_chunked_body_and_its_trailers_arrive_without_their_extensions() {
    let backend = Backend::answering(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;q=1\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n".into()
    });
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    client.say("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.say("3;a=\"b\"\r\nabc\r\n1\r\nd\r\n0\r\nX-Check: 1\r\n\r\n");
    let reply = client.reply();
    assert_eq!((reply.body.as_str(), reply.trailers.as_str()), ("hi", "X-Sum: 7\r\n"));
    let heard = &backend.heard()[0];
    assert_eq!((heard.body.as_slice(), heard.trailers.as_str()), (&b"abcd"[..], "X-Check: 1\r\n"));
    assert_eq!(client.get("/").body, "hi");
}

#[test]
fn a_body_that_ends_with_the_connection_reaches_the_client_whole() {
    let backend = Backend::talking(|talk| {
        if talk.request().is_some() {
            talk.say("HTTP/1.0 200 OK\r\n\r\nall of it").unwrap();
            talk.hang_up();
        }
    });
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    assert_eq!(client.get("/").body, "all of it");
    assert_eq!(client.get("/").body, "all of it");
}

#[test]
fn a_client_of_http_1_0_gets_what_it_can_read() {
    let backend = Backend::answering(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n".into()
    });
    let scene = Scene::before(&[&backend]);
    let reply = Client::to(scene.address).say("GET / HTTP/1.0\r\n\r\n").reply();
    assert_eq!((reply.body.as_str(), reply.header("connection")), ("hi", Some("close")));
    assert!(backend.heard()[0].head.starts_with("GET / HTTP/1.1\r\nHost: "));
}

#[test]
fn a_response_to_head_has_no_body() {
    let backend = Backend::answering(|heard| {
        let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        if heard.head.starts_with("HEAD") { length.into() } else { format!("{length}hello") }
    });
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    let head = client.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").head().unwrap();
    assert!(head.contains("Content-Length: 5\r\n"), "{head}");
    assert_eq!(client.get("/").body, "hello");
}

#[test]
fn a_client_that_waits_is_told_to_continue() {
    let backend = Backend::named("a");
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    client.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head().unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.say("abc").reply().body, "a");
    assert!(!backend.heard()[0].head.to_ascii_lowercase().contains("expect"));
}

#[test]
fn what_a_server_says_before_its_response_is_not_the_response() {
    let backend =
        Backend::answering(|_| format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{}", ok("late")));
    let scene = Scene::before(&[&backend]);
    assert_eq!(Client::to(scene.address).get("/").body, "late");
}

#[test]
fn a_body_streams_while_the_request_is_still_on_its_way() {
    let backend = Backend::talking(|talk| {
        talk.head();
        talk.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").unwrap();
        talk.wait_for_end();
    });
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    client.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    assert!(client.head().unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(client.take(6).unwrap(), "1\r\na\r\n");
    drop(client);
    assert_eq!(scene.log.first().end, End::ClientLeft);
}

#[test]
fn a_server_that_does_not_read_holds_the_client_back() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let backend = Backend::talking(move |talk| {
        let Some(mut heard) = talk.head() else { return };
        gone.lock().unwrap().recv().unwrap();
        talk.body(&mut heard).unwrap();
        talk.say(&ok("read")).unwrap();
    });
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    let length = 64 << 20;
    client.say(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"));
    client.stream.set_nonblocking(true).unwrap();
    let (piece, mut sent) = (vec![7; 1 << 20], 0);
    let mut last = std::time::Instant::now();
    // Until nothing more has been taken for a while; were there no back-pressure, all would be taken.
    while last.elapsed() < std::time::Duration::from_millis(500) && sent < length {
        match std::io::Write::write(&mut client.stream, &piece[..piece.len().min(length - sent)]) {
            Ok(count) => {
                sent += count;
                last = std::time::Instant::now();
            }
            Err(_) => std::thread::yield_now(),
        }
    }
    assert!(sent < length, "all {sent} bytes were taken although the server read none");
    client.stream.set_nonblocking(false).unwrap();
    go.send(()).unwrap();
    while sent < length {
        let next = piece.len().min(length - sent);
        client.say(&piece[..next]);
        sent += next;
    }
    assert_eq!(client.reply().body, "read");
}

#[test]
fn a_server_that_breaks_off_ends_the_response_of_the_client_too() {
    let backend = Backend::talking(|talk| {
        if talk.request().is_some() {
            talk.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").unwrap();
            talk.hang_up();
        }
    });
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.try_reply(), None);
    assert_eq!(scene.log.first().end, End::ServerBroke);
    assert_eq!(scene.sight("a").counters.unwrap().response_failures, 1);
}

#[test]
fn a_client_that_leaves_ends_its_request_at_the_server() {
    let (told, ended) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::talking(move |talk| {
        talk.request();
        talk.wait_for_end();
        told.lock().unwrap().send(()).unwrap();
    });
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    until("the request at the server", || (scene.sight("a").sessions == Some(1)).then_some(()));
    drop(client);
    ended.recv_timeout(crate::scene::PATIENCE).unwrap();
    until("nothing under way", || (scene.sight("a").sessions == Some(0)).then_some(()));
    assert_eq!(scene.log.first().end, End::ClientLeft);
}

#[test]
fn a_server_that_makes_no_sense_or_is_silent_is_answered_for() {
    let senseless = Backend::answering(|_| {
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".into()
    });
    let scene = Scene::before(&[&senseless]);
    assert_eq!(Client::to(scene.address).get("/").status, 502);
    let silent = Backend::talking(|talk| {
        talk.request();
        talk.wait_for_end();
    });
    let scene = Scene::with("timeouts = { response = \"100ms\" }", &servers(&[&silent]));
    assert_eq!(Client::to(scene.address).get("/").status, 504);
}
