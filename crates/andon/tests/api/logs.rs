//! What the server says of what it does.

use andon_testbed::deadline::wait_until;
use serde_json::{Value, json};

use crate::house::House;
use crate::project::{LIMIT, Project};

#[test]
fn changes_and_deployments_are_told_in_one_line_each_and_secrets_are_not() {
    let house = House::of(Project::local(1), &["--log", "json"]);
    let number = house.deploy();
    house.until_ended(number);
    house.ask("POST", "/v1/a%1b[2Jb", "Authorization: Bearer not-to-be-told\r\n", b"");
    let mut lines: Vec<Value> = Vec::new();
    let held = wait_until(LIMIT, || {
        lines = house.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        lines.iter().any(|line| line["message"] == "a deployment is no longer driven here")
            && lines.iter().any(|line| line["status"] == 401 || line["status"] == 404)
    });
    let log = house.log();
    assert!(held, "{log}");
    assert!(!log.contains('\u{1b}') && !log.contains("not-to-be-told"), "{log}");
    let told = |message: &str| lines.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();
    let begun = told("a deployment is driven here");
    assert_eq!(
        (&begun[0]["deployment"], &begun[0]["scope"]),
        (&json!(number), &json!("www → production")),
        "{log}"
    );
    let asked = told("request");
    let post = asked.iter().find(|line| line["route"] == "/v1/deployments").unwrap();
    assert_eq!(
        (&post["method"], &post["status"], &post["level"]),
        (&json!("POST"), &json!(201), &json!("INFO"))
    );
    assert!(post["ms"].is_number() && post["visitor"].is_string(), "{post}");
    assert!(
        asked.iter().all(|line| line["method"] != "GET"),
        "reads are told only when somebody wants to know"
    );
}
