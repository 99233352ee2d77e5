//! `andon canary replay`: a recording that is judged again says the same, bit for bit.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::comparison::request;
use crate::evaluations::tell_until_over;
use crate::site::{Site, command};

fn replay(dir: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let mut all = vec!["canary", "replay"];
    all.extend(words);
    let out = command(dir, &all).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

#[test]
fn a_recording_that_is_judged_again_says_the_same() {
    let site = Site::start();
    site.post("/v1/evaluations", &request("e")).is(201);
    let over = tell_until_over(&site, "e", 6);
    let file = site.recording("e");
    let file = file.to_str().unwrap();
    let (code, json, _) = replay(site.path(), &[file, "--json"]);
    assert_eq!(code, Some(1), "a failed release ends with 1: {json}");
    let replayed: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&replayed["verdict"], &replayed["sentence"]), (&over["verdict"], &over["sentence"]));
    assert_eq!(replayed["metrics"], over["metrics"]);
    assert_eq!(replayed["entries"], over["entries"]);
    assert_eq!(replay(site.path(), &[file, "--json"]).1, json, "again, bit for bit");

    let (_, text, _) = replay(site.path(), &[file]);
    assert!(text.contains("observing") && text.contains("fail"), "{text}");
    assert!(text.contains("errors"), "{text}");

    // With another level it takes longer, or another course.
    let (_, strict, _) = replay(site.path(), &[file, "--alpha", "0.000000001", "--json"]);
    let strict: Value = serde_json::from_str(&strict).unwrap();
    assert_ne!(strict["verdict"], "fail", "{strict:#}");
}

#[test]
fn a_torn_recording_is_judged_as_far_as_it_goes_and_that_is_said() {
    let mut site = Site::start();
    site.post("/v1/evaluations", &request("e")).is(201);
    tell_until_over(&site, "e", 6);
    site.kill();
    let path = site.recording("e");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    let (_, text, _) = replay(site.path(), &[path.to_str().unwrap()]);
    assert!(text.contains("the last line was torn off and is left out"), "{text}");
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\nmore\n").unwrap();
    let (code, _, said) = replay(site.path(), &[path.to_str().unwrap()]);
    assert!(code == Some(2) && said.contains("recording.jsonl, line "), "{said}");
    let (code, _, said) = replay(site.path(), &["/nowhere"]);
    assert!(code == Some(2) && said.contains("/nowhere"), "{said}");
}
