//! The line over HTTP, stopped and started by people at the terminal; and numbers that programs push.

use serde_json::{Value, json};

use crate::site::{Site, command};

/// `andon` with these words, on the ledger of the server, as ana.
fn andon(site: &Site, words: &[&str]) {
    let mut command = command(site.path(), words);
    let done = command.env("ANDON_DATA", site.path().join("data")).env("ANDON_USER", "ana").output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn a_line_that_a_person_stops_is_told_as_stopped_until_it_is_started() {
    let site = Site::start();
    let running = site.get("/v1/line").is(200).json();
    assert_eq!((&running["state"], &running["since"]), (&json!("running"), &Value::Null));
    let push = json!({ "by": "ben", "reference": "refs/heads/main", "commit": "4c1d9e2", "why": "the fix" });
    let passed = site.post("/v1/line/exceptions", &push).is(200).json();
    assert_eq!(
        (&passed["state"], &passed["recorded"]),
        (&json!("running"), &json!(false)),
        "there is nothing to except"
    );

    andon(&site, &["line", "stop", "orders fell"]);
    let stopped = site.get("/v1/line").is(200).json();
    assert_eq!((&stopped["state"], &stopped["reason"]), (&json!("stopped"), &json!("orders fell")));
    assert!(stopped["by"].as_str().unwrap().contains("ana"), "{stopped}");
    let since = stopped["since"].as_str().unwrap();
    assert!(since.len() == 24 && since.ends_with('Z') && since.contains('T'), "{since}");

    let passed = site.post("/v1/line/exceptions", &push).is(200).json();
    assert_eq!((&passed["state"], &passed["recorded"]), (&json!("stopped"), &json!(true)));
    let hook = json!({ "by": "ben", "ref": "refs/heads/main", "commit": "4c1d9e2", "why": "the fix" });
    site.post("/v1/line/exceptions", &hook).is(200);
    let mut empty = push;
    empty["why"] = json!(" ");
    site.post("/v1/line/exceptions", &empty).is(400).refuses("invalid_request", "why has 1 to 2000 bytes");
    site.post("/v1/line/exceptions", &json!({ "by": 7 }))
        .is(400)
        .refuses("invalid_request", "invalid type: integer");

    andon(&site, &["line", "start", "it was the index"]);
    let running = site.get("/v1/line").is(200).json();
    assert_eq!(running["state"], "running");
    assert_ne!(running["since"], Value::Null);
}

#[test]
fn pushed_numbers_are_taken_in_whole_or_refused_with_the_reason() {
    let site = Site::start();
    let push = |path: &str, text: &str| site.ask("POST", path, "", text.as_bytes());
    let text = "# TYPE orders counter\norders_total{host=\"web1\"} 3\norders_total{host=\"web2\"} 4\n# EOF\n";
    assert_eq!(push("/v1/metrics", text).is(200).json()["samples"], 2);
    let nobody = "orders_total 3\n# EOF\n";
    push("/v1/metrics", nobody).is(400).refuses("invalid_request", "does not say which host");
    assert_eq!(push("/v1/metrics?host=web3", nobody).is(200).json()["samples"], 1);
    push("/v1/metrics?host=../x", nobody).is(400).refuses("invalid_request", "a name");
    push("/v1/metrics", "{\"orders\": 3}").is(400).refuses("invalid_request", "is not OpenMetrics text");
    push("/v1/metrics", "\u{0}\u{1}").is(400);
}
