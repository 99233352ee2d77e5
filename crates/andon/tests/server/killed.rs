//! `kill -9` at any moment: the recording goes on, and the verdict is the same.

use std::fs;
use std::io::Write;

use serde_json::Value;

use crate::comparison::{request, tick};
use crate::site::Site;

#[test]
fn a_killed_server_comes_to_the_same_verdict() {
    let mut site = Site::start();
    site.post("/v1/evaluations", &request("whole")).is(201);
    site.post("/v1/evaluations", &request("cut")).is(201);
    let mut whole = Value::Null;
    for number in 1..=360 {
        whole = site.post("/v1/evaluations/whole/ticks", &tick(number, 6)).is(200).json();
        let cut = site.post("/v1/evaluations/cut/ticks", &tick(number, 6)).is(200).json();
        assert_eq!((&whole["sentence"], &whole["metrics"]), (&cut["sentence"], &cut["metrics"]));
        if whole["state"] != "running" {
            break;
        }
        if [1, 3, 4, 9].contains(&number) {
            let before = cut;
            site.kill();
            if number == 3 {
                // The power went in the middle of a line.
                let mut file = fs::OpenOptions::new().append(true).open(site.recording("cut")).unwrap();
                file.write_all(b"{\"tick\":{\"at\":18000").unwrap();
            }
            site.kill_and_start();
            assert_eq!(site.get("/v1/evaluations/cut").is(200).json(), before);
        }
    }
    assert_eq!(whole["verdict"], "fail");
    let cut = site.get("/v1/evaluations/cut").is(200).json();
    assert_eq!(
        (&whole["verdict"], &whole["metrics"], &whole["entries"]),
        (&cut["verdict"], &cut["metrics"], &cut["entries"])
    );
    assert_eq!(fs::read(site.recording("cut")).unwrap(), fs::read(site.recording("whole")).unwrap());
    site.kill_and_start();
    assert_eq!(site.get("/v1/evaluations/cut?wait=1s").is(200).json(), cut);
}

#[test]
fn a_server_that_was_killed_before_it_noted_the_end_notes_it_when_it_starts() {
    let mut site = Site::start();
    site.post("/v1/evaluations", &request("e")).is(201);
    let over = crate::evaluations::tell_until_over(&site, "e", 300);
    site.kill();
    fs::remove_file(site.recording("e").with_file_name("end.json")).unwrap();
    // One that was never completed is no evaluation.
    fs::create_dir(site.path().join("data/evaluations/.new-half")).unwrap();
    site.kill_and_start();
    assert_eq!(site.get("/v1/evaluations/e").is(200).json(), over);
    site.get("/v1/evaluations/half").is(404);
    assert!(!site.path().join("data/evaluations/.new-half").exists());
}

#[test]
fn a_damaged_evaluation_costs_only_itself() {
    let mut site = Site::start();
    site.post("/v1/evaluations", &request("well")).is(201);
    site.post("/v1/evaluations", &request("ill")).is(201);
    site.kill();
    let path = site.recording("ill");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}no entry\n")).unwrap();
    site.kill_and_start();
    site.get("/v1/evaluations/well").is(200);
    site.get("/v1/evaluations/ill").is(404);
    let said = fs::read_to_string(site.path().join("said")).unwrap();
    assert!(
        said.contains("evaluation ill is left out: ") && said.contains("recording.jsonl, line 2: "),
        "{said}"
    );
}
