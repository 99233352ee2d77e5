//! What can be read over HTTP is what the commands print and what the ledger has.

use serde_json::Value;

use crate::house::House;

#[test]
fn deployments_are_read_as_the_commands_print_them() {
    let house = House::open();
    let number = house.deploy();
    house.until_ended(number);
    house.project.release("two", "exit 0");
    let second = house.deploy();
    house.until_ended(second);

    let project = &house.project;
    assert_eq!(house.get("/v1/deployments").is(200).json(), project.json(&["history"]));
    let mut shown = project.show(number);
    let events = shown.as_object_mut().unwrap().remove("events").unwrap();
    assert_eq!(house.get(&format!("/v1/deployments/{number}")).is(200).json(), shown);
    assert_eq!(house.get("/v1/line").is(200).json(), project.json(&["line"]));
    assert_eq!(house.get("/v1/scopes").is(200).json(), project.json(&["status"]));
    let told: Vec<Value> =
        house.get(&format!("/v1/deployments/{number}/entries")).is(200).json().as_array().unwrap().clone();
    let told_words: Vec<&Value> = told.iter().map(|entry| &entry["what"]).collect();
    let event_words: Vec<&Value> = events.as_array().unwrap().iter().map(|event| &event["what"]).collect();
    assert_eq!(told_words, event_words);
    assert_eq!(told[0]["seq"], 1);
    let rest = house.get(&format!("/v1/deployments/{number}/entries?after=2&limit=1")).is(200).json();
    assert_eq!((rest.as_array().unwrap().len(), &rest[0]["seq"]), (1, &Value::from(3)));

    let page = house.get("/v1/deployments?limit=1&service=www").is(200);
    assert_eq!(page.json()[0]["deployment"], second);
    let next = format!("</v1/deployments?before={second}&limit=1&service=www>; rel=\"next\"");
    assert_eq!(page.header("link"), next);
    assert_eq!(house.get("/v1/deployments?state=rolled_back").is(200).json(), Value::Array(Vec::new()));
    assert_eq!(house.get("/v1/deployments?by=nobody").is(200).json(), Value::Array(Vec::new()));
    let services = house.get("/v1/services").is(200).json();
    assert_eq!(services[0]["environments"]["production"][0], "web1", "{services:#}");
}

#[test]
fn the_ledger_is_read_as_it_is_kept() {
    let house = House::open();
    house.until_ended(house.deploy());
    let head = house.get("/v1/ledger").is(200).json()["head"].as_u64().unwrap();
    let records = house.get("/v1/ledger/records").is(200).json();
    let records = records.as_array().unwrap();
    let exported = house.project.well(&["ledger", "export"]).out;
    let exported: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records, &exported[..records.len()]);
    assert!(records.len() as u64 >= head);
    let stream = house.get("/v1/ledger/streams/deployment/1").is(200).json();
    let escaped = house.get("/v1/ledger/streams/deployment%2F1").is(200).json();
    assert_eq!(stream, escaped);
    assert!(stream.as_array().unwrap().iter().all(|record| record["stream"] == "deployment/1"));
    assert_eq!(
        house.get("/v1/ledger/streams/deployment/1?after=100000").is(200).json(),
        Value::Array(Vec::new())
    );
    let rows = house.get("/v1/ledger/views/deployment?limit=5").is(200).json();
    assert_eq!(rows[0]["key"], "1");
    let row = house.get("/v1/ledger/views/deployment/row?key=1").is(200).json();
    assert_eq!(row["body"], rows[0]["body"]);
    assert_eq!(house.get("/v1/ledger/views/deployment/row?key=2").is(200).json()["body"], Value::Null);
    let found = house.ask("POST", "/v1/ledger/verification", "", b"").is(200).json();
    assert_eq!(found["fault"], Value::Null, "{found:#}");
    assert_eq!(found["hash"].as_str().unwrap().len(), 64);
}

#[test]
fn what_hosts_print_is_read_in_pieces_and_does_nothing_to_a_terminal() {
    let house = House::open();
    house.project.release("loud", "printf 'caf\\303\\251 \\033[2J\\n'; exit 0");
    let number = house.deploy();
    house.until_ended(number);
    let path = format!("/v1/deployments/{number}/hosts/web1/output");
    let output = house.get(&path).is(200).json();
    let text = output["text"].as_str().unwrap();
    assert!(text.contains("café ") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(output["over"], true);
    let next = output["next"].as_u64().unwrap();
    let rest = house.get(&format!("{path}?offset={next}")).is(200).json();
    assert_eq!((&rest["text"], &rest["next"]), (&Value::from(""), &Value::from(next)));
    house.get(&format!("/v1/deployments/{number}/hosts/web9/output")).is(404);
    house.get(&format!("/v1/deployments/{number}/hosts/..%2f..%2fledger/output")).is(400);
}
