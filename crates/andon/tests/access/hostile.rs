//! Paths that climb, and words that would like to be more than text.

use serde_json::json;

use crate::browser::{Browser, encoded};
use crate::house::House;

const SCRIPT: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&";

/// What stands in files that no path leads to.
const PLANTED: &str = "root:x:0";

/// Paths that climb. The first ones would find what is planted if a name were taken for a path.
const CLIMBS: [&str; 16] = [
    "..%2fclimbed",
    "..%2f..%2foutput%2fclimbed",
    "%2e%2e%2fclimbed",
    "../climbed",
    "..%5cclimbed",
    "..%2f..%2faccess%2fclimbed",
    "../access/climbed",
    "../../../../etc/passwd",
    "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "....//....//etc/passwd",
    "%252e%252e%252fclimbed",
    "/etc/passwd",
    "%00/etc/passwd",
    "..%c0%afclimbed",
    "file:%2f%2f%2fetc%2fpasswd",
];

#[test]
fn paths_that_climb_lead_nowhere() {
    let house = House::new();
    house.project.well(&["deploy", "www", "staging"]);
    house.users(&[]);
    let mut ana = Browser::of(&house, "ana");
    // What a host printed is read from a file that has its name: these answer from the disk.
    let printed = ana.get("/v1/deployments/1/logs/stage1").is(200).body;
    assert!(printed.contains("script up.sh passed"), "{printed}");
    let piece = ana.get("/v1/deployments/1/hosts/stage1/output").is(200).json();
    assert!(piece["text"].as_str().unwrap().contains("script up.sh passed"), "{piece}");
    assert!(ana.get("/deployments/1/hosts/stage1").is(200).body.contains("script up.sh passed"));
    for planted in ["output/climbed.log", "output/climbed", "access/climbed", "releases/climbed.tar"] {
        std::fs::write(house.project.data().join(planted), PLANTED).unwrap();
    }
    let routes = [
        "/v1/deployments/1/logs/{}",
        "/v1/deployments/1/hosts/{}/output",
        "/v1/deployments/{}",
        "/v1/deployments/{}/logs/stage1",
        "/v1/deployments/{}/hosts/stage1/output",
        "/deployments/{}",
        "/deployments/{}/hosts/stage1",
        "/deployments/1/hosts/{}",
        "/v1/releases/{}/bytes?packing=tar",
        "/v1/evaluations/{}",
        "/assets/{}",
        "/badge/www/{}",
        "/badge/www/{}.svg",
        "/badge/{}/staging.svg",
        "/hosts/{}",
        "/services/{}",
        "/services/{}/deploy",
        "/ledger/{}",
        "/settings/{}",
        "/{}",
    ];
    for route in routes {
        for climb in CLIMBS {
            let path = route.replace("{}", climb);
            let answer = ana.get(&path);
            assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
            assert!(!answer.body.contains("root:"), "{path}: {answer:?}");
        }
    }
    // Any name may be asked of the ledger, and it has nothing under these.
    for climb in CLIMBS.iter().filter(|climb| !climb.contains("%c0")) {
        let path = format!("/v1/ledger/streams/{climb}");
        assert_eq!(ana.get(&path).is(200).json(), json!([]), "{path}");
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
        harmless(&ana.get(path).is(200).body);
    }
    // They came as far as the pages.
    let page = ana.get("/deployments/1").is(200).body;
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;"),
        "{page}"
    );
    assert!(ana.get("/").is(200).body.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn a_host_that_prints_html_is_text_on_every_page() {
    let house = House::new();
    house
        .project
        .release("loud", "printf '%s\\n' '<script>alert(1)</script><img src=x onerror=alert(2)>'; exit 1");
    house.project.run(&["deploy", "www", "staging"]).code(1);
    for path in ["/", "/deployments/1", "/deployments/1/hosts/stage1", "/timeline", "/ledger"] {
        harmless(&house.ask("GET", path, "Accept: text/html\r\n", "").is(200).body);
    }
    let page = house.ask("GET", "/deployments/1/hosts/stage1", "Accept: text/html\r\n", "").is(200).body;
    assert!(page.contains("&lt;script&gt;alert(1)"), "what the host printed is shown: {page}");
}

/// Nothing on this page is more than text.
#[track_caller]
fn harmless(page: &str) {
    assert!(page.contains("<html"), "this is no page: {page}");
    let low = page.to_ascii_lowercase();
    assert!(!low.contains("<script>alert") && !low.contains("<img src=x"), "{page}");
    assert!(!low.contains("\"'&\"") && !low.contains("onerror=alert(2)>\""), "{page}");
}
