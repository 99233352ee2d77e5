//! What nobody can know, and what is one host's fault: nothing passes in silence, and no release is blamed.

use andon_load::{Load, Mix};
use serde_json::{Value, json};

use crate::front::Front;
use crate::project::{host_state, text};
use crate::scene::Scene;
use crate::shop::{Shop, go_on};

fn rules(more: &str) -> String {
    format!(
        r#"judge = judge(tick = "1s", warmup = "1s", observe = "3s", window = "8s", holdback = "0s"{more}),"#
    )
}

/// The story tells of a deployment that nobody blames its release.
#[track_caller]
fn nobody_blames_the_release(scene: &Scene) {
    scene.shop.project.well(&["line"]).says("the line is running");
    scene.shop.project.run(&["plan", "www"]).never_says("--allow-bad");
}

#[test]
fn one_bad_host_is_put_back_and_the_release_goes_out() {
    let scene = Scene::closed(
        Front::haproxy,
        "errors()",
        r#"judge = judge(tick = "1s", warmup = "1s", observe = "4s", window = "20s", holdback = "0s"),"#,
    );
    scene.shop.edit_line("waves = [1, 2, \"100%\"]", "waves = [2, \"100%\"]");
    scene.begin("");
    scene.weather(5_000, 100);
    let load = scene.users();
    scene.release("next", "$([ \"$ANDON_HOST\" = web2 ] && echo --failing 300000)");
    let (ran, shown) = scene.deploy();
    let story = Shop::story(&shown);
    println!("{}", json!({ "code": ran.code, "analysis": shown["analysis"], "story": story }));
    load.stop();
    assert_eq!(shown["state"], "succeeded", "{:#?}", Shop::story(&shown));
    assert_eq!(host_state(&shown, "web2"), "reverted", "{:#?}", Shop::story(&shown));
    assert!(story.iter().any(|what| what.starts_with("web2 is unlike the others")), "{story:#?}");
    nobody_blames_the_release(&scene);
}

#[test]
fn without_users_a_person_is_asked_and_says_that_it_goes_on() {
    let scene = Scene::closed(Front::haproxy, "errors()", &rules(""));
    scene.begin("");
    scene.release("next", "");
    let running = scene.shop.deploy();
    let shown = scene.until_paused(2);
    println!("{}", json!({ "analysis": shown["analysis"], "waiting_for": shown["waiting_for"] }));
    assert_eq!(shown["analysis"]["verdict"], "none", "{:#?}", Shop::story(&shown));
    let waiting = text(&shown, "waiting_for");
    assert!(waiting.contains("andon resume 2") && waiting.contains("andon abort 2 --rollback"), "{waiting}");
    assert_eq!(shown["hosts"]["changed"], 1, "{:#?}", Shop::story(&shown));
    scene.shop.project.well(&["resume", "2"]);
    // The next wave is a question of its own.
    scene.shop.until_told(2, "wave 2");
    let shown = scene.until_paused(2);
    assert_eq!(shown["hosts"]["changed"], 3, "{:#?}", Shop::story(&shown));
    scene.shop.project.well(&["resume", "2"]);
    running.end().code(0);
    let shown = scene.shop.newest();
    assert_eq!(shown["state"], "succeeded", "{:#?}", Shop::story(&shown));
    let told = Shop::story(&shown).join("\n");
    assert!(!told.contains("harm is excluded"), "never in silence: {told}");
    nobody_blames_the_release(&scene);
}

#[test]
fn what_is_inconclusive_is_put_back_where_the_line_says_so_and_is_not_bad() {
    // Long enough for a machine that stands still now and then: a few ticks have to count.
    let rules = rules(r#", inconclusive = "rollback""#).replace("\"8s\"", "\"20s\"");
    let scene = Scene::closed(Front::haproxy, "errors()", &rules);
    scene.begin("");
    // Ten requests a second on the new release: enough to compare, and not enough to exclude harm.
    let few = Mix { rate: 60, slow: 0, uploads: 0, ..Mix::default() };
    let load = Load::start(scene.front.address(), few).unwrap();
    go_on(&load, 120);
    scene.release("next", "");
    let (ran, shown) = scene.deploy();
    load.stop();
    println!("{}", json!({ "analysis": shown["analysis"], "reason": shown["reason"] }));
    ran.code(1);
    assert_eq!(shown["state"], "rolled_back", "{:#?}", Shop::story(&shown));
    assert_eq!(shown["analysis"]["verdict"], "inconclusive", "{:#?}", Shop::story(&shown));
    assert!(text(&shown, "reason").contains("harm is not excluded"), "{:#?}", Shop::story(&shown));
    scene.shop.project.run(&["plan", "www"]).never_says("--allow-bad");
}

#[test]
fn an_old_release_that_is_broken_itself_is_no_measure_and_a_person_is_asked() {
    let scene = Scene::closed(Front::haproxy, "errors()", &rules(""));
    scene.begin("--failing 700000");
    let load = scene.users();
    scene.release("next", "");
    let running = scene.shop.deploy();
    let shown = scene.until_paused(2);
    println!("{}", json!({ "analysis": shown["analysis"] }));
    assert_eq!(shown["analysis"]["verdict"], "none", "{:#?}", Shop::story(&shown));
    let sentence = text(&shown["analysis"], "sentence");
    assert!(
        sentence.contains("requests to the old release fail: there is nothing to compare with"),
        "{sentence}"
    );
    scene.shop.project.well(&["abort", "2", "--rollback"]);
    running.end();
    load.stop();
    let shown: Value = scene.shop.newest();
    assert_eq!(shown["state"], "rolled_back", "{:#?}", Shop::story(&shown));
    nobody_blames_the_release(&scene);
}

#[test]
fn an_old_release_that_fails_a_third_is_still_a_measure_for_a_release_that_mends_it() {
    let scene = Scene::open(Front::haproxy, "errors()");
    scene.release("worn", "--failing 300000");
    scene.shop.edit_line("watch = [errors()]", "watch = [vitals()]");
    scene.shop.finish(scene.shop.deploy()).code(0);
    scene.shop.edit_line("watch = [vitals()]", "watch = [errors()]");
    let load = scene.users();
    scene.release("mended", "");
    let (ran, shown) = scene.deploy();
    load.stop();
    println!("{}", json!({ "analysis": shown["analysis"] }));
    ran.code(0);
    assert_eq!(shown["analysis"]["verdict"], "pass", "{:#?}", Shop::story(&shown));
}
