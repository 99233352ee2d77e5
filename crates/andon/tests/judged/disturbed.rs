//! Analyses that are disturbed: their controller is killed, their balancer begins anew, a source of theirs dies.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use andon_testbed::deadline::wait_until;
use andon_testbed::prometheus::{Exposition, PrometheusServer};
use serde_json::{Value, json};

use crate::front::Front;
use crate::project::text;
use crate::scene::{Scene, put_back};
use crate::shop::{LIMIT, Shop};

#[test]
fn a_controller_that_is_killed_goes_on_with_what_was_recorded() {
    let scene = Scene::closed(
        Front::haproxy,
        "errors()",
        r#"judge = judge(tick = "1s", warmup = "1s", observe = "4s", window = "60s", holdback = "0s"),"#,
    );
    scene.begin("");
    scene.weather(5_000, 100);
    let load = scene.users();
    scene.release("worse", "--failing 45000");
    let running = scene.shop.deploy();
    assert!(wait_until(LIMIT, || scene.entries(2) >= 4), "{:#?}", Shop::story(&scene.shop.newest()));
    running.kill();
    let before = fs::read(scene.recording(2)).unwrap();
    let known = scene.entries(2);
    assert!(scene.shop.newest()["ended"].is_null(), "{:#?}", Shop::story(&scene.shop.newest()));

    scene.shop.project.run(&["resume", "2"]).code(1);
    load.stop();
    let shown = scene.shop.newest();
    let reason = put_back(&shown);
    assert!(reason.contains("errors"), "{reason}");
    let after = fs::read(scene.recording(2)).unwrap();
    assert!(after.starts_with(&before), "what was recorded stays as it was");
    assert!(scene.entries(2) > known, "{known} entries, then {}", scene.entries(2));
    println!("{}", json!({ "analysis": shown["analysis"], "before": known, "after": scene.entries(2) }));

    // Whoever judges the recording again comes to the same end, in the same words.
    let file = scene.recording(2);
    let replayed: Value = scene.shop.project.json(&["canary", "replay", file.to_str().unwrap()]);
    assert_eq!(replayed["verdict"], shown["analysis"]["verdict"]);
    assert_eq!(replayed["sentence"], shown["analysis"]["sentence"]);
}

#[test]
fn a_balancer_that_begins_to_count_anew_is_nobodys_fault() {
    let scene = Scene::open(Front::haproxy, "errors(), latency()");
    scene.weather(5_000, 100);
    let load = scene.users();
    scene.release("harmless", "");
    let mut running = scene.shop.deploy();
    let Front::Haproxy(haproxy) = &scene.front else { panic!("it is another balancer") };
    // In the middle of each comparison of a stage, whose hosts all have traffic.
    let mut reloads = 0;
    wait_until(LIMIT, || {
        if scene.entries(2) >= 3 + 6 * reloads {
            haproxy.reload().unwrap();
            reloads += 1;
        }
        reloads == 3 || running.has_ended()
    });
    let ran = scene.shop.finish(running);
    load.stop();
    let shown = scene.shop.newest();
    println!("{}", json!({ "analysis": shown["analysis"], "reloads": reloads }));
    ran.code(0);
    assert!(reloads > 0);
    assert_eq!(shown["state"], "succeeded", "{:#?}", Shop::story(&shown));
}

#[test]
fn a_source_that_dies_ends_in_a_question_and_never_in_a_verdict() {
    let scene = Scene::closed(
        Front::haproxy,
        "errors()",
        r#"judge = judge(tick = "1s", warmup = "1s", observe = "5s", window = "30s", holdback = "0s"),"#,
    );
    let pages: Vec<(String, Exposition)> = scene
        .shop
        .backends()
        .iter()
        .map(|backend| (backend.name.clone(), Exposition::start("").unwrap()))
        .collect();
    let targets: Vec<_> = pages.iter().map(|(host, page)| (host.as_str(), page.address())).collect();
    let mut prometheus = PrometheusServer::start(&targets).unwrap();
    scene.shop.edit_line(
        "watch = [errors()]",
        &format!(
            "watch = [errors(), prometheus(\"orders\", query = \"orders_total{{{{members}}}}\", url = {:?}, \
             worse = \"lower\", critical = True, every = \"2s\")]",
            prometheus.url()
        ),
    );
    scene.begin("");
    let over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&over);
    let clerk = thread::spawn(move || {
        // Every host sells as much as every other.
        for orders in 0_u64.. {
            pages.iter().for_each(|(_, page)| page.say(&format!("orders_total {orders}\n")));
            if wait_until(Duration::from_millis(100), || end.load(Ordering::Relaxed)) {
                return;
            }
        }
    });
    let load = scene.users();
    scene.release("next", "");
    let running = scene.shop.deploy();
    assert!(wait_until(LIMIT, || scene.entries(2) >= 3), "{:#?}", Shop::story(&scene.shop.newest()));
    prometheus.kill();
    let shown = scene.until_paused(2);
    println!("{}", json!({ "analysis": shown["analysis"], "waiting_for": shown["waiting_for"] }));
    assert_eq!(shown["analysis"]["verdict"], "none", "{:#?}", Shop::story(&shown));
    let sentence = text(&shown["analysis"], "sentence");
    assert!(sentence.contains("orders is not heard"), "{sentence}");
    scene.shop.project.well(&["abort", "2", "--rollback"]);
    running.end();
    load.stop();
    over.store(true, Ordering::Relaxed);
    clerk.join().unwrap();
    scene.shop.project.run(&["plan", "www"]).never_says("--allow-bad");
}
