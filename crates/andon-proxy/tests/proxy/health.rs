//! Active health checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use andon_core::balance::ServerState;

use crate::backend::{Backend, ok};
use crate::client::Client;
use crate::scene::{Scene, servers, until};

const CHECK: &str = "health_check = { path = \"/well\", interval = \"20ms\", timeout = \"10s\" }\n";

/// A server whose health check says what the flag says, and which answers everything else.
fn patient(name: &'static str, well: &Arc<AtomicBool>) -> Backend {
    let well = well.clone();
    Backend::answering(move |heard| {
        if heard.head.starts_with("GET /well ") && !well.load(SeqCst) {
            "HTTP/1.1 500 Sick\r\nContent-Length: 0\r\n\r\n".into()
        } else {
            ok(name)
        }
    })
}

#[test]
fn a_sick_server_is_left_alone_until_it_is_well_again() {
    let well = Arc::new(AtomicBool::new(true));
    let (a, b) = (patient("a", &well), Backend::named("b"));
    let scene = Scene::with("", &format!("{CHECK}{}", servers(&[&a, &b])));
    let mut news = scene.proxy.news();
    until("a health check", || (!a.heard().is_empty()).then_some(()));
    well.store(false, SeqCst);
    let why = until("the sick server to be seen", || match scene.sight("a").state {
        ServerState::Down { why } => Some(why),
        _ => None,
    });
    assert_eq!(why, "GET /well was answered with 500");
    let mut client = Client::to(scene.address);
    for _ in 0..30 {
        assert_eq!(client.get("/").body, "b");
    }
    well.store(true, SeqCst);
    until("it to be well again", || (scene.sight("a").state == ServerState::Up).then_some(()));
    let told = until("the news", || news.try_recv().ok());
    assert_eq!(told, "a of www is sick: GET /well was answered with 500");
}

#[test]
fn a_server_that_was_never_seen_well_is_sick_after_one_failure_and_serves_until_then() {
    let well = Arc::new(AtomicBool::new(false));
    let (a, b) = (patient("a", &well), Backend::named("b"));
    let check = "health_check = { path = \"/well\", interval = \"1h\" }\n";
    let scene = Scene::with("", &format!("{check}{}", servers(&[&a, &b])));
    until("the first failure", || (scene.sight("a").state != ServerState::Up).then_some(()));
    assert_eq!(a.heard().iter().filter(|heard| heard.head.starts_with("GET /well ")).count(), 1);
    assert_eq!(scene.sight("b").state, ServerState::Up);
}
