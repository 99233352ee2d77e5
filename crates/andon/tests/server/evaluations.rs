//! Evaluations: asked for once, told, waited for, stopped.

use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::comparison::{request, tick};
use crate::site::Site;

/// Tells ticks until there is a verdict.
pub(crate) fn tell_until_over(site: &Site, id: &str, failed: u64) -> Value {
    for number in 1..=360 {
        let told = site.post(&format!("/v1/evaluations/{id}/ticks"), &tick(number, failed)).is(200).json();
        assert_eq!(told["entries"], number);
        if told["state"] != "running" {
            return told;
        }
    }
    panic!("{id} is never over: {}", site.get(&format!("/v1/evaluations/{id}")).body);
}

#[test]
fn a_harmful_release_fails_and_a_harmless_one_passes() {
    let site = Site::start();
    let begun = site.post("/v1/evaluations", &request("bad")).is(201).json();
    assert_eq!(
        (&begun["state"], &begun["verdict"], &begun["advice"]),
        (&json!("running"), &Value::Null, &json!("wait"))
    );
    let bad = tell_until_over(&site, "bad", 40);
    assert_eq!((&bad["state"], &bad["verdict"]), (&json!("judged"), &json!("fail")));
    assert_eq!(bad["advice"], "roll_back");
    assert_eq!((&bad["metrics"][0]["name"], &bad["metrics"][0]["blamed"]), (&json!("errors"), &json!(true)));
    assert!(bad["metrics"][0]["ratio"].as_f64().unwrap() > 10.0, "{bad:#}");
    assert!(bad["sentence"].as_str().unwrap().contains("errors"), "{bad:#}");

    site.post("/v1/evaluations", &request("good")).is(201);
    let good = tell_until_over(&site, "good", 1);
    assert_eq!(
        (&good["verdict"], &good["advice"], &good["sampled"]),
        (&json!("pass"), &json!("go_on"), &json!(true))
    );

    // What is over stays as it is, however it is asked for.
    for path in ["/v1/evaluations/bad", "/v1/evaluations/bad?wait=30s"] {
        assert_eq!(site.get(path).is(200).json(), bad);
    }
    assert_eq!(site.delete("/v1/evaluations/bad").is(200).json(), bad);
    site.post("/v1/evaluations/bad/ticks", &tick(400, 1))
        .is(409)
        .refuses("conflict", "evaluation bad is over: fail");
}

#[test]
fn the_same_request_is_the_same_evaluation_and_another_one_is_refused() {
    let site = Site::start();
    site.post("/v1/evaluations", &request("one")).is(201);
    site.post("/v1/evaluations/one/ticks", &tick(1, 1)).is(200);
    assert_eq!(site.post("/v1/evaluations", &request("one")).is(200).json()["entries"], 1);
    // The same in other words: in another order, with defaults that are written out.
    let mut same = request("one");
    same["rules"] =
        json!({ "window": "0h30m", "observe": "30s", "warmup": "0s", "tick": "5000ms", "alpha": 0.005 });
    same["metrics"] =
        json!([{ "worse": "higher", "kind": "errors", "weight": 1, "margin": 1.1, "name": "errors" }]);
    site.post("/v1/evaluations", &same).is(200);
    let mut other = request("one");
    other["rules"]["alpha"] = json!(0.01);
    site.post("/v1/evaluations", &other).is(409).refuses("conflict", "with another request");
    // Also when both come at once, and when it is over.
    site.delete("/v1/evaluations/one").is(200);
    site.post("/v1/evaluations", &same).is(200);
    site.post("/v1/evaluations", &other).is(409);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let asked: Vec<_> =
            (0..8).map(|_| scope.spawn(|| site.post("/v1/evaluations", &request("two")).status)).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 7, "{statuses:?}");
}

#[test]
fn a_tick_that_is_told_twice_counts_once_and_one_of_the_past_is_refused() {
    let site = Site::start();
    site.post("/v1/evaluations", &request("e")).is(201);
    let first = site.post("/v1/evaluations/e/ticks", &tick(2, 1)).is(200).json();
    assert_eq!(site.post("/v1/evaluations/e/ticks", &tick(2, 1)).is(200).json(), first);
    site.post("/v1/evaluations/e/ticks", &tick(1, 1))
        .is(400)
        .refuses("invalid_request", "before the entry that was told last");
    site.post("/v1/evaluations/e/ticks", &tick(2, 3)).is(400).refuses("invalid_request", "was told already");
    let mut wide = tick(3, 1);
    wide["tick"]["members"]["new1"]["readings"] = json!(["missing", "missing"]);
    site.post("/v1/evaluations/e/ticks", &wide).is(400).refuses("invalid_request", "new1 has more readings");
    assert_eq!(site.get("/v1/evaluations/e").json()["entries"], 1);
}

#[test]
fn a_wait_ends_with_the_verdict_or_with_its_time() {
    let site = Site::start();
    site.post("/v1/evaluations", &request("w")).is(201);
    let running = site.get("/v1/evaluations/w?wait=100ms").is(200).json();
    assert_eq!(running["state"], "running");
    let began = Instant::now();
    let judged = thread::scope(|scope| {
        let waiting = scope.spawn(|| site.get("/v1/evaluations/w?wait=60s").is(200).json());
        tell_until_over(&site, "w", 300);
        waiting.join().unwrap()
    });
    assert_eq!(judged["verdict"], "fail");
    // Not a measurement: had the wait not ended with the verdict, a minute would have passed.
    assert!(began.elapsed().as_secs() < 55, "{:?}", began.elapsed());
    site.get("/v1/evaluations/w?wait=soon").is(400).refuses("invalid_request", "wait: expected a duration");
    site.get("/v1/evaluations/w?wiat=1s").is(400).refuses("invalid_request", "unknown field `wiat`");
}

#[test]
fn a_stopped_evaluation_has_no_verdict_and_advises_to_hold() {
    let mut site = Site::start();
    site.post("/v1/evaluations", &request("s")).is(201);
    site.post("/v1/evaluations/s/ticks", &tick(1, 1)).is(200);
    let stopped = site.delete("/v1/evaluations/s").is(200).json();
    assert_eq!(
        (&stopped["state"], &stopped["verdict"], &stopped["advice"]),
        (&json!("terminated"), &Value::Null, &json!("hold"))
    );
    assert!(stopped["sentence"].as_str().unwrap().starts_with("stopped by its caller"));
    site.kill_and_start();
    assert_eq!(site.get("/v1/evaluations/s").is(200).json(), stopped);
    site.get("/v1/evaluations/nobody").is(404).refuses("not_found", "there is no evaluation nobody");
    site.delete("/v1/evaluations/nobody").is(404).refuses("not_found", "there is no evaluation nobody");
}

#[test]
fn a_window_that_is_over_without_a_verdict_is_inconclusive_and_the_rules_say_what_follows() {
    let site = Site::start();
    let mut asked = request("i");
    asked["rules"] = json!({ "tick": "5s", "warmup": "0s", "observe": "0s", "window": "30s", "inconclusive": "roll_back" });
    site.post("/v1/evaluations", &asked).is(201);
    // A tenth of the traffic: too little for either.
    let over = (1..=20).find_map(|number| {
        let mut few = tick(number, 0);
        for seen in few["tick"]["members"].as_object_mut().unwrap().values_mut() {
            seen["readings"] = json!([{ "count": { "events": 0, "of": 20 } }]);
        }
        let told = site.post("/v1/evaluations/i/ticks", &few).is(200).json();
        (told["state"] != "running").then_some(told)
    });
    let over = over.unwrap();
    assert_eq!((&over["verdict"], &over["advice"]), (&json!("inconclusive"), &json!("roll_back")));
}
