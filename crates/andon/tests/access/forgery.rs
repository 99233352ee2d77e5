//! What a page of somebody else can make a browser do here: nothing.

use serde_json::json;

use crate::browser::Browser;
use crate::house::{House, PASSWORD};

const ADD: &str = "do=add&user=eve&grants=admin&password=correct+horse+battery";

fn knows_eve(house: &House) -> bool {
    house.project.json(&["user", "list"]).to_string().contains("eve")
}

#[test]
fn a_form_without_its_token_or_with_another_one_changes_nothing() {
    let house = House::new();
    house.users(&[("ben", &["admin"])]);
    let mut ana = Browser::of(&house, "ana");
    let bens = Browser::of(&house, "ben").token();
    let own = ana.token();
    for token in ["", "&csrf=", "&csrf=x", &format!("&csrf={bens}"), &format!("&csrf={own}&csrf={own}")] {
        let answer = ana.form("/settings/access", &format!("{ADD}{token}")).is(403);
        answer.refuses("forbidden", "the form's token is missing or old");
    }
    let body = json!({ "name": "eve", "grants": ["admin"] }).to_string();
    for token in ["", "x", &bens] {
        ana.fetch_with(token, "POST", "/v1/users", &body).is(403);
    }
    // JSON without the header, as a form of another site could send it.
    ana.send("POST", "/v1/users", "Content-Type: text/plain\r\n", &body).is(403);
    ana.send("POST", "/v1/users", "", &body).is(403);
    ana.send("DELETE", "/v1/users/ben", "", "").is(403);
    ana.form("/sign-out", "x=1").is(403);
    assert!(!knows_eve(&house));
    ana.form("/settings/access", &format!("{ADD}&csrf={own}")).is(303);
    assert!(knows_eve(&house));
}

#[test]
fn a_page_of_another_site_changes_nothing_whatever_it_sends() {
    let house = House::new();
    house.users(&[]);
    let mut ana = Browser::of(&house, "ana");
    let token = ana.token();
    let home = ana.origin.clone();
    for (origin, site) in [
        ("https://evil.example", "cross-site"),
        ("https://evil.example", "same-origin"),
        ("null", "same-origin"),
        ("http://127.0.0.1", "same-origin"),
        (home.as_str(), "cross-site"),
        (home.as_str(), "same-site"),
    ] {
        (ana.origin, ana.site) = (origin.to_owned(), site);
        let form = format!("{ADD}&csrf={token}");
        ana.form("/settings/access", &form).is(403).refuses("forbidden", "a page of another site sent this");
        ana.fetch_with(&token, "DELETE", "/v1/users/ana", "").is(403);
        // Nor does it sign anybody in as somebody else.
        ana.sign_in("ana", PASSWORD).is(403).refuses("forbidden", "a page of another site sent this");
    }
    assert!(!knows_eve(&house));
}

#[test]
fn where_nobody_signs_in_a_browser_is_held_to_the_same_and_a_program_is_not() {
    let house = House::new();
    let body = json!({ "name": "eve", "grants": ["admin"] }).to_string();
    let evil = "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n";
    house.ask("POST", "/v1/users", evil, &body).is(403);
    // A form can send JSON as text; a browser of before says nothing of where it comes from.
    house.ask("POST", "/v1/users", "Content-Type: text/plain\r\n", &body).is(403);
    house.ask("POST", "/settings/access", "Content-Type: application/x-www-form-urlencoded\r\n", ADD).is(403);
    let own = format!("Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", house.address);
    house.ask("POST", "/v1/users", &own, &body).is(403).refuses("forbidden", "the form's token is missing");
    assert!(!knows_eve(&house));
    let mut browser = Browser::new(&house);
    browser.form_with_token("/settings/access", "do=remove&user=nobody").is(409);
    house.ask("POST", "/v1/users", "Content-Type: application/json\r\n", &body).is(201);
}

#[test]
fn a_token_in_a_header_needs_no_form() {
    let house = House::new();
    house.users(&[]);
    let token = house.token("ana", &["admin"], "1d");
    let lines = format!("Authorization: Bearer {token}\r\nOrigin: https://tool.example\r\n");
    let body = json!({ "name": "eve" }).to_string();
    house.ask("POST", "/v1/users", &lines, &body).is(201);
    // And no other page reads what it is answered.
    let answer = house.ask("OPTIONS", "/v1/users", "Origin: https://tool.example\r\n", "");
    assert!(!answer.head.to_ascii_lowercase().contains("access-control"), "{answer:?}");
}

#[test]
fn a_name_that_was_made_to_mean_this_machine_is_not_answered() {
    let house = House::new();
    let ask = |host: &str| {
        house.raw(&format!("GET /v1/line HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).status
    };
    let port = house.address.port();
    for good in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        "LOCALHOST".into(),
    ] {
        assert_eq!(ask(&good), 200, "{good}");
    }
    for bad in [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "x@localhost",
        "",
    ] {
        assert_eq!(ask(bad), 403, "{bad}");
    }
    // Two names are none, whichever of them comes first.
    for (first, second) in
        [("localhost", "evil.example"), ("evil.example", "localhost"), ("localhost", "localhost")]
    {
        let two =
            format!("GET /v1/line HTTP/1.1\r\nHost: {first}\r\nHost: {second}\r\nConnection: close\r\n\r\n");
        house.raw(&two).is(403).refuses("forbidden", "this server is not ?");
    }
    // A browser writes a whole address into its first line only for a proxy. What it asks for stands in `Host` as well, and
    // that is what counts here; where there is no `Host`, the address counts.
    let whole = |lines: &str| {
        house.raw(&format!("GET http://evil.example/v1/line HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"))
    };
    whole("Host: localhost\r\n").is(200);
    whole("Host: evil.example\r\n").is(403);
    whole("").is(403);
    drop(house);

    let house = House::with("", &["--external-url", "https://andon.example.com"]);
    house.users(&[]);
    let ask = |host: &str| {
        house.raw(&format!("GET /sign-in HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).status
    };
    assert_eq!((ask("andon.example.com"), ask("evil.example"), ask("127.0.0.1:1")), (200, 403, 200));
}
