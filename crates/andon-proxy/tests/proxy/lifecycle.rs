//! Reload and shutdown.

use std::io::Write;
use std::sync::{Arc, Barrier};
use std::thread;

use andon_core::balance::{ServerState, Traffic};
use andon_proxy::access::End;

use crate::backend::{Backend, ok};
use crate::client::Client;
use crate::scene::{Scene, config, server, servers, until};

fn held(release: &Arc<Barrier>) -> Backend {
    let release = release.clone();
    Backend::answering(move |_| {
        release.wait();
        ok("late")
    })
}

#[test]
fn the_end_waits_for_what_is_under_way() {
    let release = Arc::new(Barrier::new(2));
    let backend = held(&release);
    let mut scene = Scene::before(&[&backend]);
    let mut idle = Client::to(scene.address);
    let mut busy = Client::to(scene.address);
    busy.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    until("the request at the server", || (scene.sight("a").sessions == Some(1)).then_some(()));
    until("both connections", || (scene.proxy.connections() == 2).then_some(()));
    scene.stop();
    assert!(idle.is_ended());
    release.wait();
    let reply = busy.reply();
    assert_eq!((reply.body.as_str(), reply.header("connection")), ("late", Some("close")));
    assert!(busy.is_ended());
    drop((busy, idle));
    assert_eq!(scene.departure().cut, 0);
    until("a closed port", || std::net::TcpStream::connect(scene.address).is_err().then_some(()));
}

#[test]
fn what_takes_longer_than_the_end_is_cut() {
    let release = Arc::new(Barrier::new(2));
    let backend = held(&release);
    let mut scene = Scene::with("timeouts = { shutdown = \"50ms\" }", &servers(&[&backend]));
    let mut busy = Client::to(scene.address);
    busy.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    until("the request at the server", || (scene.sight("a").sessions == Some(1)).then_some(()));
    scene.stop();
    assert_eq!(busy.try_reply(), None);
    assert_eq!(scene.departure().cut, 1);
    release.wait();
}

#[test]
fn a_reload_keeps_wishes_counters_and_connections() {
    let (a, b, c) = (Backend::named("a"), Backend::named("b"), Backend::named("c"));
    let scene = Scene::before(&[&a, &b]);
    let mut client = Client::to(scene.address);
    scene.pool().set(&server("a"), Traffic::Out).unwrap();
    assert_eq!(client.get("/").body, "b");
    scene.proxy.reload(config("", &servers(&[&a, &b, &c]))).unwrap();
    assert_eq!(scene.sight("a").state, ServerState::Out);
    assert_eq!(scene.sight("b").counters.unwrap().requests, 1);
    until("the new server to be used on the old connection", || (client.get("/").body == "c").then_some(()));
    assert!(a.heard().is_empty());
}

#[test]
fn a_reload_brings_new_addresses_and_ends_old_ones() {
    let a = Backend::named("a");
    let scene = Scene::before(&[&a]);
    let mut kept = Client::to(scene.address);
    assert_eq!(kept.get("/").body, "a");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = config("", &servers(&[&a]));
    config.listen[0].address = free;
    scene.proxy.reload(config).unwrap();
    assert_eq!(Client::to(free).get("/").body, "a");
    until("the old address to be closed", || {
        std::net::TcpStream::connect(scene.address).is_err().then_some(())
    });
    assert_eq!(kept.get("/").header("connection"), Some("close"));
}

#[test]
fn a_reload_that_cannot_be_changes_nothing() {
    let a = Backend::named("a");
    let scene = Scene::before(&[&a]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config("", &servers(&[&a]));
    config.listen[0].address = taken.local_addr().unwrap();
    let error = scene.proxy.reload(config).unwrap_err();
    assert!(error.to_string().contains("see with `ss -ltnp` who listens there"), "{error}");
    assert_eq!(Client::to(scene.address).get("/").body, "a");
}

#[test]
fn connections_beyond_the_limit_wait_for_their_turn() {
    let a = Backend::named("a");
    let scene = Scene::with("limits = { connections = 2 }", &servers(&[&a]));
    let (mut first, mut second) = (Client::to(scene.address), Client::to(scene.address));
    assert_eq!((first.get("/").status, second.get("/").status), (200, 200));
    let mut third = Client::to(scene.address);
    third.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(scene.proxy.connections(), 2);
    drop(first);
    assert_eq!(third.reply().status, 200);
}

#[test]
fn reloads_under_load_lose_no_request() {
    let (a, b) = (Backend::named("a"), Backend::named("b"));
    let scene = Scene::before(&[&a, &b]);
    let address = scene.address;
    let load: Vec<_> = (0..4)
        .map(|number| {
            thread::spawn(move || {
                let mut client = Client::to(address);
                for _ in 0..300 {
                    if number % 2 == 0 {
                        client = Client::to(address);
                    }
                    assert_eq!(client.get("/").status, 200);
                }
            })
        })
        .collect();
    let mut rounds = 0;
    while load.iter().any(|thread| !thread.is_finished()) {
        let backends: &[&Backend] = if rounds % 2 == 0 { &[&a, &b] } else { &[&a] };
        scene.proxy.reload(config("", &servers(backends))).unwrap();
        rounds += 1;
        thread::yield_now();
    }
    load.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(rounds > 1);
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_request_is_recorded_as_such() {
    let a = Backend::named("a");
    let scene = Scene::before(&[&a]);
    let mut client = Client::to(scene.address);
    client.stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    drop(client);
    let line = scene.log.first();
    assert_eq!((line.end, line.status, line.received), (End::ClientLeft, 0, 3));
}

#[test]
fn a_connection_that_is_kept_open_is_good_for_one_more_request() {
    let backend = Backend::named("a");
    let mut scene = Scene::before(&[&backend]);
    let (mut kept, mut fresh) = (Client::to(scene.address), Client::to(scene.address));
    assert_eq!(kept.get("/").header("connection"), None);
    until("both connections", || (scene.proxy.connections() == 2).then_some(()));
    scene.stop();
    until("a closed port", || std::net::TcpStream::connect(scene.address).is_err().then_some(()));
    for client in [&mut kept, &mut fresh] {
        let reply = client.get("/");
        assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
        assert!(client.is_ended());
    }
    drop((kept, fresh));
    assert_eq!(scene.departure().cut, 0);
}
