//! HTTP/2 between clients and the proxy, without TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use andon_core::balance::Traffic;
use andon_proxy::access::End;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, Version};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::backend::{Backend, ok};
use crate::client::Client;
use crate::scene::{Scene, run, server, servers, until};

/// The body of a request: its data, and then trailers.
pub(crate) struct Upload(Option<Bytes>, Option<HeaderMap>);

impl Upload {
    pub(crate) fn of(data: &'static str) -> Self {
        Self((!data.is_empty()).then(|| Bytes::from_static(data.as_bytes())), None)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.0.take().map(Frame::data);
        Poll::Ready(frame.or_else(|| self.1.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none() && self.1.is_none()
    }
}

async fn connect(address: SocketAddr) -> SendRequest<Upload> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get(path: &str) -> http::request::Builder {
    Request::builder().version(Version::HTTP_2).uri(format!("http://example.test{path}"))
}

/// The body and the trailers of a response; `None` when it broke off.
pub(crate) async fn read(response: Response<Incoming>) -> Option<(String, HeaderMap)> {
    let (mut data, mut trailers) = (BytesMut::new(), HeaderMap::new());
    let mut body = response.into_body();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame.ok()?.into_data() {
            Ok(bytes) => data.extend_from_slice(&bytes),
            Err(frame) => trailers = frame.into_trailers().unwrap(),
        }
    }
    Some((String::from_utf8(data.to_vec()).unwrap(), trailers))
}

#[test]
fn many_requests_share_a_connection_and_reach_servers_over_http_1() {
    let backend = Backend::answering(|heard| ok(&String::from_utf8_lossy(&heard.body)));
    let scene = Scene::before(&[&backend]);
    run(async {
        let mut sender = connect(scene.address).await;
        for data in ["", "one", "two"] {
            let request = get("/a?b").method("PUT").header("x-mine", "1").body(Upload::of(data)).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(read(response).await.unwrap().0, data);
        }
        assert_eq!(scene.proxy.connections(), 1);
    });
    let heard = backend.heard();
    assert!(heard[1].head.starts_with("PUT /a?b HTTP/1.1\r\nHost: example.test\r\n"), "{}", heard[1].head);
    assert!(heard[1].head.contains("x-mine: 1\r\n") && heard[1].head.contains("Via: 2 andon\r\n"));
    until("nothing under way", || (scene.sight("a").sessions == Some(0)).then_some(()));
}

#[test]
fn cookies_that_come_one_by_one_go_on_as_one() {
    let backend = Backend::named("a");
    let scene = Scene::before(&[&backend]);
    run(async {
        let request = get("/").header("cookie", "a=1").header("x", "y").header("cookie", "b=2");
        let response = connect(scene.address).await.send_request(request.body(Upload::of("")).unwrap()).await;
        assert_eq!(response.unwrap().status(), 200);
    });
    let head = backend.heard()[0].head.clone();
    assert!(head.contains("cookie: a=1; b=2\r\n") && head.matches("cookie").count() == 1, "{head}");
}

#[test]
fn trailers_pass_in_both_directions() {
    let backend = Backend::answering(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n".into()
    });
    let scene = Scene::before(&[&backend]);
    run(async {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-check", "1".parse().unwrap());
        let body = Upload(Some(Bytes::from_static(b"abc")), Some(trailers));
        let request = get("/").method("POST").body(body).unwrap();
        let response = connect(scene.address).await.send_request(request).await.unwrap();
        let (body, trailers) = read(response).await.unwrap();
        assert_eq!((body.as_str(), trailers["x-sum"].as_bytes()), ("hi", &b"7"[..]));
    });
    let heard = &backend.heard()[0];
    assert_eq!((heard.body.as_slice(), heard.trailers.as_str()), (&b"abc"[..], "x-check: 1\r\n"));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let backend = Backend::named("a");
    let scene = Scene::before(&[&backend]);
    run(async {
        let mut sender = connect(scene.address).await;
        for (what, request, status) in [
            ("another host", get("/").header("host", "y"), 400),
            ("an underscore", get("/").header("content_length", "3"), 400),
            ("another underscore", get("/").header("x_forwarded_for", "6.6.6.6"), 400),
            ("a method for proxies", get("/").method("TRACE"), 405),
        ] {
            let response = sender.send_request(request.body(Upload::of("")).unwrap()).await.unwrap();
            assert_eq!(response.status(), status, "{what}");
        }
    });
    assert!(backend.heard().is_empty());
}

#[test]
fn a_server_that_breaks_off_resets_the_stream_and_no_other() {
    let backend = Backend::talking(|talk| {
        while let Some(heard) = talk.request() {
            if heard.head.starts_with("GET /broken") {
                talk.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").unwrap();
                return talk.hang_up();
            }
            talk.say(&ok("a")).unwrap();
        }
    });
    let scene = Scene::before(&[&backend]);
    run(async {
        let mut sender = connect(scene.address).await;
        // The reset may overtake the head.
        if let Ok(broken) = sender.send_request(get("/broken").body(Upload::of("")).unwrap()).await {
            assert_eq!(read(broken).await, None);
        }
        let whole = sender.send_request(get("/").body(Upload::of("")).unwrap()).await.unwrap();
        assert_eq!(read(whole).await.unwrap().0, "a");
    });
    assert_eq!(scene.log.first().end, End::ServerBroke);
}

#[test]
fn a_stream_that_the_client_resets_ends_its_request_at_the_server() {
    let backend = Backend::talking(|talk| {
        talk.request();
        talk.wait_for_end();
    });
    let scene = Scene::before(&[&backend]);
    run(async {
        let mut sender = connect(scene.address).await;
        let asked = sender.send_request(get("/").body(Upload::of("")).unwrap());
        let asked = tokio::spawn(asked);
        while scene.sight("a").sessions != Some(1) {
            tokio::task::yield_now().await;
        }
        asked.abort();
        let _ = asked.await;
        while scene.sight("a").sessions != Some(0) {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(scene.log.first().end, End::ClientLeft);
}

#[test]
fn a_client_that_answers_pings_and_takes_nothing_is_left() {
    let page = "x".repeat(4 << 20);
    let backend = Backend::answering(move |_| ok(&page));
    let scene = Scene::with("timeouts = { write = \"200ms\" }", &servers(&[&backend]));
    run(async {
        let stream = TcpStream::connect(scene.address).await.unwrap();
        let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let window = 64 * 1024;
        client.initial_stream_window_size(window).initial_connection_window_size(window);
        let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let response = sender.send_request(get("/").body(Upload::of("")).unwrap()).await.unwrap();
        // Its body is never read, and its connection is kept in order.
        let _ = connection.await.unwrap();
        drop(response);
    });
    assert_eq!(scene.log.first().end, End::ClientLeft);
    assert_eq!(scene.sight("a").sessions, Some(0));
}

#[test]
fn the_end_lets_streams_end_and_then_the_connection() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let backend = Backend::answering(move |_| {
        gone.lock().unwrap().recv().unwrap();
        ok("late")
    });
    let mut scene = Scene::before(&[&backend]);
    run(async {
        let mut sender = connect(scene.address).await;
        let asked = tokio::spawn(sender.send_request(get("/").body(Upload::of("")).unwrap()));
        tokio::task::yield_now().await;
        while scene.sight("a").sessions != Some(1) {
            tokio::task::yield_now().await;
        }
        scene.stop();
        while !sender.is_closed() && std::net::TcpStream::connect(scene.address).is_ok() {
            tokio::task::yield_now().await;
        }
        go.send(()).unwrap();
        assert_eq!(read(asked.await.unwrap().unwrap()).await.unwrap().0, "late");
    });
    assert_eq!(scene.departure().cut, 0);
}

#[test]
fn a_drained_server_is_left_by_both_versions_at_once() {
    let (a, b) = (Backend::named("a"), Backend::named("b"));
    let scene = Scene::with("", &servers(&[&a, &b]));
    scene.pool().set(&server("a"), Traffic::Out).unwrap();
    run(async {
        let mut sender = connect(scene.address).await;
        for _ in 0..10 {
            let response = sender.send_request(get("/").body(Upload::of("")).unwrap()).await.unwrap();
            assert_eq!(read(response).await.unwrap().0, "b");
        }
    });
    assert_eq!(Client::to(scene.address).get("/").body, "b");
}
