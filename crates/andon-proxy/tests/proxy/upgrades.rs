//! WebSocket and other upgrades.

use andon_core::balance::Traffic;
use andon_proxy::access::End;

use crate::backend::{Backend, ok};
use crate::client::Client;
use crate::scene::{Scene, server, until};

const ASK: &str = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";

/// Agrees, and then says back whatever it hears.
fn echo() -> Backend {
    Backend::talking(|talk| {
        let Some(heard) = talk.head() else { return };
        talk.keep(&heard);
        talk.say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            .unwrap();
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = std::io::Read::read(&mut talk.stream, &mut bytes) {
            let heard = String::from_utf8_lossy(&bytes[..count]).into_owned();
            if talk.say(&heard).is_err() {
                return;
            }
        }
    })
}

#[test]
fn after_an_upgrade_bytes_go_both_ways_and_count_as_one_session_until_the_end() {
    let backend = echo();
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    let head = client.say(ASK).head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert!(head.contains("Upgrade: websocket\r\n") && head.contains("Connection: upgrade\r\n"), "{head}");
    for word in ["one", "two", "three"] {
        assert_eq!(client.say(word).take(word.len()).unwrap(), word);
    }
    assert_eq!(scene.sight("a").sessions, Some(1));
    let heard = backend.heard()[0].head.clone();
    assert!(
        heard.contains("Connection: upgrade\r\nUpgrade: websocket\r\n")
            && heard.contains("Sec-WebSocket-Key")
    );
    client.finish();
    assert!(client.is_ended());
    until("nothing under way", || (scene.sight("a").sessions == Some(0)).then_some(()));
    let line = scene.log.first();
    assert_eq!((line.status, line.end, line.sent), (101, End::Complete, 11));
}

#[test]
fn an_upgrade_survives_a_drain_and_ends_with_a_cut() {
    let backend = echo();
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    client.say(ASK).head().unwrap();
    scene.pool().set(&server("a"), Traffic::Out).unwrap();
    assert_eq!(client.say("still").take(5).unwrap(), "still");
    assert_eq!(scene.sight("a").sessions, Some(1));
    scene.pool().set(&server("a"), Traffic::Cut).unwrap();
    assert!(client.is_ended());
    assert_eq!(scene.log.first().end, End::Cut);
    assert_eq!(scene.pool().server(&server("a")).unwrap().cuts(), 1);
}

#[test]
fn an_upgrade_that_the_server_declines_is_a_request_like_any_other() {
    let backend = Backend::named("a");
    let scene = Scene::before(&[&backend]);
    let mut client = Client::to(scene.address);
    assert_eq!(client.say(ASK).reply().body, "a");
    assert_eq!(client.get("/").body, "a");
}

#[test]
fn an_upgrade_to_http_2_is_not_passed_on() {
    let backend = Backend::answering(|heard| ok(&heard.head.to_ascii_lowercase().contains("h2").to_string()));
    let scene = Scene::before(&[&backend]);
    let ask = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n";
    assert_eq!(Client::to(scene.address).say(ask).reply().body, "false");
}

#[test]
fn a_server_that_upgrades_unasked_makes_no_sense() {
    let backend = Backend::answering(|_| "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".into());
    let scene = Scene::before(&[&backend]);
    assert_eq!(Client::to(scene.address).get("/").status, 502);
}
