//! What a client may send, or fail to send, without hurting anybody.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::client::answer;
use crate::comparison::{request, tick};
use crate::site::{LIMIT, Site, command};

#[test]
fn bodies_that_make_no_sense_are_refused_with_what_is_wrong() {
    let site = Site::start();
    let refused = |body: &Value, words: &str| {
        site.post("/v1/evaluations", body).is(400).refuses("invalid_request", words);
    };
    let with = |path: &[&str], value: Value| {
        let mut asked = request("e");
        let place = path.iter().fold(&mut asked, |place, key| match key.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[*key],
        });
        *place = value;
        asked
    };
    refused(&json!([]), "it is no JSON object");
    refused(&json!({}), "missing field `id`");
    refused(&with(&["id"], json!("../etc")), "the id is no name");
    refused(&with(&["id"], json!("x".repeat(101))), "at most 100 characters");
    refused(&with(&["metrix"], json!(1)), "unknown field `metrix`, expected one of `id`, `canary`");
    refused(&with(&["metrics"], json!([])), "metrics: there are 1 to 50, here 0");
    refused(&with(&["metrics", "0", "kind"], json!("mood")), "unknown variant `mood`");
    refused(&with(&["metrics", "0", "weight"], json!(0)), "metric errors: weight is greater than 0");
    refused(&with(&["metrics", "0", "harm"], json!(1)), "metric errors: harm is greater than margin");
    refused(&with(&["metrics", "0", "critical"], json!(false)), "at least one is critical");
    refused(&with(&["metrics", "0", "url"], json!("http://x")), "need a query");
    refused(&with(&["rules", "tick"], json!(5)), "invalid type: integer `5`, expected a string");
    refused(&with(&["rules", "tick"], json!("1ms")), "rules: tick is out of bounds");
    refused(&with(&["rules", "window"], json!("1y")), "rules: window: expected a duration");
    refused(&with(&["rules", "alpha"], json!(0.9)), "rules: alpha is between 0 and 0.5");
    let asks = |canary: Value, metric: Value| json!({ "id": "e", "canary": canary, "control": { "matcher": "v=\"1\"" }, "metrics": [metric] });
    let errors = json!({ "name": "errors", "query": "sum(e{{members}})", "url": "http://127.0.0.1:1" });
    refused(&asks(json!({ "matcher": "v=\"1\"" }), errors.clone()), "the same matcher");
    refused(&asks(json!({ "matcher": "v=\"2\"} or x{" }), errors.clone()), "canary: expected matchers");
    refused(&asks(json!({ "hosts": ["web1"] }), errors.clone()), "both hosts, or both a matcher");
    refused(&asks(json!({}), errors), "canary: say either matcher or hosts");
    let plain = json!({ "name": "errors", "query": "sum(e)", "url": "http://127.0.0.1:1" });
    refused(&asks(json!({ "matcher": "v=\"2\"" }), plain), "query lacks {members}");
    let file = json!({ "name": "errors", "query": "e{{members}}", "url": "file:///etc/passwd" });
    refused(&asks(json!({ "matcher": "v=\"2\"" }), file), "url begins with http://");

    for (body, words) in [
        (Vec::new(), "it is no JSON object"),
        (b"{\"id\": \xff}".to_vec(), "the body cannot be read"),
        ("{\"id\":".repeat(100_000).into_bytes(), "the body cannot be read"),
    ] {
        site.ask("POST", "/v1/evaluations", "", &body).is(400).refuses("invalid_request", words);
    }
    site.post("/v1/evaluations", &request("e")).is(201);
    for (entry, words) in [
        (json!({ "tock": {} }), "unknown variant `tock`"),
        (json!({ "tick": { "at": "now" } }), "invalid type: string"),
        (json!({ "tick": { "at": 1e300, "over": 1, "members": {} } }), "invalid type: floating point"),
        (json!({ "tick": { "at": 1, "over": 0, "members": {} } }), "over is 0"),
        (json!({ "tick": { "at": 1, "over": 1, "members": { "a/b": {} } } }), "'/'"),
    ] {
        site.post("/v1/evaluations/e/ticks", &entry).is(400).refuses("invalid_request", words);
    }
    assert_eq!(site.get("/v1/evaluations/e").json()["entries"], 0);
    let mut extreme = tick(1, 400);
    extreme["tick"]["at"] = json!(i64::MAX);
    extreme["tick"]["members"]["new1"]["readings"] = json!([{ "count": { "events": u64::MAX, "of": 1 } }]);
    site.post("/v1/evaluations/e/ticks", &extreme).is(200);
}

#[test]
fn what_is_too_large_or_unknown_is_refused_and_the_server_goes_on() {
    let site = Site::start();
    let large = vec![b' '; 5 * 1024 * 1024];
    site.ask("POST", "/v1/evaluations", "", &large).is(413).refuses("too_large", "longer than 4 MiB");
    // Without a length, in pieces.
    let mut stream = site.connect();
    write!(stream, "POST /v1/evaluations HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    for _ in 0..5 {
        if write!(stream, "100000\r\n{}\r\n", " ".repeat(1 << 20)).is_err() {
            break;
        }
    }
    answer(&mut stream).is(413).refuses("too_large", "longer than 4 MiB");
    let long = format!("X-Long: {}\r\n", "x".repeat(40_000));
    assert_eq!(site.ask("GET", "/v1/line", &long, b"").status, 431);
    site.get("/nothing").is(404).refuses("not_found", "there is nothing at /nothing");
    site.get("/v1/evaluations").is(405).refuses("method_not_allowed", "GET is not for /v1/evaluations");
    site.get("/v1/evaluations/%2e%2e%2fetc").is(400).refuses("invalid_request", "the id is no name");
    let mut garbage = site.connect();
    garbage.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no http at all\r\n\r\n").unwrap();
    assert_eq!(answer(&mut garbage).status, 400);
    assert_eq!(site.get("/health").is(200).json()["status"], "ok");
}

#[test]
fn clients_that_never_finish_are_left_and_hinder_nobody() {
    let site = Site::start();
    let mut heads: Vec<TcpStream> = (0..200).map(|_| site.connect()).collect();
    for stream in &mut heads {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: ").unwrap();
    }
    let mut body = site.connect();
    write!(body, "POST /v1/evaluations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{{")
        .unwrap();
    assert_eq!(site.get("/health").is(200).json()["status"], "ok");
    // Each is left within its time: the connection ends without this side doing anything.
    for stream in &mut heads {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap_or_else(|error| panic!("not left within {LIMIT:?}: {error}"));
    }
    answer(&mut body).is(408).refuses("too_slow", "the body did not come within");
}

#[test]
fn beyond_this_machine_a_token_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let mut all = vec!["server", "--data", "data", "--listen", "0.0.0.0:0"];
        all.extend(words);
        let out = command(dir.path(), &all).output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (code, said) = run(&[]);
    assert!(code == Some(2) && said.contains("0.0.0.0:0 can be reached from other machines"), "{said}");
    let file = dir.path().join("token");
    fs::write(&file, "short\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (code, said) = run(&["--token-file", "token"]);
    assert!(code == Some(2) && said.contains("must hold one line of 16 to"), "{said}");
    fs::write(&file, "correct-horse-battery\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = run(&["--token-file", "token"]);
    assert!(code == Some(2) && said.contains("can be read by others"), "{said}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();

    let site = Site::start_with(&["--token-file", file.to_str().unwrap()], &[]);
    let ask = |line: &str| site.ask("GET", "/v1/line", line, b"");
    for wrong in [
        "",
        "Authorization: Bearer correct-horse-batterz\r\n",
        "Authorization: Bearer correct-horse\r\n",
        "Authorization: Basic correct-horse-battery\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer x\r\nAuthorization: Bearer correct-horse-battery\r\n",
    ] {
        let refused = ask(wrong).is(401);
        refused.refuses("unauthorised", "the token is missing or wrong");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    site.get("/nothing").is(401);
    site.get("/health").is(200);
    ask("Authorization: Bearer correct-horse-battery\r\n").is(200);
    ask("authorization: bearer correct-horse-battery\r\n").is(200);
}
