//! Paths that climb, and words that would like to be more than text.

use serde_json::json;

use crate::browser::{Browser, encoded};
use crate::house::House;

const SCRIPT: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&";

#[test]
fn paths_that_climb_lead_nowhere() {
    let house = House::new();
    house.users(&[]);
    let mut ana = Browser::of(&house, "ana");
    std::fs::write(house.project.data().join("access/secret-of-a-test"), "root:x:0").unwrap();
    let climbs = [
        "../../../../etc/passwd",
        "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "..%5c..%5cetc%5cpasswd",
        "....//....//etc/passwd",
        "%252e%252e%252fetc%252fpasswd",
        "/etc/passwd",
        "%00/etc/passwd",
        "..%c0%af..%c0%afetc/passwd",
        "../access/secret-of-a-test",
        "..%2faccess%2fsecret-of-a-test",
        "file:%2f%2f%2fetc%2fpasswd",
    ];
    let below = [
        "/",
        "/assets/",
        "/v1/ledger/streams/",
        "/v1/users/",
        "/v1/tokens/",
        "/v1/evaluations/",
        "/v1/deployments/",
        "/v1/deployments/1/output/",
        "/v1/deployments/1/hosts/",
        "/v1/releases/",
        "/releases/",
        "/deployments/",
        "/v1/releases/r-51bc07e2a944/",
        "/settings/access/",
    ];
    for base in below {
        for climb in climbs {
            let path = format!("{base}{climb}");
            let answer = ana.get(&path);
            assert!(!answer.body.contains("root:x:0"), "{path}: {answer:?}");
            assert!(answer.status >= 300 || !answer.body.contains("root:"), "{path}: {answer:?}");
            assert_ne!(answer.status, 500, "{path}");
        }
    }
}

#[test]
fn hostile_words_are_text_on_every_page() {
    let house = House::new();
    house.users(&[]);
    let mut ana = Browser::of(&house, "ana");
    // Names of users and services are none of these in the first place.
    ana.fetch("POST", "/v1/users", &json!({ "name": SCRIPT }).to_string()).is(400);
    let form = format!("do=add&user={}&grants=&password=", encoded(SCRIPT));
    let answer = ana.form_with_token("/settings/access", &form).is(400);
    harmless(&answer.body);
    ana.fetch("POST", "/v1/deployments", &json!({ "service": SCRIPT }).to_string()).is(400);
    // A token's name is a person's own words.
    let form = format!("do=token&name={}&grants=&days=1", encoded(SCRIPT));
    harmless(&ana.form_with_token("/settings/access", &form).is(200).body);
    let page = ana.get("/settings/access").is(200).body;
    assert!(page.contains("&lt;script&gt;"), "it is shown as text: {page}");
    harmless(&page);
    let form = format!("do={}", encoded(SCRIPT));
    harmless(&ana.form_with_token("/settings/access", &form).is(400).body);
    // What is typed into the page to sign in at, and where it leads.
    let mut nobody = Browser::new(&house);
    harmless(&nobody.sign_in(SCRIPT, "wrong horse battery").is(403).body);
    harmless(&nobody.get(&format!("/sign-in?to={}", encoded(&format!("/{SCRIPT}")))).is(200).body);
    for to in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let page = nobody.get(&format!("/sign-in?to={}", encoded(to))).is(200).body;
        assert!(page.contains("name=\"to\" value=\"/\""), "{to}: {page}");
    }
    // A person's reason and a commit's subject, on the pages that show them.
    house.project.well(&["line", "stop", SCRIPT]);
    let git = |words: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(words).current_dir(house.project.path());
        assert!(house.project.around(command).output().unwrap().status.success(), "{words:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "dist"]);
    git(&["-c", &format!("user.name={SCRIPT}"), "-c", "user.email=x@example.com", "commit", "-qm", SCRIPT]);
    house.project.well(&["line", "start", SCRIPT]);
    house.project.well(&["deploy", "www", "staging", "--why", SCRIPT]);
    for path in [
        "/",
        "/settings/access",
        "/deployments/1",
        "/timeline",
        "/ledger",
        "/releases",
        "/services",
        "/hosts",
    ] {
        harmless(&ana.get(path).body);
    }
}

#[test]
fn a_host_that_prints_html_is_text_on_every_page() {
    let house = House::new();
    house
        .project
        .release("loud", "printf '%s\\n' '<script>alert(1)</script><img src=x onerror=alert(2)>'; exit 1");
    house.project.run(&["deploy", "www", "staging"]).code(1);
    for path in ["/", "/deployments/1", "/deployments/1/hosts/stage1", "/timeline", "/ledger"] {
        harmless(&house.ask("GET", path, "Accept: text/html\r\n", "").body);
    }
}

/// Nothing in it is more than text.
#[track_caller]
fn harmless(page: &str) {
    // As JSON it is told as JSON, which no browser takes for a page.
    if page.starts_with('{') {
        return;
    }
    let low = page.to_ascii_lowercase();
    assert!(!low.contains("<script>alert") && !low.contains("<img src=x"), "{page}");
    assert!(!low.contains("\"'&\"") && !low.contains("onerror=alert(2)>\""), "{page}");
}
