//! What is not done has a code, a reason and what to do next.

use serde_json::json;

use crate::house::House;

#[test]
fn each_refusal_has_its_own_code() {
    let house = House::open();
    let wanted = json!({ "service": "www", "environment": "production" });
    house
        .post("/v1/deployments", &json!({ "service": "wvw" }))
        .is(404)
        .refuses("not_found", "there is no service \"wvw\"");
    house
        .post("/v1/deployments", &json!({ "service": 7 }))
        .is(400)
        .refuses("invalid_request", "invalid type");
    house
        .post(
            "/v1/deployments",
            &json!({ "service": "www", "kind": "rollback", "release": "r-000000000000" }),
        )
        .is(404)
        .refuses("not_found", "r-000000000000");
    house.get("/v1/deployments/7").is(404).refuses("not_found", "there is no deployment #7");
    house.get("/v1/deployments/x").is(400).refuses("invalid_request", "");
    house.get("/v1/deployments?befor=3").is(400).refuses("invalid_request", "befor");
    house.get("/v1/deployments?limit=0").is(400).refuses("invalid_request", "limit is 1 to 1000");
    house.get("/v1/nothing").is(404).refuses("not_found", "there is nothing at /v1/nothing");
    house
        .ask("DELETE", "/v1/deployments", "", b"")
        .is(405)
        .refuses("method_not_allowed", "DELETE is not for");

    let first = house.until_ended(house.deploy());
    assert_eq!(first["state"], "succeeded", "{first:#}");
    house.post("/v1/deployments", &wanted).is(409).refuses("nothing_to_do", "run");
    house.post("/v1/deployments/1/pause", &json!({})).is(409).refuses("not_now", "has ended already");
    house.post("/v1/line/stop", &json!({ "why": "orders fell" })).is(200);
    house.project.release("two", "exit 0");
    let refused = house.post("/v1/deployments", &wanted).is(409);
    refused.refuses("line_stopped", "orders fell");
    assert!(refused.json()["error"]["next"].as_str().unwrap().contains("andon line start"));
    house.post("/v1/line/start", &json!({ "why": "it was the index" })).is(200);
    house.project.release("broken", "exit 1");
    let broken = house.until_ended(house.deploy());
    assert_eq!(broken["state"], "rolled_back", "{broken:#}");
    house.post("/v1/line/start", &json!({ "why": "tried" })).is(200);
    let bad = house.post("/v1/deployments", &wanted).is(409);
    bad.refuses("bad_release", "is bad and is not deployed again");
    assert!(bad.json()["error"]["why"].as_str().unwrap().contains("nothing has been changed"));
}

#[test]
fn what_stands_in_the_ledger_for_ever_is_said_in_a_sentence() {
    let house = House::open();
    let why = "x".repeat(1_001);
    let approval =
        json!({ "service": "www", "environment": "production", "release": "r-000000000000", "why": why });
    let run = json!({ "hosts": 1, "passes": { "allow_wide": why } });
    let long = "has at most 1000 bytes, not 1001";
    house.post("/v1/approvals", &approval).is(400).refuses("invalid_request", long);
    house.post("/v1/environments/production/runs", &run).is(400).refuses("invalid_request", long);
    for what in ["pause", "resume", "abort"] {
        let path = format!("/v1/deployments/7/{what}");
        house.post(&path, &json!({ "why": why })).is(400).refuses("invalid_request", long);
    }
}
