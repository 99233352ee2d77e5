//! Argo Rollouts' web metric, as its source reads an answer: a GET, `jsonPath`, two conditions.

use std::thread;

use serde_json::{Value, json};

use crate::client::Answer;
use crate::comparison::request;
use crate::evaluations::tell_until_over;
use crate::site::Site;

/// A measurement as Argo takes it.
#[derive(Debug, PartialEq, Eq)]
enum Measurement {
    Successful,
    Failed,
    Inconclusive,
    Error,
}

/// `jsonPath: "{$.result}"`, `successCondition: result == "pass"`, `failureCondition: result == "fail"`. Neither is
/// inconclusive; a status other than 2xx, or a body that is no JSON, is an error.
fn measure(answer: &Answer) -> Measurement {
    let Ok(body) = serde_json::from_str::<Value>(&answer.body) else { return Measurement::Error };
    match (answer.status, body["result"].as_str()) {
        (200..300, Some("pass")) => Measurement::Successful,
        (200..300, Some("fail")) => Measurement::Failed,
        (200..300, Some(_)) => Measurement::Inconclusive,
        _ => Measurement::Error,
    }
}

#[test]
fn argo_reads_pass_fail_and_everything_else_as_inconclusive() {
    let site = Site::start();
    for id in ["good", "bad", "stopped"] {
        site.post("/v1/evaluations", &request(id)).is(201);
        assert_eq!(measure(&site.get(&format!("/v1/evaluations/{id}/argo"))), Measurement::Inconclusive);
        assert_eq!(measure(&site.get(&format!("/v1/evaluations/{id}/argo/verdict"))), Measurement::Error);
    }
    tell_until_over(&site, "good", 1);
    tell_until_over(&site, "bad", 40);
    site.delete("/v1/evaluations/stopped").is(200);
    for form in ["argo", "argo/verdict"] {
        let of = |id: &str| measure(&site.get(&format!("/v1/evaluations/{id}/{form}?wait=30s")));
        assert_eq!(of("good"), Measurement::Successful);
        assert_eq!(of("bad"), Measurement::Failed);
        assert_eq!(of("stopped"), Measurement::Inconclusive);
        assert_eq!(of("nobody"), Measurement::Error);
    }
    let shown = site.get("/v1/evaluations/bad/argo").json();
    assert_eq!((&shown["result"], &shown["advice"]), (&json!("fail"), &json!("roll_back")));
}

#[test]
fn a_measurement_that_waits_ends_with_the_verdict() {
    let site = Site::start();
    site.post("/v1/evaluations", &request("e")).is(201);
    let measured = thread::scope(|scope| {
        let waiting = scope.spawn(|| measure(&site.get("/v1/evaluations/e/argo/verdict?wait=60s")));
        tell_until_over(&site, "e", 300);
        waiting.join().unwrap()
    });
    assert_eq!(measured, Measurement::Failed);
}
