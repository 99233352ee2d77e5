//! Signing in and out: passwords, sessions, and how often one may try.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use andon_testbed::deadline::wait_until;

use crate::browser::Browser;
use crate::house::{House, PASSWORD};
use crate::project::{LIMIT, Project, contains};

#[test]
fn on_its_own_machine_a_server_without_users_asks_nobody_and_with_the_first_user_everybody() {
    let house = House::new();
    let open = house.ask("GET", "/v1/me", "", "").is(200).json();
    assert_eq!((&open["name"], &open["way"]), (&"ana".into(), &"machine".into()));
    house.user("ana", &["admin"]);
    house.ask("GET", "/v1/me", "", "").is(401).refuses("unauthorised", "the token is missing or wrong");
    for path in ["/", "/settings/access", "/v1/line", "/v1/ledger", "/v1/openapi.json", "/nothing"] {
        assert_eq!(house.ask("GET", path, "", "").status, 401, "{path}");
    }
    let mut browser = Browser::new(&house);
    let led = browser.get("/settings/access?x=1").is(303);
    assert_eq!(led.header("location"), "/sign-in?to=/settings/access%3Fx%3D1");
    browser.get("/sign-in").is(200);
    house.ask("GET", "/health", "", "").is(200);
}

/// A stranger's request that a proxy on this machine passes on comes from this machine, as far as the connection tells.
#[test]
fn what_a_proxy_passes_on_is_not_taken_for_somebody_on_this_machine() {
    let stop = "{\"why\": \"to see\"}";
    let house = House::new();
    house.ask("GET", "/v1/me", "", "").is(200);
    for line in [
        "X-Forwarded-For: 203.0.113.7",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Host: andon.example.com",
        "Forwarded: for=203.0.113.7",
    ] {
        let line = format!("{line}\r\n");
        house.ask("GET", "/v1/me", &line, "").is(401);
        house.ask("POST", "/v1/line/stop", &line, stop).is(401);
    }
    house.ask("GET", "/v1/me", "", "").is(200);
    drop(house);
    // Where people come by another name, a proxy is in front, whatever it says of them.
    let house = House::with("", &["--external-url", "https://andon.example.com"]);
    let here = house.address.to_string();
    for host in ["andon.example.com", here.as_str()] {
        for line in ["", "X-Forwarded-For: 203.0.113.7\r\n"] {
            let head = format!("HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{line}");
            house.raw(&format!("GET /v1/me {head}\r\n")).is(401);
            let length = stop.len();
            house.raw(&format!("POST /v1/line/stop {head}Content-Length: {length}\r\n\r\n{stop}")).is(401);
        }
    }
    house.user("ana", &["admin"]);
    let token = house.token("ana", &[], "1d");
    assert_eq!(house.bearer(&token, "GET", "/v1/me", "").is(200).json()["name"], "ana");
    drop(house);
    let project = Project::local(1);
    project.write("server.toml", "trusted_proxies = [\"127.0.0.1\"]\n");
    House::in_project(project, &["--config", "server.toml"]).ask("GET", "/v1/me", "", "").is(401);
    // A name of this machine leads nobody else here.
    let house = House::with("", &["--external-url", "http://localhost:8420"]);
    house.ask("GET", "/v1/me", "", "").is(200);
}

#[test]
fn whoever_signs_in_is_known_by_name_and_a_wrong_sign_in_does_not_tell_what_was_wrong() {
    let house = House::new();
    house.users(&[]);
    let mut browser = Browser::new(&house);
    let wrong = browser.sign_in("ana", "wrong horse battery").is(403);
    let unknown = browser.sign_in("bob", PASSWORD).is(403);
    assert_eq!(wrong.body.replace("ana", "bob"), unknown.body, "both are told in the same words");
    assert!(wrong.headers("set-cookie").is_empty() && browser.who().is_none());
    let signed = browser.sign_in("ana", PASSWORD).is(303);
    assert_eq!(signed.header("location"), "/");
    let cookie = signed.header("set-cookie");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    assert_eq!(browser.who().as_deref(), Some("ana"));
    let ledger = house.ledger();
    assert!(ledger.contains("signed_in") && !ledger.contains(PASSWORD), "{ledger}");
}

#[test]
fn who_guesses_has_to_wait_longer_each_time_and_is_told_how_long() {
    let house = House::new();
    house.users(&[]);
    let mut browser = Browser::new(&house);
    for guess in 0..5 {
        browser.sign_in("ana", &format!("wrong horse {guess} battery")).is(403);
    }
    let slowed = wait_until(LIMIT, || {
        let answer = browser.sign_in("ana", "wrong horse battery");
        if answer.status == 429 {
            assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
            assert!(answer.body.contains("tried too often"), "{answer:?}");
        }
        answer.status == 429
    });
    assert!(slowed, "nobody was ever slowed down");
    // Also who knows the password waits, and then is let in.
    let let_in = wait_until(LIMIT, || browser.sign_in("ana", PASSWORD).status == 303);
    assert!(let_in);
}

#[test]
fn a_session_that_somebody_else_chose_is_never_the_one_that_a_person_signs_in_with() {
    let house = House::new();
    house.users(&[]);
    let chosen = "a".repeat(64);
    let mut browser = Browser::new(&house);
    browser.cookies.insert("andon".into(), chosen.clone());
    browser.sign_in("ana", PASSWORD).is(303);
    let first = browser.cookies["andon"].clone();
    assert_ne!(first, chosen);
    let mut stranger = Browser::new(&house);
    stranger.cookies.insert("andon".into(), chosen);
    assert_eq!(stranger.who(), None, "the chosen one is worth nothing");
    // Signing in once more is a new session, and the one of before is over.
    browser.sign_in("ana", PASSWORD).is(303);
    assert_ne!(browser.cookies["andon"], first);
    stranger.cookies.insert("andon".into(), first);
    assert_eq!(stranger.who(), None);
    // Two at once are none: one of them may be somebody else's.
    let both = format!("Cookie: andon={}; andon={}\r\n", browser.cookies["andon"], "b".repeat(64));
    house.ask("GET", "/v1/me", &both, "").is(401);
}

#[test]
fn signing_out_ends_the_session_on_the_server() {
    let house = House::new();
    house.users(&[]);
    let mut browser = Browser::of(&house, "ana");
    let kept = browser.cookies.clone();
    let out = browser.form_with_token("/sign-out", "x=1").is(303);
    assert_eq!(out.header("location"), "/sign-in");
    assert!(out.header("set-cookie").starts_with("andon=; "));
    browser.cookies = kept;
    assert_eq!(browser.who(), None, "whoever copied the cookie has nothing");
}

#[test]
fn sessions_survive_a_restart_and_nothing_on_the_disk_opens_one() {
    let mut house = House::new();
    house.users(&[]);
    let cookies = Browser::of(&house, "ana").cookies;
    house.restart();
    let mut browser = Browser::new(&house);
    browser.cookies.clone_from(&cookies);
    assert_eq!(browser.who().as_deref(), Some("ana"));
    let mut files = Vec::new();
    walk(&house.project.data(), &mut files);
    assert!(files.iter().any(|path| path.ends_with("access/sessions.json")));
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        let holds = |secret: &str| contains(&bytes, secret.as_bytes());
        assert!(!holds(&cookies["andon"]) && !holds(PASSWORD), "{}", path.display());
        if path.starts_with(house.project.data().join("access")) {
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
    }
}

#[test]
fn a_new_password_and_a_removal_end_what_was_signed_in_before() {
    let house = House::new();
    house.users(&[("ben", &[]), ("cid", &[])]);
    let (mut ben, mut cid) = (Browser::of(&house, "ben"), Browser::of(&house, "cid"));
    house.typed(&["user", "password", "ben", "--password-stdin"], "another horse battery\n");
    house.project.well(&["user", "remove", "cid"]);
    assert_eq!((ben.who(), cid.who()), (None, None));
    ben.sign_in("ben", PASSWORD).is(403);
    ben.sign_in("ben", "another horse battery").is(303);
    cid.sign_in("cid", PASSWORD).is(403);
    // One's own, where the browser stands open, only with the present one.
    let new = "{\"password\": \"a third horse battery\", \"current\": \"wrong horse battery\"}";
    ben.fetch("POST", "/v1/users/ben/password", new).is(403).refuses("forbidden", "do not belong together");
    let new = new.replace("wrong horse", "another horse");
    ben.fetch("POST", "/v1/users/ben/password", &new).is(200);
    assert_eq!(ben.who(), None);
    ben.sign_in("ben", "a third horse battery").is(303);
}

fn walk(path: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found)
        } else if path.is_file() {
            found.push(path)
        }
    }
}
