//! Changes that are asked for twice are done once.

use serde_json::json;

use crate::house::House;

#[test]
fn the_same_request_under_the_same_key_is_done_once_also_after_a_crash() {
    let mut house = House::open();
    let wanted = json!({ "service": "www", "environment": "production", "why": "the first" });
    let key = "Idempotency-Key: 6f1c-once\r\n";
    let first = house.post_as("/v1/deployments", &wanted, key).is(201);
    let number = first.json()["deployment"].as_u64().unwrap();
    house.until_ended(number);
    let again = house.post_as("/v1/deployments", &wanted, key).is(201);
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("location"), format!("/v1/deployments/{number}"));

    let other = json!({ "service": "www", "environment": "production", "why": "another" });
    house
        .post_as("/v1/deployments", &other, key)
        .is(409)
        .refuses("idempotency_mismatch", "stands for another");
    house.kill_and_start();
    let later = house.post_as("/v1/deployments", &wanted, key).is(201);
    assert_eq!(later.body, first.body);
    assert_eq!(house.get("/v1/deployments").json().as_array().unwrap().len(), 1);
    for wrong in
        ["Idempotency-Key: \r\n", "Idempotency-Key: a b\r\n", "Idempotency-Key: a\r\nIdempotency-Key: b\r\n"]
    {
        house
            .post_as("/v1/deployments", &wanted, wrong)
            .is(400)
            .refuses("invalid_request", "an idempotency key has 1 to 64");
    }
}

#[test]
fn what_is_asked_for_many_times_at_once_is_done_once() {
    let house = House::open();
    let why = json!({ "why": "orders fell" });
    let bodies: Vec<String> = std::thread::scope(|scope| {
        let stop = || house.post_as("/v1/line/stop", &why, "Idempotency-Key: many\r\n").is(200).body;
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(stop)).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    let line = house.get("/v1/line").is(200).json();
    assert_eq!(line["stops"].as_array().unwrap().len(), 1, "{line:#}");
    // Without a key each is one of its own.
    house.post("/v1/line/stop", &why).is(200);
    let line = house.get("/v1/line").is(200).json();
    assert_eq!(line["stops"].as_array().unwrap().len(), 2, "{line:#}");
}
