//! What two programs could read differently never reaches a server, and what is too much is refused by its name.

use andon_proxy::access::End;

use crate::backend::Backend;
use crate::client::Client;
use crate::scene::{Scene, servers, until};

/// Sends bytes on a connection of its own, and says the status of the answer and whether the connection ends then.
fn answer(scene: &Scene, bytes: &[u8]) -> (u16, bool) {
    let mut client = Client::to(scene.address);
    client.say(bytes);
    let status = client.reply().status;
    (status, client.is_ended())
}

#[test]
fn what_could_be_read_in_two_ways_is_refused_and_not_passed_on() {
    let backend = Backend::named("a");
    let scene = Scene::before(&[&backend]);
    let post = |headers: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}");
    let get = |headers: &str| format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    let requests = [
        ("both lengths", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        ("two lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")),
        ("a list of lengths", post("Content-Length: 3, 3\r\n", "abc")),
        ("a signed length", post("Content-Length: +3\r\n", "abc")),
        ("a negative length", post("Content-Length: -1\r\n", "")),
        ("a length in hexadecimal", post("Content-Length: 0x3\r\n", "abc")),
        ("an empty length", post("Content-Length:\r\n", "")),
        ("a length beyond all bounds", post("Content-Length: 99999999999999999999\r\n", "")),
        ("another encoding", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")),
        ("identity", post("Transfer-Encoding: identity\r\n", "")),
        ("chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")),
        ("two encodings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        ("a strange chunked", post("Transfer-Encoding: \u{b}chunked\r\n", "0\r\n\r\n")),
        ("an encoding for 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into()),
        ("an underscore", post("Content_Length: 3\r\n", "")),
        ("another underscore", get("X_Forwarded_For: 6.6.6.6\r\n")),
        ("a bare LF", "GET / HTTP/1.1\nHost: x\n\n".into()),
        ("a bare LF in a header", get("A: b\nC: d\r\n")),
        ("a bare CR in a header", get("A: b\rC: d\r\n")),
        ("a folded header", get("A: b\r\n c\r\n")),
        ("a space before the colon", get("A : b\r\n")),
        ("no colon", get("A\r\n")),
        ("no name", get(": b\r\n")),
        ("a NUL", get("A: b\0c\r\n")),
        ("a name with a bracket", get("A(b): c\r\n")),
        ("no host", "GET / HTTP/1.1\r\n\r\n".into()),
        ("two hosts", get("Host: y\r\n")),
        ("a host with a user", "GET / HTTP/1.1\r\nHost: me@x\r\n\r\n".into()),
        ("a host with a path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n".into()),
        ("two hosts, one in the URL", "GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        ("a fragment", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        ("a target without a slash", "GET a HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        ("a tab in the target", "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        ("two spaces", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        ("a space at the end", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n".into()),
        ("HTTP/0.9", "GET /\r\n".into()),
        ("a strange method", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        ("no method", " / HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        ("an upgrade with a body", post("Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n", "abc")),
        ("a connection that takes the host", get("Connection: host\r\n")),
        (
            "a connection that takes the length",
            post("Connection: content-length\r\nContent-Length: 1\r\n", "a"),
        ),
    ];
    for (what, request) in requests {
        assert_eq!(answer(&scene, request.as_bytes()), (400, true), "{what}");
    }
    assert!(backend.heard().is_empty(), "{:?}", backend.heard());
    assert_eq!(backend.connections(), 0);
    assert!(matches!(scene.log.first().end, End::Refused(_)));
}

#[test]
fn a_body_that_is_none_ends_the_request_at_the_server_too() {
    let backend = Backend::talking(|talk| {
        let head = talk.head();
        talk.wait_for_end();
        if let Some(heard) = head {
            talk.keep(&heard);
        }
    });
    let scene = Scene::before(&[&backend]);
    let bodies = [
        ("no number", "x\r\n"),
        ("a sign", "+1\r\na\r\n"),
        ("a prefix", "0x1\r\na\r\n"),
        ("a space", "1 \r\na\r\n"),
        ("a bare LF", "1\na\r\n"),
        ("a number beyond all bounds", "ffffffffffffffffff\r\n"),
        ("a chunk that is longer than it says", "1\r\nab\r\n"),
        ("a bare LF after a chunk", "1\r\na\n"),
        ("a bare CR in an extension", "1;a\rb\r\na\r\n"),
        ("a folded trailer", "0\r\nA: b\r\n c\r\n\r\n"),
        ("a length as a trailer", "0\r\nContent-Length: 3\r\n\r\n"),
    ];
    for (what, body) in bodies {
        let request = format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        assert_eq!(answer(&scene, request.as_bytes()), (400, true), "{what}");
    }
    let long = format!("1;{}\r\na\r\n", "e".repeat(300));
    let request = format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{long}");
    assert_eq!(answer(&scene, request.as_bytes()), (400, true), "a long extension");
    until("the end of all connections", || (backend.connections() == 0).then_some(()));
    assert_eq!(scene.sight("a").sessions, Some(0));
}

#[test]
fn what_is_too_much_is_refused_by_its_name() {
    let backend = Backend::named("a");
    let before = "limits = { header_bytes = 2048, headers = 10, uri_bytes = 100, body_bytes = 5 }";
    let scene = Scene::with(before, &servers(&[&backend]));
    let get = |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    let post = |headers: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}");
    for (request, status) in [
        (get("/", &"A: b\r\n".repeat(10)), 431),
        (get("/", &format!("A: {}\r\n", "b".repeat(3000))), 431),
        (get(&format!("/{}", "a".repeat(100)), ""), 414),
        (get(&format!("/{}", "a".repeat(3000)), ""), 414),
        (post("Content-Length: 6\r\n", "abcdef"), 413),
        (post("Transfer-Encoding: chunked\r\n", "6\r\nabcdef\r\n0\r\n\r\n"), 413),
        (get("/", "Expect: a miracle\r\n"), 417),
        ("GET / HTTP/2.0\r\nHost: x\r\n\r\n".into(), 505),
        ("CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n".into(), 405),
        ("TRACE / HTTP/1.1\r\nHost: x\r\n\r\n".into(), 405),
    ] {
        let mut client = Client::to(scene.address);
        assert_eq!(client.say(&request).reply().status, status, "{request}");
    }
    assert_eq!(Client::to(scene.address).get(&format!("/{}", "a".repeat(99))).status, 200);
    assert_eq!(Client::to(scene.address).say(post("Content-Length: 5\r\n", "abcde")).reply().status, 200);
}

#[test]
fn who_is_slow_is_told_so() {
    let backend = Backend::named("a");
    let before = "timeouts = { head = \"100ms\", body = \"100ms\", idle = \"200ms\" }";
    let scene = Scene::with(before, &servers(&[&backend]));
    assert_eq!(answer(&scene, b"GET / HTTP/1.1\r\nHost:"), (408, true));
    assert_eq!(answer(&scene, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na"), (408, true));
    assert!(Client::to(scene.address).is_ended(), "who says nothing is answered with nothing");
    let mut kept = Client::to(scene.address);
    assert_eq!(kept.get("/").status, 200);
    assert!(kept.is_ended());
}

#[test]
fn a_url_in_the_request_line_is_passed_on_as_its_path() {
    let backend = Backend::named("a");
    let scene = Scene::before(&[&backend]);
    let reply =
        Client::to(scene.address).say("GET http://X.test/a?b HTTP/1.1\r\nHost: x.test\r\n\r\n").reply();
    assert_eq!(reply.status, 200);
    assert!(backend.heard()[0].head.starts_with("GET /a?b HTTP/1.1\r\nHost: x.test\r\n"));
}

#[test]
fn a_refused_request_does_not_disturb_those_before_it() {
    let backend = Backend::named("a");
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    client.say(
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nBad : 1\r\n\r\nGET / HTTP/1.1\r\n",
    );
    assert_eq!((client.reply().status, client.reply().status), (200, 400));
    assert!(client.is_ended());
    assert_eq!(backend.heard().len(), 1);
}
