//! Tokens: what they may, until when, and what is kept of them.

use andon_testbed::deadline::wait_until;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::house::{House, PASSWORD};
use crate::project::{LIMIT, contains};

#[test]
fn a_token_may_what_it_was_made_for_as_far_as_its_user_may_and_makes_no_other() {
    let house = House::new();
    house.users(&[("ben", &["deploy:www", "line"])]);
    let token = house.token("ben", &["deploy:www/staging"], "1d");
    let deploy = |environment: &str| {
        let body = json!({ "service": "www", "environment": environment }).to_string();
        house.bearer(&token, "POST", "/v1/deployments", &body)
    };
    let me = house.bearer(&token, "GET", "/v1/me", "").is(200).json();
    assert_eq!(
        (&me["name"], &me["grants"], &me["way"]),
        (&json!("ben"), &json!(["deploy:www/staging"]), &json!("token"))
    );
    deploy("production").is(403).refuses("forbidden", "ben may not deploy to www");
    let exception = json!({ "by": "x", "reference": "r", "commit": "c", "why": "y" }).to_string();
    house.bearer(&token, "POST", "/v1/line/exceptions", &exception).is(403);
    deploy("staging").is(201);
    assert_eq!(house.project.show(1)["by"], "ben");
    // It does not become more than it is.
    let wider = json!({ "name": "t", "grants": ["deploy:www"], "expires_in": "1d" }).to_string();
    house.bearer(&token, "POST", "/v1/tokens", &wider).is(403);
    let password = json!({ "password": "another horse battery", "current": PASSWORD }).to_string();
    house.bearer(&token, "POST", "/v1/users/ben/password", &password).is(403);
    let form =
        format!("Authorization: Bearer {token}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    house.ask("POST", "/settings/access", &form, "do=token&name=t&grants=line&days=1").is(403);
    let beyond = house.project.run(&["token", "make", "t", "--user", "ben", "--grant", "deploy:api"]);
    beyond.code(3).says("ben may not do deploy:api, so no token of theirs may");
    // A person makes one of their own, which is shown once.
    let mut ben = Browser::of(&house, "ben");
    let made = ben.form_with_token("/settings/access", "do=token&name=mine&grants=line&days=30").is(200);
    let secret = made.body.split_once("<code>andon_").unwrap().1.split('<').next().unwrap();
    let me = house.bearer(&format!("andon_{secret}"), "GET", "/v1/me", "").is(200).json();
    assert_eq!(me["grants"], json!(["line"]));
    assert!(!ben.get("/settings/access").body.contains(secret));
    // What the user may no more, the token may no more.
    house.project.well(&["user", "grant", "ben", "line"]);
    deploy("staging").is(403);
}

#[test]
fn a_token_ends_itself_and_no_other_one_of_its_user() {
    let house = House::new();
    house.users(&[("ben", &["deploy"])]);
    let (deploys, reads) = (house.token("ben", &["deploy"], "1d"), house.token("ben", &[], "1d"));
    let refused = house.bearer(&reads, "DELETE", "/v1/tokens/1", "").is(403);
    refused.refuses("forbidden", "ben may not look after users");
    house.bearer(&deploys, "GET", "/v1/me", "").is(200);
    house.bearer(&reads, "DELETE", "/v1/tokens/2", "").is(200);
    house.bearer(&reads, "GET", "/v1/me", "").is(401);
    Browser::of(&house, "ben").fetch("DELETE", "/v1/tokens/1", "").is(200);
    house.bearer(&deploys, "GET", "/v1/me", "").is(401);
}

#[test]
fn who_tells_of_somebody_elses_push_is_named_beside_them() {
    let house = House::new();
    house.users(&[("git", &["line"])]);
    let token = house.token("git", &["line"], "1d");
    let stop = json!({ "why": "orders fell" }).to_string();
    house.bearer(&token, "POST", "/v1/line/stop", &stop).is(200);
    let push = |by: &str| {
        let push = json!({ "by": by, "ref": "refs/heads/main", "commit": "4c1d9e2", "why": "the fix" });
        house.bearer(&token, "POST", "/v1/line/exceptions", &push.to_string()).is(200);
        let ledger = house.ledger();
        let last = ledger.lines().rfind(|line| line.contains("4c1d9e2")).unwrap();
        serde_json::from_str::<Value>(last).unwrap()
    };
    let record = push("ana");
    assert_eq!(record["by"], "git");
    assert!(record["fact"].to_string().contains("\"ana (told by git)\""), "{record}");
    assert!(!push("git").to_string().contains("told by"), "one name is enough");
}

#[test]
fn a_token_that_was_revoked_that_expired_or_whose_user_is_gone_is_worth_nothing() {
    let house = House::new();
    house.users(&[("ben", &["deploy"])]);
    let (revoked, gone) = (house.token("ana", &["admin"], "1d"), house.token("ben", &["deploy"], "1d"));
    let short = house.token("ana", &["admin"], "2s");
    let status = |token: &str| house.bearer(token, "GET", "/v1/me", "").status;
    assert_eq!((status(&revoked), status(&gone)), (200, 200));
    house.project.well(&["token", "revoke", "1"]);
    house.project.well(&["user", "remove", "ben"]);
    assert_eq!((status(&revoked), status(&gone)), (401, 401));
    assert!(wait_until(LIMIT, || status(&short) == 401), "it never expired");
    let good = house.token("ana", &[], "1d");
    let (head, secret) = good.rsplit_once('_').unwrap();
    let mut changed = secret.to_owned();
    changed.replace_range(..1, if secret.starts_with('0') { "1" } else { "0" });
    for wrong in [
        "",
        "x",
        "andon_",
        "andon_4",
        head,
        &format!("andon_99_{secret}"),
        &format!("{head}_{changed}"),
        &format!("{head}_"),
        &format!("andon_-1_{secret}"),
        &format!("andon_99999999999_{secret}"),
        &"a".repeat(9000),
    ] {
        assert_eq!(status(wrong), 401, "{wrong}");
    }
    // Neither twice, nor in another form.
    let twice = format!("Authorization: Bearer {good}\r\nAuthorization: Bearer {good}\r\n");
    house.ask("GET", "/v1/me", &twice, "").is(401);
    house.ask("GET", "/v1/me", &format!("Authorization: Basic {good}\r\n"), "").is(401);
    assert_eq!(house.ask("GET", &format!("/v1/me?token={good}"), "", "").status, 401);
    assert_eq!(status(&good), 200);
}

#[test]
fn a_feed_reader_shows_a_token_as_its_password_and_only_for_the_feed() {
    let house = House::new();
    house.users(&[("ben", &["deploy"])]);
    let token = house.token("ben", &[], "1d");
    let basic = |both: &str| format!("Authorization: Basic {}\r\n", STANDARD.encode(both));
    let asked = house.ask("GET", "/feed.atom", "", "").is(401);
    assert!(asked.headers("www-authenticate").iter().any(|way| way.starts_with("Basic realm=")));
    for reader in [format!("ben:{token}"), format!("a reader:{token}"), format!(":{token}")] {
        assert!(house.ask("GET", "/feed.atom", &basic(&reader), "").is(200).body.contains("<feed"));
    }
    for wrong in [format!("ben:{PASSWORD}"), format!("{token}:"), token.clone(), "ben:".into()] {
        house.ask("GET", "/feed.atom", &basic(&wrong), "").is(401);
    }
    let unread = ["Basic", "Basic  ", "Basic ä", "Basic ====", "Basic /w=="];
    for unread in unread.map(|value| format!("Authorization: {value}\r\n")) {
        house.ask("GET", "/feed.atom", &unread, "").is(401);
    }
    house.ask("POST", "/feed.atom", &basic(&format!("ben:{token}")), "").is(403);
    for elsewhere in ["/", "/v1/me", "/badge/www/staging.svg", "/feed.atom/", "//feed.atom"] {
        let answer = house.ask("GET", elsewhere, &basic(&format!("ben:{token}")), "").is(401);
        assert_eq!(answer.headers("www-authenticate"), ["Bearer"], "{elsewhere}");
    }
}

#[test]
fn nothing_that_readers_of_the_ledger_get_is_a_password_a_token_or_a_digest_of_one() {
    let house = House::new();
    house.users(&[("guest", &[])]);
    let token = house.token("ana", &["admin"], "1d");
    let mut guest = Browser::of(&house, "guest");
    let session = guest.cookies["andon"].clone();
    let secret = token.rsplit_once('_').unwrap().1.to_owned();
    let digest = |text: &str| blake3::hash(text.as_bytes()).to_hex().to_string();
    let kept: Vec<String> = std::fs::read_dir(house.project.data().join("access/secrets"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(kept.len(), 3);
    let password = kept.iter().find(|text| text.starts_with("argon2id m=19456 t=2 p=1 ")).unwrap();
    let (salt, hash) =
        password.rsplit_once(' ').map(|(rest, hash)| (rest.rsplit_once(' ').unwrap().1, hash)).unwrap();
    let mut told = vec![house.ledger()];
    for path in [
        "/v1/ledger/records",
        "/v1/ledger/streams/access",
        "/v1/users",
        "/v1/tokens",
        "/settings/access",
        "/v1/openapi.json",
    ] {
        let answer = guest.get(path).is(200);
        told.push(answer.body);
    }
    // Not even where the same request sent twice is to be answered in the same way.
    let mut ana = Browser::of(&house, "ana");
    let csrf = ana.token();
    let kept =
        format!("X-CSRF-Token: {csrf}\r\nIdempotency-Key: again\r\nContent-Type: application/json\r\n");
    let asked = json!({ "name": "second", "grants": ["admin"], "expires_in": "1d" }).to_string();
    let second =
        ana.send("POST", "/v1/tokens", &kept, &asked).is(201).json()["secret"].as_str().unwrap().to_owned();
    let user = json!({ "name": "dan", "password": PASSWORD }).to_string();
    ana.send("POST", "/v1/users", &kept.replace("again", "more"), &user).is(201);
    // An answer that holds no secret is kept there: this is the place to look at.
    let stop = json!({ "why": "to see what is kept" }).to_string();
    ana.send("POST", "/v1/line/stop", &kept.replace("again", "control"), &stop).is(200);
    let answers = guest.get("/v1/ledger/views/answer").is(200).body;
    assert!(answers.contains("\"control\"") && answers.contains("to see what is kept"), "{answers}");
    let asked = blake3::hash(format!("POST /v1/users\n{user}").as_bytes()).to_hex().to_string();
    assert!(!answers.contains(&second) && !answers.contains(&asked), "{answers}");
    told.push(answers);
    house.project.well(&["ledger", "backup", "copy"]);
    let copy = std::fs::read(house.project.path().join("copy")).unwrap();
    let forbidden = [
        PASSWORD,
        &secret,
        &digest(&secret),
        &digest(&token),
        &session,
        &digest(&session),
        "argon2id",
        salt,
        hash,
    ];
    for secret in forbidden {
        for text in &told {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(!contains(&copy, secret.as_bytes()), "{secret} in a backup");
    }
    assert!(told[0].contains("password_set") && told[0].contains("fingerprint"));
    // What lies there cannot be shown in the place of what it is a digest of.
    house.bearer(&format!("andon_1_{}", digest(&secret)), "GET", "/v1/me", "").is(401);
    let mut thief = Browser::new(&house);
    thief.cookies.insert("andon".into(), digest(&session));
    assert_eq!(thief.who(), None);
}

#[test]
fn the_token_file_of_hooks_stays_a_way_in() {
    let project = crate::project::Project::local(1);
    project.write("token", "a-token-of-hooks-and-pushers\n");
    let path = project.path().join("token");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let house = House::in_project(project, &["--token-file", path.to_str().unwrap()]);
    house.ask("GET", "/v1/line", "", "").is(401);
    let me: Value = house.bearer("a-token-of-hooks-and-pushers", "GET", "/v1/me", "").is(200).json();
    assert_eq!((&me["way"], &me["grants"]), (&json!("token_file"), &json!(["deploy", "line", "admin"])));
    house.user("ana", &["admin"]);
    house.bearer("a-token-of-hooks-and-pushers", "GET", "/v1/line", "").is(200);
    assert_eq!(Browser::of(&house, "ana").who().as_deref(), Some("ana"));
}
