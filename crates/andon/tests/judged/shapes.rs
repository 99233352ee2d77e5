//! Deployments of every shape are judged: with hosts that are held back, with two sets, and site by site.

use std::collections::BTreeSet;

use andon_testbed::Backend;
use serde_json::json;

use crate::front::Front;
use crate::project::text;
use crate::scene::{INSTANCES, Scene, put_back};
use crate::shop::{BALANCER_HOST, Shop, go_on, served};

/// Quick rules, with this window, and this about hosts that are held back.
fn rules(window: &str, holdback: &str) -> String {
    format!(
        r#"judge = judge(tick = "1s", warmup = "1s", observe = "3s", window = "{window}", holdback = "{holdback}"),"#
    )
}

#[test]
fn the_last_host_is_held_back_and_compared_until_its_time_has_come() {
    let scene = Scene::closed(Front::haproxy, "errors()", &rules("12s", "6s"));
    scene.begin("");
    let load = scene.steady();
    scene.release("next", "");
    let (ran, shown) = scene.deploy();
    load.stop();
    ran.code(0);
    let story = Shop::story(&shown);
    println!("{}", json!({ "analysis": shown["analysis"], "story": story }));
    assert_eq!(shown["hosts"]["changed"], INSTANCES, "{:#?}", Shop::story(&shown));
    // One, two, two, and the one that was held back.
    let gates = story.iter().filter(|what| what.contains("judg") || what.contains("compar")).count();
    assert!(gates >= 3, "{story:#?}");
    let at = |words: &str| Scene::second_of(&shown, words);
    let waited =
        (at("web6 draining") - at("new hosts are compared with old ones after wave 3")).rem_euclid(86_400.0);
    assert!(waited >= 5.5, "{waited} s: {story:#?}");
}

#[test]
fn a_bad_green_set_gives_its_first_users_back() {
    let half = usize::from(INSTANCES / 2);
    let twins = |backends: &[Backend]| -> Vec<Backend> {
        let (blue, green) = backends.split_at(half);
        let twin = |(blue, green): (&Backend, &Backend)| Backend {
            name: format!("{}.green", blue.name),
            address: green.address,
        };
        blue.iter().cloned().chain(blue.iter().zip(green).map(twin)).collect()
    };
    let scene = Scene::closed(|backends| Front::proxy(&twins(backends)), "errors()", &rules("30s", "0s"));
    let (blue, green) = scene.shop.backends().split_at(half);
    let sets = format!(
        "watch = [errors()], {} blue_green = blue_green(green = [{}], steps = [\"20%\", \"100%\"], step_time = \"2s\"),",
        rules("30s", "0s"),
        green[0].address.port() - 1
    );
    scene.shop.write_line_of(half, &scene.front.expression(BALANCER_HOST), &sets, "");
    scene.begin("");
    let old = text(&scene.shop.newest(), "release").to_owned();
    let load = scene.steady();
    scene.release("bad", "--failing 400000");
    let (ran, shown) = scene.deploy();
    let story = Shop::story(&shown).join("\n");
    println!("{}", json!({ "analysis": shown["analysis"], "story": story }));
    ran.code(1);
    let reason = put_back(&shown);
    assert!(reason.contains("errors") || reason.contains("requests"), "{reason}");
    assert!(!story.contains("100 %"), "it never got all users: {story}");
    // What was under way when the users were given back ends among these.
    go_on(&load, 100);
    let hurt = load.lap();
    println!("{}", json!({ "requests": hurt.requests, "failed": hurt.failed }));
    go_on(&load, 300);
    let after = load.lap();
    load.stop();
    assert_eq!(after.failed, 0, "{:?}", after.failures);
    let ports: BTreeSet<u16> = blue.iter().map(|backend| backend.address.port()).collect();
    assert_eq!(served(&after, &old), ports);

    // A good one goes through both steps.
    scene.shop.project.well(&["line", "start", "seen"]);
    let load = scene.steady();
    scene.release("good", "");
    let (ran, shown) = scene.deploy();
    println!("{}", json!({ "analysis": shown["analysis"] }));
    ran.code(0);
    load.stop();
}

#[test]
fn a_bad_release_is_put_back_in_the_first_site_that_gets_it() {
    let scene = Scene::closed(Front::haproxy, "errors()", &rules("30s", "0s"));
    let line = |rollout: &str| {
        let watch = format!("watch = [errors()], {}", rules("30s", "0s"));
        let front = scene.front.expression(BALANCER_HOST);
        scene.shop.write_line_of(INSTANCES.into(), &front, &watch, rollout);
        scene
            .shop
            .edit_line("port_offset = n)", "port_offset = n, site = [fra, fra, fra, ams, ams, ams][n - 1])");
        scene.shop.edit_line("web = group(", "fra = site(\"fra\")\nams = site(\"ams\")\nweb = group(");
    };
    line("by_site = True, min_available = \"50%\",");
    scene.begin("");
    let load = scene.steady();
    scene.release("bad", "--failing 200000");
    let (ran, shown) = scene.deploy();
    println!("{}", json!({ "analysis": shown["analysis"], "story": Shop::story(&shown) }));
    ran.code(1);
    put_back(&shown);
    assert_eq!(shown["hosts"]["changed"], 3, "{:#?}", Shop::story(&shown));
    load.lap();
    go_on(&load, 300);
    let after = load.lap();
    load.stop();
    assert_eq!(after.failed, 0, "{} failed", after.failed);
}
