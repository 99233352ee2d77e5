//! The load against servers that do everything wrong that a server can do: a load that counts nothing proves nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use andon_load::{Behaviour, Kind, Load, Mix, Site, Tally};
use andon_testbed::deadline::wait_until;

const LIMIT: Duration = Duration::from_secs(60);

/// What a server does with a request whose number and text are given. `false` closes the connection.
type Manner = fn(&mut TcpStream, &str) -> bool;

/// A server with one manner, for as long as the test process lives.
fn server(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                while let Some(text) = request(&mut stream) {
                    if !manner(&mut stream, &text) {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// Reads a request without a body, and answers the text that it wants.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let asked = |name: &str| -> Option<&str> { head.split(name).nth(1)?.split(['&', ' ']).next() };
    let (number, bytes) = (asked("number=")?, asked("bytes=")?.parse().ok()?);
    Some(format!("{number}\n").chars().cycle().take(bytes).collect())
}

fn say(stream: &mut TcpStream, words: &str) -> bool {
    stream.write_all(words.as_bytes()).is_ok()
}

/// Says something and closes.
fn last(stream: &mut TcpStream, words: &str) -> bool {
    say(stream, words);
    false
}

fn good(stream: &mut TcpStream, text: &str) -> bool {
    say(stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()))
}

/// Closes with unread data or a zero linger: the other side sees a reset.
fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}

/// Nothing but pages, half of them over connections of their own.
fn pages() -> Mix {
    Mix { slow: 0, uploads: 0, fresh: 50, rate: 200, page_bytes: 500, ..Mix::default() }
}

/// The tally of a few requests to a server.
fn tally(target: SocketAddr, mix: Mix) -> Tally {
    let load = Load::start(target, mix).unwrap();
    assert!(wait_until(LIMIT, || load.so_far().requests >= 40), "the load stands still: {}", load.so_far());
    load.stop()
}

/// Every request to a server of this manner is counted as failed, and for this reason.
#[track_caller]
fn always(manner: Manner, fault: &str) -> Tally {
    let tally = tally(server(manner), pages());
    assert_eq!(tally.failed, tally.requests, "{tally}");
    assert_eq!(tally.faults.keys().copied().collect::<Vec<_>>(), [fault], "{tally}");
    assert_eq!(tally.latency.count(), 0, "a failure is no measurement");
    let kept = tally.failures.first().unwrap().to_string();
    assert!(kept.contains("page (#0, port "), "{kept}");
    tally
}

#[test]
fn a_good_server_loses_nothing() {
    let tally = tally(server(good), pages());
    assert_eq!((tally.failed, tally.reopened), (0, 0), "{tally}");
    assert_eq!(tally.latency.count(), tally.requests);
    assert!(tally.p50() <= tally.p99());
}

#[test]
fn a_status_other_than_two_hundred_is_a_failure_with_its_reason() {
    let busy: Manner = |stream, _| {
        say(stream, "HTTP/1.1 503 Service Unavailable\r\nServed-By: me\r\nContent-Length: 4\r\n\r\nbusy")
    };
    let tally = always(busy, "status");
    let kept = tally.failures.first().unwrap().to_string();
    assert!(kept.contains("answered by me") && kept.contains("status 503: busy"), "{kept}");
    always(|stream, _| say(stream, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), "status");
}

#[test]
fn a_reset_is_a_failure_before_and_within_an_answer() {
    always(
        |stream, _| {
            reset(stream);
            false
        },
        "reset",
    );
    always(
        |stream, _| {
            say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nonly");
            // What was sent before a reset may be lost with it, unless the other side has read it.
            thread::sleep(Duration::from_millis(20));
            reset(stream);
            false
        },
        "reset",
    );
}

#[test]
fn an_answer_that_breaks_off_is_a_failure_wherever_it_does() {
    always(|stream, _| last(stream, "HTTP/1.1 20"), "short answer");
    always(|stream, _| last(stream, "HTTP/1.1 200 OK\r\nContent-Le"), "short answer");
    always(|stream, _| last(stream, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"), "short answer");
    always(
        |stream, text| {
            let (head, length) = ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", text.len());
            last(stream, &format!("{head}{length:x}\r\n{text}\r\n"))
        },
        "short answer",
    );
}

#[test]
fn the_answer_to_somebody_else_is_a_failure() {
    always(|stream, text| good(stream, &text.replace('\n', "7\n")[..text.len()]), "wrong body");
    always(|stream, _| good(stream, ""), "wrong body");
    // Without a length, an end is an end; the text tells that it came too early.
    always(|stream, text| last(stream, &format!("HTTP/1.1 200 OK\r\n\r\n{}", &text[..100])), "wrong body");
}

#[test]
fn a_server_that_closes_without_a_word_fails_every_request() {
    let tally = always(|_, _| false, "no answer");
    assert_eq!(tally.reopened, 0, "a new connection is not tried again");
}

#[test]
fn nonsense_is_a_failure() {
    always(|stream, _| say(stream, "SSH-2.0-OpenSSH_9.2\r\n\r\n"), "senseless");
    always(|stream, _| say(stream, "HTTP/1.1 200 OK\nContent-Length: 0\n\n"), "senseless");
    always(
        |stream, _| say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        "senseless",
    );
}

#[test]
fn a_server_that_hangs_fails_after_the_patience_of_the_mix() {
    let patience = Duration::from_millis(300);
    let hangs = server(|stream, _| {
        // Until the load has had enough and closes.
        let _ = stream.read(&mut [0]);
        false
    });
    let tally = tally(hangs, Mix { patience, ..pages() });
    assert_eq!(tally.faults.get("timeout"), Some(&tally.requests), "{tally}");
    assert!(tally.failures.iter().all(|failure| failure.after >= patience), "{tally}");
}

#[test]
fn where_nobody_listens_every_request_fails() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let tally = tally(free, pages());
    assert_eq!(tally.faults.get("no connection"), Some(&tally.requests), "{tally}");
    assert!(tally.failures[0].to_string().contains("no port"), "{tally}");
}

#[test]
fn one_failure_among_many_answers_is_found() {
    let tally = tally(
        server(|stream, text| match text.starts_with("17\n") {
            true => say(stream, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),
            false => good(stream, text),
        }),
        pages(),
    );
    assert_eq!(tally.failed, 1, "{tally}");
    assert_eq!(tally.failures[0].request.number, 17);
}

#[test]
fn a_connection_that_is_closed_between_two_requests_is_opened_again_and_that_is_counted() {
    // It closes each connection as soon as a second request comes, and never says that it would.
    let shy = server(|stream, text| {
        good(stream, text);
        let mut next = [0];
        // A close with an unread request is a reset, as from a server that ends.
        stream.peek(&mut next).is_err()
    });
    let tally = tally(shy, Mix { fresh: 0, ..pages() });
    assert_eq!(tally.failed, 0, "{tally}");
    assert!(tally.reopened > 0, "{tally}");
}

#[test]
fn a_connection_that_was_closed_while_it_rested_is_not_even_tried() {
    let closes = server(|stream, text| {
        good(stream, text);
        false
    });
    let mix = Mix { fresh: 0, rate: 40, ..pages() };
    let tally = tally(closes, mix);
    assert_eq!(tally.failed, 0, "{tally}");
}

#[test]
fn bytes_that_nobody_asked_for_are_a_failure() {
    let talks = server(|stream, text| {
        good(stream, text);
        thread::sleep(Duration::from_millis(5));
        say(stream, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    });
    let tally = tally(talks, Mix { fresh: 0, rate: 20, ..pages() });
    assert!(tally.faults.contains_key("unasked"), "{tally}");
}

#[test]
fn a_server_that_stalls_does_not_stop_the_clock() {
    let mix = Mix { rate: 100, patience: Duration::from_secs(2), ..pages() };
    let hangs = server(|stream, _| {
        let _ = stream.read(&mut [0]);
        false
    });
    let load = Load::start(hangs, mix).unwrap();
    assert!(wait_until(LIMIT, || load.so_far().requests > 0));
    // The first has only now ended, and two seconds' worth of others has been sent meanwhile.
    let tally = load.stop();
    assert!(tally.requests >= 150, "{tally}");
}

#[test]
fn laps_part_the_tally_and_lose_nothing() {
    let load = Load::start(server(good), pages()).unwrap();
    let mut sum = Tally::default();
    for _ in 0..3 {
        assert!(wait_until(LIMIT, || load.so_far().requests >= sum.requests + 20));
        let lap = load.lap();
        assert!(lap.requests >= 20);
        sum.merge(&lap);
    }
    let total = load.stop();
    assert!(total.requests >= sum.requests);
    assert_eq!(total.latency.count(), total.requests);
}

/// The application, for as long as the test process lives.
fn site() -> SocketAddr {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let site = Site {
        port: address.port(),
        release: "r-1".into(),
        pages: "/nowhere".into(),
        graceful: false,
        behaviour: Behaviour::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread::spawn(move || runtime.block_on(site.serve()).unwrap());
    assert!(wait_until(LIMIT, || TcpStream::connect(address).is_ok()));
    address
}

#[test]
fn the_application_answers_every_kind_of_request() {
    let address = site();
    let mix = Mix { slow: 20, slow_for: Duration::from_millis(200), uploads: 20, ..Mix::default() };
    let kinds: Vec<Kind> = (0..100).map(|number| mix.request(number).kind).collect();
    assert!(kinds.iter().any(|kind| matches!(kind, Kind::Slow(..))));
    assert!(kinds.iter().any(|kind| matches!(kind, Kind::Upload(_))));
    let load = Load::start(address, mix).unwrap();
    assert!(wait_until(LIMIT, || load.so_far().requests >= 300));
    let tally = load.stop();
    assert_eq!((tally.failed, tally.reopened), (0, 0), "{tally}");
    let by = format!("{} r-1", address.port());
    assert_eq!(tally.servers.get(&by), Some(&tally.requests), "{:?}", tally.servers);
    assert!(tally.p99().unwrap() >= Duration::from_millis(200), "{tally}");
}

/// What the application answers to bytes, until it closes.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    // It may be reset after it: the application does not read what it has given up on.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn the_application_speaks_the_old_protocol_and_refuses_what_it_does_not_know() {
    let address = site();
    let old = ask(address, "GET /text?number=5&bytes=4&ms=10 HTTP/1.0\r\n\r\n");
    assert!(old.contains("Content-Length: 4\r\n") && old.ends_with("\r\n\r\n5\n5\n"), "{old}");
    let new = ask(address, "GET /text?number=5&bytes=4&ms=10 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(new.ends_with("\r\n\r\n2\r\n5\n\r\n2\r\n5\n\r\n0\r\n\r\n"), "{new}");
    assert!(ask(address, "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n").ends_with("ok\n"));
    assert!(ask(address, "GET /no HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404"));
    for odd in ["PUT / HTTP/1.0\r\n\r\n", "\r\n\r\n"] {
        assert!(ask(address, odd).starts_with("HTTP/1.1 405"), "{odd:?}");
    }
    for hostile in
        ["\0\0\0", "GET / HTTP/1.1\r\nno field\r\n\r\n", "POST /upload HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
    {
        assert_eq!(ask(address, hostile), "", "{hostile:?}");
    }
    assert!(ask(address, &"x".repeat(100_000)).is_empty());
}
