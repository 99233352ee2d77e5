//! Releases that hurt users although every health check and every production test is green.

use andon_load::Tally;
use andon_testbed::Backend;
use serde_json::json;

use crate::front::Front;
use crate::scene::{Scene, put_back};
use crate::shop::{Shop, go_on, served};

/// Every page fails: users are off it within seconds, and nobody else gets it.
fn all_pages_fail(front: impl FnOnce(&[Backend]) -> Front) {
    let scene = Scene::open(front, "errors()");
    let load = scene.steady();
    scene.release("broken", "--failing 1000000");
    let (ran, shown) = scene.deploy();
    ran.code(1);
    let hurt = load.lap();
    go_on(&load, 600);
    let after = load.lap();
    load.stop();
    let reason = put_back(&shown);
    assert!(reason.contains("errors") || reason.contains("requests"), "{reason}");
    assert_eq!(shown["hosts"]["changed"], 1, "{:#?}", Shop::story(&shown));
    assert_eq!(shown["hosts"]["restored"], 1, "{:#?}", Shop::story(&shown));
    assert_eq!(after.failed, 0, "nobody is hurt any more: {after}");
    let release = shown["release"].as_str().unwrap();
    assert!(served(&after, release).is_empty(), "nobody is on it any more");
    println!(
        "{}",
        json!({
            "gross": scene.front.name(), "reason": reason, "failed_requests": hurt.failed,
            "off_traffic_seconds": suffered(&hurt),
        })
    );
}

#[test]
fn a_release_whose_pages_all_fail_is_put_back_behind_haproxy() {
    all_pages_fail(Front::haproxy);
}

#[test]
fn a_release_whose_pages_all_fail_is_put_back_behind_nginx() {
    all_pages_fail(Front::nginx);
}

#[test]
fn a_release_whose_pages_all_fail_is_put_back_behind_the_built_in_proxy() {
    all_pages_fail(Front::proxy);
}

/// From the first bad answer to the last.
fn suffered(tally: &Tally) -> Option<f64> {
    let first = tally.failures.iter().map(|failure| failure.at + failure.after).min()?;
    Some(tally.last_failure?.saturating_sub(first).as_secs_f64())
}

#[test]
fn tenfold_errors_on_one_of_six_instances_are_caught() {
    // Luck is a part of every count. In 20 s, 38 errors instead of the 47 that are to be expected proved nothing; in a
    // minute three times as many are counted.
    let rules =
        r#"judge = judge(tick = "1s", warmup = "1s", observe = "4s", window = "60s", holdback = "0s"),"#;
    let scene = Scene::closed(Front::haproxy, "errors()", rules);
    scene.begin("");
    scene.weather(5_000, 100);
    let load = scene.users();
    scene.release("worse", "--failing 45000");
    let planned = scene.planned_seconds(10.0);
    assert!(planned.is_some(), "on this traffic a plan can say when tenfold errors are seen");
    let (ran, shown) = scene.deploy();
    ran.code(1);
    let tally = load.stop();
    let reason = put_back(&shown);
    assert!(reason.contains("errors"), "{reason}");
    assert_eq!(shown["hosts"]["changed"], 1, "{:#?}", Shop::story(&shown));
    let told = |words: &str| Scene::second_of(&shown, words);
    println!(
        "{}",
        json!({
            "tenfold": true, "reason": reason, "failed_requests": tally.failed, "requests": tally.requests,
            "planned_seconds": planned, "detect_seconds": told("failed:") - told("web1 observing"),
            "restore_seconds": told("rolled back") - told("failed:"),
        })
    );
}

#[test]
fn a_release_that_is_slower_by_half_is_caught() {
    let scene = Scene::open(Front::proxy, "errors(), latency()");
    let load = scene.steady();
    scene.release("slower", "--work-percent 200");
    let (ran, shown) = scene.deploy();
    ran.code(1);
    load.stop();
    let reason = put_back(&shown);
    assert!(reason.contains("slow"), "{reason}");
}

#[test]
fn a_release_that_crashes_again_and_again_is_put_back() {
    let scene = Scene::open(Front::haproxy, "vitals(), errors()");
    let load = scene.users();
    // Long enough to be healthy and to pass its tests; whoever supervises it starts it again.
    scene.release_after("(sleep 5; kill -9 $$) >/dev/null 2>&1 &", "crashing", "");
    let (ran, shown) = scene.deploy();
    println!("{}", json!({ "analysis": shown["analysis"], "reason": shown["reason"] }));
    ran.code(1);
    load.stop();
    assert_eq!(shown["state"], "rolled_back", "{:#?}", Shop::story(&shown));
    let reason = shown["reason"].as_str().unwrap();
    assert!(reason.contains("web1 ended and was started again"), "{reason}");
    assert!(reason.contains("signal 9 ended it"), "{reason}");
    scene.is_refused();
}
