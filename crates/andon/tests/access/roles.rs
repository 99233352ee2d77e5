//! Everybody who is let in reads; each deed needs its role, in its place.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::client::Answer;
use crate::house::House;
use crate::project::{Project, QUICK};

fn deploy(environment: &str) -> String {
    json!({ "service": "www", "environment": environment }).to_string()
}

/// A deed: how it is asked for, and who may do it.
type DeedAsked = (&'static str, &'static str, String, &'static [&'static str]);

/// A line that tells somebody, and a deployment to staging that is over.
fn house() -> House {
    let project = Project::new();
    let hosts = "{\"staging\": group(\"stage\", [\"stage1\"], local = True), \
                  \"production\": group(\"web\", [\"web1\"], local = True)}";
    project.write_line(hosts, QUICK, "tell = tell(team = [webhook(\"http://127.0.0.1:9/x\")])");
    project.release("one", "exit 0");
    project.well(&["deploy", "www", "staging"]);
    let house = House::in_project(project, &[]);
    // Guest may nothing, ben and cid one thing each, and what dan may is about another service.
    house.users(&[
        ("guest", &[]),
        ("ben", &["deploy:www/staging"]),
        ("cid", &["line"]),
        ("dan", &["deploy:api", "deploy:*/test"]),
    ]);
    house
}

#[test]
fn each_deed_needs_its_role_where_it_is_done() {
    let house = house();
    house.token("ana", &[], "1d");
    let mut all = ["guest", "ben", "cid", "dan", "ana"].map(|name| (name, Browser::of(&house, name)));
    for (name, browser) in &mut all {
        for path in [
            "/",
            "/settings/access",
            "/v1/line",
            "/v1/users",
            "/v1/tokens",
            "/v1/deployments",
            "/v1/approvals",
        ] {
            assert_eq!(browser.get(path).status, 200, "{name} reads {path}");
        }
    }
    for (method, path, body, may) in deeds().iter().chain(&deeds_of_administrators()) {
        for (name, browser) in all.iter_mut().filter(|(name, _)| *name != "ana") {
            let answer = browser.fetch(method, path, body);
            refused_unless(may.contains(name), name, &format!("{method} {path}"), &answer);
        }
    }
    let users = house.ask("GET", "/v1/users", &cookie(&all[0].1), "").is(200).json();
    let names: Vec<&Value> = users.as_array().unwrap().iter().map(|user| &user["name"]).collect();
    assert_eq!(names, ["ana", "ben", "cid", "dan", "guest"], "nothing was changed");
}

/// Each has a body that makes sense, so that nothing but the role is in the way.
fn deeds() -> Vec<DeedAsked> {
    let exception =
        json!({ "by": "x", "reference": "refs/heads/main", "commit": "4c1d9e2", "why": "y" }).to_string();
    let production = json!({ "service": "www", "environment": "production" }).to_string();
    let staging = json!({ "service": "www", "environment": "staging" }).to_string();
    let back = json!({ "service": "www", "environment": "production", "kind": "rollback" }).to_string();
    let approval =
        json!({ "service": "www", "environment": "production", "release": "r-51bc07e2a944" }).to_string();
    let why = json!({ "why": "to see" }).to_string();
    let run = json!({ "hosts": 1, "passes": {} }).to_string();
    let wish = json!({ "on": ["began"], "how": "webhook", "to": "tell-x" }).to_string();
    vec![
        ("POST", "/v1/deployments/1/pause", why.clone(), &["ben"]),
        ("POST", "/v1/deployments/1/resume", why.clone(), &["ben"]),
        ("POST", "/v1/deployments/1/abort", why.clone(), &["ben"]),
        ("POST", "/v1/deployments", production.clone(), &[]),
        ("POST", "/v1/deployments", back, &[]),
        ("POST", "/v1/deployments", staging.clone(), &["ben"]),
        ("POST", "/v1/releases", production.clone(), &[]),
        ("POST", "/v1/releases", staging.clone(), &["ben"]),
        ("PUT", BYTES, "x".to_owned(), &["ben"]),
        ("POST", "/v1/sweeps", "{}".to_owned(), &[]),
        ("POST", "/v1/sweeps", production, &[]),
        ("POST", "/v1/sweeps", staging, &["ben"]),
        ("POST", "/v1/environments/production/runs", run.clone(), &[]),
        ("POST", "/v1/environments/staging/runs", run, &["ben"]),
        ("POST", "/v1/approvals", approval, &[]),
        ("POST", "/v1/line/exceptions", exception, &["cid"]),
        ("POST", "/v1/line/stop", why.clone(), &["cid"]),
        ("POST", "/v1/line/start", why, &["cid"]),
        ("POST", "/v1/messages/retry", String::new(), &["cid"]),
        ("POST", "/v1/messages/test", json!({ "service": "www" }).to_string(), &[]),
        ("POST", "/v1/metrics?host=web1", "x_total 1\n# EOF\n".to_owned(), &["ben", "cid", "dan"]),
        ("POST", "/v1/evaluations", "{}".to_owned(), &["ben", "cid", "dan"]),
        ("POST", "/v1/subscriptions", wish, &["guest", "ben", "cid", "dan"]),
        ("POST", "/v1/subscriptions/9/end", String::new(), &["guest", "ben", "cid", "dan"]),
    ]
}

/// The bytes of a release that nobody has brought.
const BYTES: &str =
    "/v1/releases/0000000000000000000000000000000000000000000000000000000000000000/bytes?packing=tar";

fn deeds_of_administrators() -> Vec<DeedAsked> {
    let user = json!({ "name": "eve", "grants": ["admin"] }).to_string();
    let grants = json!({ "grants": ["admin"] }).to_string();
    let password = json!({ "password": "taken over by a guest" }).to_string();
    let token = json!({ "name": "t", "user": "ana", "grants": ["admin"], "expires_in": "1d" }).to_string();
    vec![
        ("POST", "/v1/users", user, &[]),
        ("POST", "/v1/users/guest/grants", grants, &[]),
        ("POST", "/v1/users/ana/password", password, &[]),
        ("DELETE", "/v1/users/guest", String::new(), &[]),
        ("POST", "/v1/tokens", token, &[]),
        ("DELETE", "/v1/tokens/1", String::new(), &[]),
    ]
}

/// Whoever may is not refused for want of a role, whatever else is in the way; everybody else is, by name.
#[track_caller]
fn refused_unless(may: bool, name: &str, what: &str, answer: &Answer) {
    assert!((200..500).contains(&answer.status), "{name} {what}: {answer:?}");
    assert_eq!(answer.status == 403, !may, "{name} {what}: {answer:?}");
    if !may {
        let said = answer.body.contains(&format!("{name} may not"));
        assert!(said, "{name} {what}: another door was shut: {answer:?}");
    }
}

#[test]
fn the_forms_of_pages_are_held_to_the_same() {
    let house = house();
    house.token("ana", &[], "1d");
    let forms: [(&str, &str, &[&str]); 13] = [
        ("/line/stop", "why=to+see", &["cid"]),
        ("/line/start", "why=to+see", &["cid"]),
        ("/approvals", "service=www&environment=production&release=r-51bc07e2a944", &[]),
        ("/deployments/1/pause", "why=to+see", &["ben"]),
        ("/deployments/1/resume", "why=to+see", &["ben"]),
        ("/deployments/1/abort", "why=to+see&after=leave", &["ben"]),
        ("/deployments/1/rollback", "why=to+see&release=r-51bc07e2a944", &["ben"]),
        ("/services/www/deploy", "why=to+see&environment=production", &[]),
        ("/services/www/stage", "why=to+see&environment=production", &[]),
        ("/services/www/stage", "why=to+see&environment=staging", &["ben"]),
        ("/ledger/verification", "", &["guest", "ben", "cid", "dan"]),
        ("/settings/notifications", "how=webhook&to=tell-x&on=began", &["guest", "ben", "cid", "dan"]),
        ("/settings/notifications/end", "id=9", &["guest", "ben", "cid", "dan"]),
    ];
    let mut all = ["guest", "ben", "cid", "dan"].map(|name| (name, Browser::of(&house, name)));
    for (path, form, may) in &forms {
        for (name, browser) in &mut all {
            let answer = browser.form_with_token(path, form);
            refused_unless(may.contains(name), name, path, &answer);
        }
    }
    // Nor is anybody asked whether they really want what they may not.
    for path in ["/deployments/1/abort", "/deployments/1/rollback"] {
        for (name, browser) in &mut all {
            refused_unless(*name == "ben", name, path, &browser.get(path));
        }
    }
    for (name, browser) in &mut all {
        for what in ["add", "grant", "remove"] {
            let form = format!("do={what}&user=guest&grants=admin&password=");
            let answer = browser.form_with_token("/settings/access", &form).is(403);
            assert!(answer.body.contains(&format!("{name} may not look after users")), "{answer:?}");
        }
        browser.form_with_token("/settings/access", "do=revoke&token=1").is(403);
        browser.form_with_token("/settings/access", "do=token&name=t&grants=admin&days=1").is(409);
    }
    let users = house.ask("GET", "/v1/users", &cookie(&all[0].1), "").is(200).json();
    let granted: Vec<&Value> = users.as_array().unwrap().iter().map(|user| &user["grants"]).collect();
    let before = [
        json!(["admin"]),
        json!(["deploy:www/staging"]),
        json!(["line"]),
        json!(["deploy:*/test", "deploy:api"]),
        json!([]),
    ];
    assert_eq!(granted, before.iter().collect::<Vec<_>>(), "nothing was changed");
}

#[test]
fn what_somebody_does_stands_in_the_ledger_under_their_name() {
    let house = House::new();
    house.users(&[("ben", &["deploy:www"])]);
    let mut ben = Browser::of(&house, "ben");
    ben.fetch("POST", "/v1/deployments", &deploy("staging")).is(201);
    assert_eq!(house.project.show(1)["by"], "ben");
    let mut ana = Browser::of(&house, "ana");
    ana.fetch("POST", "/v1/users/ben/grants", &json!({ "grants": [] }).to_string()).is(200);
    let ledger = house.ledger();
    let last = ledger.lines().rfind(|line| line.contains("grants_set")).unwrap();
    let record: Value = serde_json::from_str(last).unwrap();
    assert_eq!(record["by"], "ana");
    // At once, without signing in anew.
    ben.fetch("POST", "/v1/deployments", &deploy("staging")).is(403).refuses("forbidden", "ben may not");
}

/// The gate alone refuses whoever has no role at all, before any handler is asked.
#[test]
fn no_path_that_changes_anything_is_open_to_somebody_who_may_only_read() {
    let house = House::new();
    house.users(&[("guest", &[])]);
    let mut guest = Browser::of(&house, "guest");
    let document = guest.get("/v1/openapi.json").is(200).json();
    let mut tried = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{name}", "ana").replace("{token}", "1").replace(['{', '}'], "");
        for method in
            methods.as_object().unwrap().keys().filter(|method| !matches!(method.as_str(), "get" | "head"))
        {
            let answer = guest.fetch(&method.to_uppercase(), &path, "{}");
            let theirs = ["/v1/tokens", "/v1/subscriptions"];
            let own = theirs.iter().any(|begins| path.starts_with(begins)) || path.ends_with("/password");
            let looks = matches!(path.as_str(), "/v1/plans" | "/v1/inspections" | "/v1/ledger/verification");
            let refused = match own || looks {
                // These need no role, and say what is wrong with an empty body.
                true => matches!(answer.status, 400 | 403) || path == "/v1/ledger/verification",
                false => answer.status == 403,
            };
            assert!(refused, "{method} {path}: {answer:?}");
            tried += 1;
        }
    }
    // Every change that the API has had so far: more may come, none may be left out.
    assert!(tried >= 30, "{tried}");
}

fn cookie(browser: &Browser<'_>) -> String {
    format!("Cookie: andon={}\r\n", browser.cookies["andon"])
}
