//! Releases that hurt nobody are left alone, also on a bad night.

use serde_json::json;

use crate::front::Front;
use crate::scene::Scene;
use crate::shop::Shop;

fn runs() -> u32 {
    std::env::var("ANDON_RUNS").map_or(2, |runs| runs.parse().unwrap())
}

#[test]
fn harmless_releases_go_out_whatever_the_weather_does() {
    let scene = Scene::open(Front::haproxy, "errors(), latency()");
    let load = scene.users();
    for run in 1..=runs() {
        scene.release(&format!("harmless {run}"), "");
        let mut deploying = scene.shop.deploy();
        // A burst of errors for all, then calm, then a burst again.
        let mut gust = 0_u32;
        while !deploying.has_ended() {
            gust += 1;
            scene.weather(if gust.is_multiple_of(3) { 60_000 } else { 5_000 }, 100);
            let before = load.so_far().requests;
            andon_testbed::deadline::wait_until(crate::shop::LIMIT, || {
                load.so_far().requests >= before + 300 || deploying.has_ended()
            });
        }
        let ran = scene.shop.finish(deploying);
        let shown = scene.shop.newest();
        println!("{}", json!({ "harmless": run, "state": shown["state"], "analysis": shown["analysis"] }));
        ran.code(0);
        assert_eq!(shown["state"], "succeeded", "{shown:#}");
    }
    load.stop();
}

#[test]
fn a_service_whose_line_says_nothing_is_watched_by_what_there_is() {
    // Longer than what is not heard of may stay away.
    let rules =
        r#"judge = judge(tick = "1s", warmup = "1s", observe = "18s", window = "120s", holdback = "0s"),"#;
    let scene = Scene::closed(Front::haproxy, "vitals()", rules);
    scene.shop.edit_line("watch = [vitals()], ", "");
    scene.shop.edit_line("waves = [1, 2, \"100%\"]", "waves = [2, \"100%\"]");
    scene.begin("");
    let load = scene.steady();
    scene.release("harmless", "");
    let (ran, shown) = scene.deploy();
    load.stop();
    println!("{}", json!({ "state": shown["state"], "analysis": shown["analysis"] }));
    ran.code(0);
    assert_eq!(shown["analysis"]["verdict"], "pass", "{:#?}", Shop::story(&shown));
    let names: Vec<&str> = shown["analysis"]["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|metric| metric["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"errors") && names.contains(&"cpu") && names.contains(&"memory"), "{names:?}");
}
