//! Approvals: where the line asks for them, others agree before a release goes out.

use std::process::Command;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::house::House;
use crate::project::Project;

const ASKS: &str = "environment(\"production\", approvals = 1)\n";

#[test]
fn over_http_a_release_waits_until_somebody_else_who_may_deploy_there_agrees() {
    let house = House::with(ASKS, &[]);
    house.users(&[("ben", &["deploy"]), ("cid", &["deploy:*/production"]), ("guest", &[])]);
    let [mut ana, mut ben, mut cid, mut guest] =
        ["ana", "ben", "cid", "guest"].map(|name| Browser::of(&house, name));
    let deploy = json!({ "service": "www", "environment": "production", "why": "the new page" }).to_string();
    let refused = ben.fetch("POST", "/v1/deployments", &deploy).is(409);
    refused.refuses("unapproved", "needs 1 approval before it goes to www → production; there is none yet");
    assert_eq!(house.project.recorded(), 0);
    // Asking once more does not ask twice.
    ben.fetch("POST", "/v1/deployments", &deploy).is(409);
    let waiting: Value = guest.get("/v1/approvals").is(200).json();
    assert_eq!(waiting.as_array().unwrap().len(), 1);
    assert_eq!((&waiting[0]["by"], &waiting[0]["why"]), (&json!("ben"), &json!("the new page")));
    let release = waiting[0]["release"].clone();
    let approval = |release: &Value| {
        json!({ "service": "www", "environment": "production", "release": release }).to_string()
    };
    ben.fetch("POST", "/v1/approvals", &approval(&release))
        .is(409)
        .refuses("conflict", "somebody else has to approve");
    guest.fetch("POST", "/v1/approvals", &approval(&release)).is(403);
    ana.fetch("POST", "/v1/approvals", &approval(&json!("r-000000000000"))).is(409);
    cid.fetch("POST", "/v1/approvals", &approval(&release)).is(201);
    // Whoever may not deploy there any more has not agreed.
    let none = json!({ "grants": [] }).to_string();
    ana.fetch("POST", "/v1/users/cid/grants", &none).is(200);
    ben.fetch("POST", "/v1/deployments", &deploy).is(409);
    ana.fetch("POST", "/v1/approvals", &approval(&release)).is(201);
    // Another release has to be agreed to anew.
    house.project.release("two", "exit 0");
    ben.fetch("POST", "/v1/deployments", &deploy).is(409);
    house.project.release("one", "exit 0");
    ben.fetch("POST", "/v1/deployments", &deploy).is(201);
    house.project.until_shown(1, "it is over", |shown| shown["state"] == "succeeded");
    let left: Value = guest.get("/v1/approvals").is(200).json();
    assert_eq!(left.as_array().unwrap().len(), 1, "what went out waits no more: {left}");
    let ledger = house.ledger();
    for fact in ["\"asked\"", "\"approved\"", "\"used\""] {
        assert!(ledger.contains(fact), "{fact} in {ledger}");
    }
}

#[test]
fn at_the_terminal_the_refusal_asks_and_what_puts_things_right_does_not_wait() {
    let house = House::with(ASKS, &[]);
    let project: &Project = &house.project;
    project.well(&["tell", "subscribe", "--webhook", "tell-ops", "--on", "approval-asked"]);
    let refused = project.run(&["deploy", "www", "production"]).code(3);
    let refused = refused
        .says("needs 1 approval")
        .says("andon approve www production r-")
        .says("nothing has been changed");
    let release = refused.err.split("andon approve www production ").nth(1).unwrap().trim().to_owned();
    // Whoever wants to hear of that is told once, however often the deployment is tried.
    let told = || {
        let told = project.well(&["tell"]);
        told.out.matches(&format!("ana asks somebody else to approve {release} for www → production")).count()
    };
    assert_eq!(told(), 1);
    project.run(&["deploy", "www", "production"]).code(3);
    assert_eq!(told(), 1);
    project.well(&["deploy", "www", "staging"]);
    project.well(&["approve", "www", "production"]).says(&release).says("ana asked");
    project.run(&["approve", "www", "production", &release]).code(3).says("somebody else has to approve");
    let mut command = project.command(&["approve", "www", "production", &release, "--why", "read it"]);
    command.env("ANDON_USER", "ben");
    project.start_command(command).end().code(0).says("ben approved");
    project.well(&["deploy", "www", "production"]);
    project.well(&["approve", "www", "production"]).says("nothing waits for approval");
    // A release that nobody approved does not go out; the way back does.
    project.release("two", "exit 1");
    project.run(&["deploy", "www", "production"]).code(3).says("needs 1 approval");
    let mut command = project.command(&["approve", "www", "production", "--json"]);
    command.env("ANDON_USER", "ben");
    let waiting: Value = serde_json::from_str(&project.start_command(command).end().code(0).out).unwrap();
    let second = waiting[0]["release"].as_str().unwrap().to_owned();
    let mut command = project.command(&["approve", "www", "production", &second]);
    command.env("ANDON_USER", "ben");
    project.start_command(command).end().code(0);
    let failed = project.run(&["deploy", "www", "production"]).code(1);
    drop(failed);
    let number = project.recorded().to_string();
    project.release("three", "exit 0");
    project.well(&["deploy", "www", "production", "--fixes", &number, "--why", "mends it"]);
    project.well(&["rollback", "www", "production", "--why", "to see"]);
    project.well(&["ledger", "verify"]);
}

/// Puts what the line asks for in front of it, or takes it away.
fn asks(house: &House, asks: &str) {
    let written = std::fs::read_to_string(house.project.path().join("line.star")).unwrap();
    let (_, rest) = written.split_once("service(").unwrap();
    house.project.write("line.star", &format!("{asks}service({rest}"));
}

/// What somebody wants in production, with these further words.
fn wanted(more: &Value) -> String {
    let mut wanted = json!({ "service": "www", "environment": "production" });
    wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    wanted.to_string()
}

/// Brings a release for production over HTTP, and tells its name. Nobody has deployed it anywhere.
fn bring(house: &House, browser: &mut Browser<'_>) -> String {
    house.project.release("brought", "exit 0");
    let mut tar = Command::new("tar");
    tar.args(["-cf", "brought.tar", "-C", "dist", "."]).current_dir(house.project.path());
    assert!(tar.status().unwrap().success());
    let bytes = std::fs::read_to_string(house.project.path().join("brought.tar")).unwrap();
    let digest = blake3::hash(bytes.as_bytes()).to_hex().to_string();
    browser.fetch("PUT", &format!("/v1/releases/{digest}/bytes?packing=tar"), &bytes).is(200);
    let whole = wanted(&json!({ "digest": digest, "packing": "tar" }));
    let kept = browser.fetch("POST", "/v1/releases", &whole).is(201).json();
    kept["release"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_rollback_waits_for_nobody_and_so_leads_only_to_what_was_there_before() {
    let house = House::new();
    let project = &house.project;
    project.well(&["deploy", "www", "production"]);
    let first = project.show(1)["release"].as_str().unwrap().to_owned();
    house.users(&[("ben", &["deploy"])]);
    let mut ben = Browser::of(&house, "ben");
    let brought = bring(&house, &mut ben);
    // Staging runs what the line describes now, and production never did.
    project.well(&["deploy", "www", "staging"]);
    let at_staging = project.show(2)["release"].as_str().unwrap().to_owned();
    for approvals in ["", ASKS] {
        asks(&house, approvals);
        for (more, status) in [
            // There is no release before the first one.
            (json!({}), 409),
            (json!({ "from": "staging" }), 400),
            (json!({ "release": brought }), 409),
            (json!({ "release": "r-000000000000" }), 404),
        ] {
            let mut more = more;
            more["kind"] = json!("rollback");
            ben.fetch("POST", "/v1/deployments", &wanted(&more)).is(status);
            assert_eq!(project.recorded(), 2, "{more}");
        }
        let form = |release: &str| format!("why=back&release={release}");
        for release in [&brought, &at_staging] {
            ben.form_with_token("/deployments/1/rollback", &form(release)).is(400);
        }
        assert_eq!(project.recorded(), 2);
    }
    // As a deployment each of them waits for somebody else.
    for more in [json!({}), json!({ "from": "staging" }), json!({ "release": brought })] {
        let refused = ben.fetch("POST", "/v1/deployments", &wanted(&more)).is(409);
        refused.refuses("unapproved", "needs 1 approval");
    }
    asks(&house, "");
    project.release("two", "exit 0");
    project.well(&["deploy", "www", "production"]);
    let second = project.show(3)["release"].as_str().unwrap().to_owned();
    asks(&house, ASKS);
    // What served there is a way back, named or not, and waits for nobody.
    let mut back = |number: u64, more: Value, release: &str| {
        ben.fetch("POST", "/v1/deployments", &wanted(&more)).is(201);
        let shown = project.until_shown(number, "it is over", |shown| shown["state"] == "succeeded");
        assert_eq!((&shown["release"], &shown["by"]), (&json!(release), &json!("ben")));
    };
    back(4, json!({ "kind": "rollback" }), &first);
    back(5, json!({ "kind": "rollback", "release": second }), &second);
}

#[test]
fn a_fix_waits_for_nobody_where_there_is_something_to_repair() {
    let house = House::new();
    let project = &house.project;
    project.well(&["deploy", "www", "production"]);
    house.users(&[("ben", &["deploy"])]);
    let mut ben = Browser::of(&house, "ben");
    asks(&house, ASKS);
    project.release("two", "exit 0");
    // The first one went well, and the line runs.
    let refused = ben.fetch("POST", "/v1/deployments", &wanted(&json!({ "fixes": 1 }))).is(409);
    refused.refuses("unapproved", "needs 1 approval");
    ben.fetch("POST", "/v1/deployments", &wanted(&json!({ "fixes": 99 }))).is(404);
    assert_eq!(project.recorded(), 1);
    asks(&house, "");
    project.release("bad", "exit 1");
    project.run(&["deploy", "www", "production"]).code(1);
    asks(&house, ASKS);
    project.release("three", "exit 0");
    ben.fetch("POST", "/v1/deployments", &wanted(&json!({}))).is(409);
    ben.fetch("POST", "/v1/deployments", &wanted(&json!({ "fixes": 2, "why": "mends it" }))).is(201);
    project.until_shown(3, "it is over", |shown| shown["state"] == "succeeded");
}
