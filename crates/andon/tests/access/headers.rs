//! What every answer tells a browser.

use crate::browser::{Browser, header, headers};
use crate::house::House;
use crate::site::Answer;

fn dressed(what: &str, answer: &Answer) {
    let is = |name: &str, value: &str| assert_eq!(header(answer, name), value, "{what}");
    is("x-content-type-options", "nosniff");
    is("x-frame-options", "DENY");
    is("referrer-policy", "same-origin");
    is("cross-origin-opener-policy", "same-origin");
    is("cross-origin-resource-policy", "same-origin");
    let policy = header(answer, "content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{what}: {policy}");
    let kept = header(answer, "cache-control");
    assert!(kept == "no-store" || (what.starts_with("/assets/") && what.contains('-')), "{what}: {kept}");
    assert!(
        headers(answer, "server").is_empty() && headers(answer, "access-control-allow-origin").is_empty()
    );
}

#[test]
fn every_answer_tells_a_browser_what_it_may_do_whatever_is_answered() {
    let house = House::new();
    let page = house.ask("GET", "/", "", "").is(200);
    dressed("/ while it is open", &page);
    let style = page.body.split("href=\"/assets/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    house.users(&[("guest", &[])]);
    let mut guest = Browser::of(&house, "guest");
    let document = guest.get("/v1/openapi.json").is(200).json();
    let mut paths: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    paths.extend(
        [
            "/",
            "/settings/access",
            "/sign-in",
            "/sign-in/oidc",
            "/sign-in/oidc/return",
            "/health",
            "/nothing",
            "/v1/line",
        ]
        .map(str::to_owned),
    );
    paths.push(format!("/assets/{style}"));
    paths.push("/assets/nothing.css".to_owned());
    let known = format!("Cookie: andon={}\r\n", guest.cookies["andon"]);
    for path in &paths {
        let path = path.replace(['{', '}', '*'], "");
        for (method, lines) in [("GET", known.as_str()), ("GET", ""), ("PUT", ""), ("POST", known.as_str())] {
            dressed(&path, &house.head(method, &path, lines));
        }
    }
    let elsewhere = house.raw("GET / HTTP/1.1\r\nHost: evil.example.\r\nConnection: close\r\n\r\n");
    dressed("another host", &elsewhere);
    let script = header(&guest.get("/"), "content-security-policy");
    assert!(script.contains("script-src 'self'") && script.contains("form-action 'self'"), "{script}");
    // Without TLS nothing is promised about it.
    assert!(headers(&guest.get("/"), "strict-transport-security").is_empty());
}

#[test]
fn no_page_has_a_script_a_style_or_a_handler_of_its_own() {
    let house = House::new();
    house.users(&[]);
    house.token("ana", &[], "1d");
    let mut ana = Browser::of(&house, "ana");
    for path in ["/", "/settings/access", "/sign-in"] {
        let page = ana.get(path).is(200).body;
        let low = page.to_ascii_lowercase();
        assert!(!low.contains("<style") && !low.contains(" style="), "{page}");
        for tag in low.split("<script").skip(1) {
            assert!(tag.split('>').next().unwrap().contains("src=\"/assets/"), "{page}");
        }
        for tag in low.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            assert!(!tag.contains(" on") || !tag.contains("=\"javascript"), "{tag}");
            assert!(
                !tag.split_whitespace().skip(1).any(|word| word.starts_with("on") && word.contains('=')),
                "{tag}"
            );
        }
    }
}
