//! `andon canary calibrate`: fake canaries over the old instances of a recording.

use std::fs;
use std::path::Path;
use std::time::Duration;

use andon_core::analysis::Reading;
use andon_core::name::{EnvironmentName, MemberName, MetricName, ServiceName};
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use andon_server::clock;
use andon_server::history::{Grain, History, Row};
use serde_json::{Value, json};

use crate::comparison::{request, tick};
use crate::site::{Site, command};

fn calibrate(dir: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let mut all = vec!["canary", "calibrate"];
    all.extend(words);
    let out = command(dir, &all).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

#[test]
fn fake_canaries_over_quiet_instances_are_not_accused_and_the_interval_says_how_sure_that_is() {
    let site = Site::start();
    let mut asked = request("long");
    // Nobody new answers anything, so it goes on; the old instances are recorded.
    asked["rules"] =
        json!({ "tick": "5s", "warmup": "0s", "observe": "30s", "window": "5m", "extensions": 2 });
    site.post("/v1/evaluations", &asked).is(201);
    for number in 1..=150 {
        let mut lonely = tick(number, 1);
        let members = lonely["tick"]["members"].as_object_mut().unwrap();
        members.retain(|name, _| name.starts_with("old"));
        site.post("/v1/evaluations/long/ticks", &lonely).is(200);
    }
    let file = site.recording("long");
    let file = file.to_str().unwrap();
    let words = ["--file", file, "--count", "100", "--json"];
    let (code, text, said) = calibrate(site.path(), &words);
    assert_eq!(code, Some(0), "{said}");
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told["false_alarms"], &told["trials"]), (&json!(0), &json!(100)));
    assert_eq!(
        (&told["low"], &told["members"], &told["metrics"][0]["name"]),
        (&json!(0.0), &json!(4), &json!("errors"))
    );
    // One in a hundred trials without a hit: the known upper end.
    assert!((told["high"].as_f64().unwrap() - (1.0 - 0.025_f64.powf(0.01))).abs() < 1e-9, "{told}");
    assert_eq!(calibrate(site.path(), &words).1, text, "the same seed gives the same");
    let (_, text, _) = calibrate(site.path(), &["--file", file]);
    assert!(text.contains("0 of 500 fake canaries were accused: 0 % [0 % … 0.735 %]"), "{text}");
    assert!(text.contains("the interval takes them for independent; of this history, at most "), "{text}");

    site.post("/v1/evaluations", &request("short")).is(201);
    site.post("/v1/evaluations/short/ticks", &tick(1, 1)).is(200);
    let short = site.recording("short");
    let (code, _, said) = calibrate(site.path(), &["--file", short.to_str().unwrap()]);
    assert!(code == Some(3) && said.contains("too short to observe anything"), "{said}");
}

#[test]
fn the_history_of_a_service_is_judged_by_the_rules_of_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let line = "service(\"www\", hosts = group(\"web\", [\"web1\", \"web2\", \"web3\", \"web4\"], local = True), \
                release = directory(\"dist\"), run = process(exec = \"{release}/www\"), \
                watch = [pushed(\"refused\"), pushed(\"orders\", worse = \"lower\")], judge = judge(window = \"5m\"))\n";
    fs::write(dir.path().join("line.star"), line).unwrap();
    let (code, _, said) = calibrate(dir.path(), &["www"]);
    assert!(code == Some(3) && said.contains("there is no history of what www"), "{said}");

    let now = clock::now();
    let scope = ScopeName {
        service: ServiceName::new("www").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
    };
    let mut rows = Vec::new();
    for tick in 0..720_i64 {
        for host in ["web1", "web2", "web3", "web4"] {
            let at = Time(now.0 - 3_605_000 + tick * 5_000);
            let mut row = Row::new(at, Duration::from_secs(5), MemberName::new(host).unwrap());
            row.readings.insert(MetricName::new("refused").unwrap(), Reading::Count { events: 2, of: 400 });
            rows.push(row);
        }
    }
    History::of(&dir.path().join(".andon"), &scope).append(Grain::Seconds, &rows).unwrap();
    let (code, text, said) = calibrate(dir.path(), &["www", "--count", "50", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&told["trials"], &told["members"], &told["window_seconds"]),
        (&json!(50), &json!(4), &json!(300.0))
    );
    assert_eq!((&told["alpha"], &told["metrics"].as_array().unwrap().len()), (&json!(0.005), &1));
    assert_eq!(told["remarks"], json!(["orders: history does not know it, so it is left out"]));
}
