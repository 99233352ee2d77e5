//! Everybody who is let in reads; each deed needs its role, in its place.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::house::House;

fn deploy(environment: &str) -> String {
    json!({ "service": "www", "environment": environment }).to_string()
}

#[test]
fn each_deed_needs_its_role_where_it_is_done() {
    let house = House::new();
    house.users(&[("guest", &[]), ("ben", &["deploy:www/staging"]), ("cid", &["line"])]);
    let mut all = ["guest", "ben", "cid", "ana"].map(|name| (name, Browser::of(&house, name)));
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
    let exception =
        json!({ "by": "x", "reference": "refs/heads/main", "commit": "4c1d9e2", "why": "y" }).to_string();
    let user = json!({ "name": "eve", "grants": ["admin"] }).to_string();
    let grants = json!({ "grants": ["admin"] }).to_string();
    let password = json!({ "password": "taken over by a guest" }).to_string();
    let token = json!({ "name": "t", "user": "ana", "grants": ["admin"], "expires_in": "1d" }).to_string();
    let approval =
        json!({ "service": "www", "environment": "production", "release": "r-51bc07e2a944" }).to_string();
    let deeds: [(&str, &str, String, &[&str]); 12] = [
        ("POST", "/v1/deployments", deploy("production"), &[]),
        ("POST", "/v1/deployments", deploy("staging"), &["ben"]),
        ("POST", "/v1/line/exceptions", exception, &["cid"]),
        ("POST", "/v1/users", user, &[]),
        ("POST", "/v1/users/guest/grants", grants, &[]),
        ("POST", "/v1/users/ana/password", password, &[]),
        ("DELETE", "/v1/users/guest", String::new(), &[]),
        ("POST", "/v1/tokens", token, &[]),
        ("DELETE", "/v1/tokens/1", String::new(), &[]),
        ("POST", "/v1/approvals", approval, &[]),
        ("POST", "/v1/metrics?host=web1", "x_total 1\n# EOF\n".to_owned(), &["ben", "cid"]),
        ("POST", "/v1/evaluations", "{}".to_owned(), &["ben", "cid"]),
    ];
    house.token("ana", &[], "1d");
    for (method, path, body, may) in &deeds {
        for (name, browser) in all.iter_mut().filter(|(name, _)| *name != "ana") {
            let answer = browser.fetch(method, path, body);
            let refused = answer.status == 403;
            assert_eq!(refused, !may.contains(name), "{name} {method} {path}: {answer:?}");
            if refused {
                answer.refuses("forbidden", &format!("{name} may not"));
            }
        }
    }
    let users = house.ask("GET", "/v1/users", &cookie(&all[0].1), "").is(200).json();
    let names: Vec<&Value> = users.as_array().unwrap().iter().map(|user| &user["name"]).collect();
    assert_eq!(names, ["ana", "ben", "cid", "guest"], "nothing was changed");
    // The forms of the page are held to the same.
    let (_, guest) = &mut all[0];
    for what in ["add", "grant", "remove"] {
        let form = format!("do={what}&user=guest&grants=admin&password=");
        let answer = guest.form_with_token("/settings/access", &form).is(403);
        assert!(answer.body.contains("guest may not look after users"), "{answer:?}");
    }
    guest.form_with_token("/settings/access", "do=revoke&token=1").is(403);
    guest.form_with_token("/settings/access", "do=token&name=t&grants=admin&days=1").is(409);
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
            let own = path.starts_with("/v1/tokens") || path.ends_with("/password");
            let looks = matches!(path.as_str(), "/v1/plans" | "/v1/inspections" | "/v1/ledger/verification");
            let refused = answer.status == 403 || (own && (400..500).contains(&answer.status));
            assert!(refused || looks, "{method} {path}: {answer:?}");
            tried += 1;
        }
    }
    assert!(tried >= 8, "{tried}");
}

fn cookie(browser: &Browser<'_>) -> String {
    format!("Cookie: andon={}\r\n", browser.cookies["andon"])
}
