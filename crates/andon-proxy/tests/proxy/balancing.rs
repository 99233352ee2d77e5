//! Which server gets what: weights, drains, cuts, retries, ejection, stickiness, the canary and the queue.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;

use andon_core::balance::{FailureKind, ServerState, Traffic, Wishes};

use crate::backend::{Backend, ok};
use crate::client::Client;
use crate::scene::{Scene, server, servers, until};

/// How many of so many requests each server got.
fn shares(scene: &Scene, requests: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    let mut client = Client::to(scene.address);
    for _ in 0..requests {
        *shares.entry(client.get("/").body).or_default() += 1;
    }
    shares
}

/// Answers slowly: once `release` was reached by the test too.
fn held(name: &'static str, release: Arc<Barrier>) -> Backend {
    Backend::answering(move |heard| {
        if heard.head.starts_with("GET /held") {
            release.wait();
        }
        ok(name)
    })
}

#[test]
fn shares_follow_the_weights_while_little_is_under_way() {
    let (a, b) = (Backend::named("a"), Backend::named("b"));
    let scene = Scene::before(&[&a, &b]);
    let even = shares(&scene, 1000);
    assert!((400..600).contains(&even["a"]), "{even:?}");
    scene.pool().set(&server("b"), Traffic::In(10)).unwrap();
    let uneven = shares(&scene, 1000);
    assert!((40..160).contains(&uneven["b"]), "{uneven:?}");
    assert_eq!((scene.sight("b").weight, scene.sight("b").state), (10, ServerState::Up));
}

#[test]
fn who_has_much_to_do_gets_less() {
    let release = Arc::new(Barrier::new(33));
    let (a, b) = (held("a", release.clone()), held("b", release.clone()));
    let scene = Scene::before(&[&a, &b]);
    let mut clients: Vec<Client> = (0..32).map(|_| Client::to(scene.address)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.say("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
        let all = || scene.sight("a").sessions.unwrap() + scene.sight("b").sessions.unwrap();
        until("the request at a server", || (all() == number as u64 + 1).then_some(()));
    }
    // Two draws may fall on the same server, so that a difference of a few is left to chance: one run of 20,000 goes beyond.
    let (a, b) = (scene.sight("a").sessions.unwrap(), scene.sight("b").sessions.unwrap());
    assert!(a >= 12 && b >= 12, "{a} and {b}");
    release.wait();
    clients.iter_mut().for_each(|client| assert_eq!(client.reply().status, 200));
}

#[test]
fn a_drained_server_gets_nothing_new_and_ends_what_it_has() {
    let release = Arc::new(Barrier::new(2));
    let (a, b) = (held("a", release.clone()), held("b", release.clone()));
    let scene = Scene::before(&[&a, &b]);
    shares(&scene, 50);
    let all = || scene.sight("a").sessions.unwrap() + scene.sight("b").sessions.unwrap();
    until("nothing under way", || (all() == 0).then_some(()));
    let mut held = Client::to(scene.address);
    held.say("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    let busy = until("a request under way", || {
        ["a", "b"].into_iter().find(|name| scene.sight(name).sessions == Some(1))
    });
    let (drained, other) = if busy == "a" { (&a, "b") } else { (&b, "a") };
    assert!(scene.pool().set(&server(busy), Traffic::Out).unwrap());
    assert!(!scene.pool().set(&server(busy), Traffic::Out).unwrap(), "said again it is no change");
    assert_eq!(scene.sight(busy).state, ServerState::Out);
    assert_eq!(shares(&scene, 100), BTreeMap::from([(other.to_owned(), 100)]));
    until("idle connections to be closed", || (drained.connections() == 1).then_some(()));
    assert_eq!(scene.sight(busy).sessions, Some(1));
    release.wait();
    assert_eq!(held.reply().body, busy);
    until("nothing under way", || (scene.sight(busy).sessions == Some(0)).then_some(()));
    until("all connections to be closed", || (drained.connections() == 0).then_some(()));
    scene.pool().set(&server(busy), Traffic::FULL).unwrap();
    assert!(shares(&scene, 100).contains_key(busy));
}

#[test]
fn a_cut_ends_what_is_under_way_and_counts_it() {
    let a = Backend::talking(|talk| {
        if let Some(heard) = talk.request() {
            talk.keep(&heard);
        }
        talk.wait_for_end();
    });
    let scene = Scene::before(&[&a]);
    let mut client = Client::to(scene.address);
    client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    until("the request at the server", || (a.heard().len() == 1).then_some(()));
    scene.pool().set(&server("a"), Traffic::Cut).unwrap();
    assert_eq!(client.reply().status, 503);
    until("nothing under way", || (scene.sight("a").sessions == Some(0)).then_some(()));
    assert_eq!(scene.pool().server(&server("a")).unwrap().cuts(), 1);
}

#[test]
fn a_server_that_cannot_be_reached_costs_no_request_and_is_spared() {
    let (a, b) = (Backend::named("a"), Backend::named("b"));
    let scene = Scene::before(&[&a, &b]);
    a.stop();
    assert_eq!(shares(&scene, 100), BTreeMap::from([("b".to_owned(), 100)]));
    let counters = scene.sight("a").counters.unwrap();
    assert_eq!((counters.connect_failures, counters.requests), (3, 0), "spared after three failures");
    assert!(matches!(scene.sight("a").state, ServerState::Down { .. }));
    assert_eq!(scene.sight("b").counters.unwrap().retries, 3);
}

#[test]
fn no_more_than_half_of_the_servers_are_spared() {
    let backends = ["a", "b", "c", "d"].map(Backend::named);
    let scene = Scene::with("", &format!("retries = 3\n{}", servers(&backends.each_ref()[..])));
    backends[..3].iter().for_each(Backend::stop);
    assert_eq!(shares(&scene, 60), BTreeMap::from([("d".to_owned(), 60)]));
    let down = ["a", "b", "c"].map(|name| scene.sight(name).state != ServerState::Up);
    assert_eq!(down.iter().filter(|down| **down).count(), 2, "{down:?}");
}

#[test]
fn a_server_that_was_spared_comes_back_by_itself() {
    let (a, b) = (Backend::named("a"), Backend::named("b"));
    let rule = "ejection = { connect_failures = 0, errors_percent = 50, requests = 5, time = \"200ms\" }\n";
    let sick = Backend::answering(|_| "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".into());
    let scene = Scene::with("", &format!("{rule}{}", servers(&[&sick, &a, &b])));
    let mut client = Client::to(scene.address);
    until("the sick server to be spared", || {
        client.get("/");
        (scene.sight("a").state != ServerState::Up).then_some(())
    });
    until("it to be back", || (scene.sight("a").state == ServerState::Up).then_some(()));
}

#[test]
fn a_kept_connection_that_has_just_ended_costs_no_request() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = ended.clone();
    // Answers once, and ends the connection when the next request comes: what happens when both cross on the way.
    let a = Backend::talking(move |talk| {
        if let Some(heard) = talk.request() {
            talk.keep(&heard);
            talk.say(&ok("a")).unwrap();
        }
        if talk.head().is_some() {
            count.fetch_add(1, SeqCst);
        }
        talk.hang_up();
    });
    let scene = Scene::before(&[&a]);
    assert_eq!(shares(&scene, 20), BTreeMap::from([("a".to_owned(), 20)]));
    assert!(ended.load(SeqCst) > 0);
    let counters = scene.sight("a").counters.unwrap();
    assert_eq!((counters.requests, counters.response_failures), (20, 0));
    // The same with a method that may not be repeated is told to the client: the server may have acted.
    let mut client = Client::to(scene.address);
    client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n").reply();
    let reply = client.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na").reply();
    assert_eq!(reply.status, 502);
}

#[test]
fn a_cookie_keeps_a_client_with_its_server_until_that_is_drained() {
    let (a, b) = (Backend::named("a"), Backend::named("b"));
    let scene = Scene::with("", &format!("sticky = {{ cookie = \"stay\" }}\n{}", servers(&[&a, &b])));
    let mut client = Client::to(scene.address);
    let first = client.get("/");
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(first.header("set-cookie").unwrap().contains("HttpOnly"));
    let mut ask =
        || client.say(format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: other=1; {cookie}\r\n\r\n")).reply();
    for _ in 0..30 {
        let reply = ask();
        assert_eq!((reply.body.as_str(), reply.header("set-cookie")), (first.body.as_str(), None));
    }
    scene.pool().set(&server(&first.body), Traffic::Out).unwrap();
    let moved = ask();
    assert_ne!(moved.body, first.body);
    assert!(moved.header("set-cookie").is_some_and(|moved| !moved.starts_with(&cookie)));
}

#[test]
fn a_header_or_a_cookie_picks_the_canary() {
    let (a, b) = (Backend::named("a"), Backend::named("b"));
    let pool = format!(
        "servers = [{{ name = \"a\", address = \"{}\" }}, {{ name = \"b\", address = \"{}\", weight = 1, canary = true }}]\n",
        a.address, b.address
    );
    for (mark, line) in [
        ("header = \"X-Canary\", value = \"yes\"", "x-canary: yes"),
        ("cookie = \"canary\", value = \"yes\"", "Cookie: a=b; canary=yes"),
    ] {
        let scene = Scene::with("", &format!("canary = {{ {mark} }}\n{pool}"));
        let mut client = Client::to(scene.address);
        let mut ask = || client.say(format!("GET / HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n")).reply().body;
        for _ in 0..30 {
            assert_eq!(ask(), "b");
        }
        scene.pool().set(&server("b"), Traffic::Out).unwrap();
        assert_eq!(ask(), "a", "a canary that is out is no reason to fail");
    }
}

#[test]
fn a_request_waits_for_a_server_to_come_back() {
    let a = Backend::named("a");
    let scene = Scene::before(&[&a]);
    scene.pool().set(&server("a"), Traffic::Out).unwrap();
    let mut client = Client::to(scene.address);
    client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    until("the request in the queue", || (scene.pool().queued() == 1).then_some(()));
    scene.pool().set(&server("a"), Traffic::FULL).unwrap();
    assert_eq!(client.reply().body, "a");
}

#[test]
fn the_queue_is_bounded_in_number_and_in_time() {
    let a = Backend::named("a");
    let scene = Scene::with("", &format!("queue = {{ requests = 1, wait = \"300ms\" }}\n{}", servers(&[&a])));
    scene.pool().set(&server("a"), Traffic::Out).unwrap();
    let mut first = Client::to(scene.address);
    first.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    until("the request in the queue", || (scene.pool().queued() == 1).then_some(()));
    let mut second = Client::to(scene.address);
    let reply = second.get("/");
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert_eq!(first.reply().status, 503);
}

#[test]
fn wishes_are_taken_all_or_none() {
    let (a, b) = (Backend::named("a"), Backend::named("b"));
    let scene = Scene::before(&[&a, &b]);
    let wrong = Wishes::from([(server("a"), Traffic::Out), (server("z"), Traffic::Out)]);
    let failure = scene.pool().assert(&wrong).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Missing);
    assert!(failure.reason.contains("the pool www has no server z"), "{failure}");
    assert_eq!(scene.sight("a").state, ServerState::Up);
    let wishes = Wishes::from([(server("a"), Traffic::Out), (server("b"), Traffic::FULL)]);
    let sight = scene.pool().assert(&wishes).unwrap();
    assert_eq!(sight.changed.into_iter().collect::<Vec<_>>(), [server("a")]);
    assert!(scene.pool().assert(&wishes).unwrap().changed.is_empty());
}

#[test]
fn no_request_slips_past_a_drain_that_was_seen_done() {
    let (a, b) = (Backend::named("a"), Backend::named("b"));
    let scene = Scene::before(&[&a, &b]);
    let address = scene.address;
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let stop = stop.clone();
            thread::spawn(move || {
                let mut client = Client::to(address);
                while !stop.load(SeqCst) {
                    assert_eq!(client.get("/").status, 200);
                }
            })
        })
        .collect();
    for _ in 0..50 {
        scene.pool().set(&server("a"), Traffic::Out).unwrap();
        until("the drain", || (scene.sight("a").sessions == Some(0)).then_some(()));
        let heard = a.heard().len();
        until("some requests elsewhere", || {
            let before = b.heard().len();
            until("more", || (b.heard().len() > before + 5).then_some(()));
            Some(())
        });
        assert_eq!(a.heard().len(), heard);
        scene.pool().set(&server("a"), Traffic::FULL).unwrap();
        until("requests again", || (a.heard().len() > heard).then_some(()));
    }
    stop.store(true, SeqCst);
    load.into_iter().for_each(|thread| thread.join().unwrap());
}
