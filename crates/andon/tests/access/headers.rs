//! What every answer tells a browser.

use crate::browser::Browser;
use crate::client::Answer;
use crate::house::House;

fn dressed(what: &str, answer: &Answer) {
    let is = |name: &str, value: &str| assert_eq!(answer.header(name), value, "{what}");
    is("x-content-type-options", "nosniff");
    is("x-frame-options", "DENY");
    is("referrer-policy", "same-origin");
    is("cross-origin-opener-policy", "same-origin");
    is("cross-origin-resource-policy", "same-origin");
    let policy = answer.header("content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{what}: {policy}");
    let kept = answer.header("cache-control");
    let may_be_kept = match what {
        // Its name changes with what it holds.
        what if what.starts_with("/assets/") && what.contains('-') => "public, max-age=31536000, immutable",
        // Readers ask whether they have changed; no proxy keeps them for others.
        "/feed.atom" => "no-cache",
        what if what.starts_with("/badge/") => "private, max-age=30",
        _ => "no-store",
    };
    assert!(
        kept == "no-store" || (kept == may_be_kept && matches!(answer.status, 200 | 404)),
        "{what}: {kept}"
    );
    assert!(answer.headers("server").is_empty() && answer.headers("access-control-allow-origin").is_empty());
}

/// Every page, on a server where `www` was deployed to staging once.
const PAGES: [&str; 26] = [
    "/",
    "/timeline",
    "/timeline/part",
    "/per-day",
    "/dora",
    "/dna",
    "/hosts",
    "/hosts/stage1",
    "/services",
    "/services/www",
    "/services/www/deploy",
    "/releases",
    "/releases/compare",
    "/ledger",
    "/ledger/1",
    "/settings",
    "/settings/access",
    "/settings/notifications",
    "/deployments/1",
    "/deployments/1?hosts=table&story=all",
    "/deployments/1/hosts/stage1",
    "/deployments/1/abort",
    "/deployments/1/rollback",
    "/deployments/99",
    "/sign-in",
    "/nothing-is-here",
];

/// What stands on pages and in readers of other people.
const PICTURES: [&str; 3] = ["/feed.atom", "/badge/www/staging.svg", "/badge/www/nothing.svg"];

#[test]
fn every_answer_tells_a_browser_what_it_may_do_whatever_is_answered() {
    let house = House::new();
    house.project.well(&["deploy", "www", "staging"]);
    let page = house.ask("GET", "/", "", "").is(200);
    dressed("/ while it is open", &page);
    let style = page.body.split("href=\"/assets/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    house.users(&[("guest", &[])]);
    let mut guest = Browser::of(&house, "guest");
    let document = guest.get("/v1/openapi.json").is(200).json();
    let mut paths: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let others = ["/sign-in/oidc", "/sign-in/oidc/return", "/health", "/nothing", "/v1/line"];
    paths.extend(PAGES.iter().chain(&PICTURES).chain(&others).map(|path| (*path).to_owned()));
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
    let page = guest.get("/");
    let script = page.header("content-security-policy");
    assert!(script.contains("script-src 'self'") && script.contains("form-action 'self'"), "{script}");
    // Without TLS nothing is promised about it.
    assert!(guest.get("/").headers("strict-transport-security").is_empty());
}

#[test]
fn no_page_has_a_script_a_style_or_a_handler_of_its_own() {
    let house = House::new();
    house.project.well(&["deploy", "www", "staging"]);
    house.user("ana", &["admin", "deploy", "line"]);
    house.token("ana", &[], "1d");
    let mut ana = Browser::of(&house, "ana");
    for path in PAGES {
        let page = ana.get(path);
        let wanted = match path {
            "/deployments/99" | "/nothing-is-here" => 404,
            // Nothing is said that could be compared.
            "/releases/compare" => 400,
            _ => 200,
        };
        let page = page.is(wanted).body;
        assert!(path.ends_with("/part") || page.contains("src=\"/assets/"), "{path} has no script: {page}");
        plain(path, &page);
    }
    for path in PICTURES {
        plain(path, &ana.get(path).body);
    }
}

/// Nothing in this markup acts or is dressed by itself.
fn plain(path: &str, markup: &str) {
    let low = markup.to_ascii_lowercase();
    assert!(low.contains('<') && !low.contains("javascript:"), "{path}: {markup}");
    for tag in low.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        // What stands in quotes is a value, and every other piece is outside of them.
        let outside: Vec<&str> = tag.split('"').step_by(2).collect();
        let outside = outside.join(" ");
        let mut words = outside.split_whitespace();
        let name = words.next().unwrap_or_default();
        assert_ne!(name, "style", "{path}: {tag}");
        assert!(name != "script" || tag.contains("src=\"/assets/"), "{path}: {tag}");
        let own = words.find(|word| word.starts_with("on") || word.starts_with("style"));
        assert_eq!(own, None, "{path}: {tag}");
    }
    for script in low.split("<script").skip(1) {
        let held = script.split_once('>').unwrap().1.split("</script").next().unwrap();
        assert_eq!(held, "", "{path}: a script that stands in the page itself");
    }
}
