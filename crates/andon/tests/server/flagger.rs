//! Flagger's webhooks, with the payloads that it sends.

use serde_json::{Value, json};

use crate::client::Answer;
use crate::comparison::request;
use crate::evaluations::tell_until_over;
use crate::site::Site;

/// What Flagger posts for the canary `podinfo`.
fn payload(phase: &str, metadata: &Value) -> Value {
    json!({
        "name": "podinfo",
        "namespace": "test",
        "phase": phase,
        "checksum": "85d557f47b",
        "metadata": metadata,
    })
}

/// What the owner of the canary writes into `metadata.request`: no id.
fn asked() -> Value {
    let mut asked = request("");
    asked.as_object_mut().unwrap().remove("id");
    json!({ "request": asked.to_string() })
}

/// Flagger's own rule: a status above 202 halts.
fn goes_on(answer: &Answer) -> bool {
    answer.status != 0 && answer.status <= 202
}

/// The evaluation of the canary with this specification.
const ID: &str = "test.podinfo.85d557f47b";

#[test]
fn flagger_begins_goes_on_and_promotes_only_what_passed() {
    let site = Site::start();
    let hook = |hook: &str| site.post(&format!("/v1/flagger/{hook}"), &payload("Progressing", &asked()));
    assert!(!goes_on(&hook("rollback")), "there is nothing yet");
    assert!(goes_on(&hook("pre-rollout")));
    assert!(goes_on(&hook("rollout")), "nothing speaks against it");
    assert!(goes_on(&hook("confirm-traffic-increase")));
    let waits = hook("confirm-promotion");
    assert!(!goes_on(&waits) && waits.body.starts_with("running: "), "{waits:?}");
    tell_until_over(&site, ID, 1);
    let passed = hook("confirm-promotion");
    assert!(goes_on(&passed) && passed.body.starts_with("pass: "), "{passed:?}");
    assert!(goes_on(&hook("rollout")) && !goes_on(&hook("rollback")));
    assert!(goes_on(&hook("post-rollout")));
    assert_eq!(site.get(&format!("/v1/evaluations/{ID}")).json()["verdict"], "pass");
}

#[test]
fn flagger_halts_and_rolls_back_what_failed_and_is_told_why() {
    let site = Site::start();
    let hook = |hook: &str| site.post(&format!("/v1/flagger/{hook}"), &payload("Progressing", &asked()));
    assert!(goes_on(&hook("rollout")));
    tell_until_over(&site, ID, 40);
    for halted in ["rollout", "pre-rollout", "confirm-traffic-increase", "confirm-promotion"] {
        let answer = hook(halted);
        assert!(!goes_on(&answer) && answer.status < 429, "{answer:?}");
        assert!(answer.body.starts_with("fail: ") && answer.body.contains("errors"), "{answer:?}");
    }
    assert!(goes_on(&hook("rollback")), "200 means: roll back");
}

#[test]
fn flagger_may_name_an_evaluation_and_ends_one_that_it_no_longer_needs() {
    let site = Site::start();
    site.post("/v1/evaluations", &request("mine")).is(201);
    let named = json!({ "evaluation": "mine", "token": "16688eb5e9f289f1991c" });
    let hook = |hook: &str| site.post(&format!("/v1/flagger/{hook}"), &payload("Promoting", &named));
    assert!(goes_on(&hook("rollout")));
    assert!(goes_on(&hook("post-rollout")));
    assert_eq!(site.get("/v1/evaluations/mine").json()["state"], "terminated");
    assert!(!goes_on(&hook("rollout")), "what was stopped holds");
}

#[test]
fn payloads_that_make_no_sense_halt_with_the_reason() {
    let site = Site::start();
    let post = |hook: &str, body: &Value| site.post(&format!("/v1/flagger/{hook}"), body);
    post("rollout", &payload("Progressing", &json!({}))).is(404).refuses("not_found", ID);
    let old = json!({ "name": "podinfo", "namespace": "test", "phase": "Progressing" });
    post("rollout", &old).is(400).refuses("invalid_request", "sends no checksum");
    let garbled = json!({ "request": "{\"metrics\": [}" });
    post("rollout", &payload("Progressing", &garbled))
        .is(400)
        .refuses("invalid_request", "the request in the metadata");
    let misspelt = json!({ "request": "{\"metrix\": []}" });
    post("rollout", &payload("Progressing", &misspelt))
        .is(400)
        .refuses("invalid_request", "unknown field `metrix`");
    post("event", &payload("Progressing", &json!({}))).is(404).refuses("not_found", "no such hook");
}
