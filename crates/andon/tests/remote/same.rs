//! Every command says the same and ends the same, in its own process and over a server.

use crate::project::{Project, Ran};
use crate::site::Site;

/// What is told one after another, in both worlds.
const STORY: &[&[&str]] = &[
    &["status"],
    &["history"],
    &["show"],
    &["plan", "www"],
    &["deploy", "www", "--why", "the first"],
    &["deploy", "www"],
    &["status"],
    &["status", "www"],
    &["history"],
    &["history", "www", "production", "-n", "5"],
    &["history", "wwww"],
    &["show", "1"],
    &["show", "7"],
    &["show", "1", "--log", "web9"],
    &["line"],
    &["line", "stop", "orders fell"],
    &["line"],
    &["deploy", "www"],
    &["deploy", "www", "--fixes", "9"],
    &["plan", "www"],
    &["line", "start", "it was the till"],
    &["line", "start", "again"],
    &["line", "stop", " "],
    &["test", "www"],
    &["test", "www", "--host", "web9"],
    &["traffic", "www"],
    &["sweep"],
    &["sweep", "wwww"],
    &["pause"],
    &["pause", "1"],
    &["resume", "1"],
    &["abort", "1"],
    &["abort", "99"],
    &["rollback", "www"],
    &["deploy", "wwww"],
    &["deploy", "www", "staging"],
    &["deploy", "production", "www"],
    &["tell"],
    &["tell", "retry"],
    &["tell", "test", "www"],
    &["ledger", "verify"],
];

/// The same after a release whose test fails, and a way back.
const BAD: &[&[&str]] = &[
    &["deploy", "www"],
    &["line"],
    &["status"],
    &["show"],
    &["deploy", "www"],
    &["deploy", "www", "--fixes", "2"],
    &["history"],
];

/// A further good one, and back.
const BACK: &[&[&str]] = &[
    &["deploy", "www", "--fixes", "2", "--why", "mended"],
    &["line"],
    &["rollback", "www", "--why", "orders stopped"],
    &["rollback", "www", "--to", "r-000000000000"],
    &["status", "www"],
    &["show"],
    &["history"],
    &["sweep", "www", "production"],
];

fn release(projects: &[&Project], mark: &str, smoke: &str) {
    projects.iter().for_each(|project| project.release(mark, smoke));
}

#[test]
fn every_command_says_the_same_and_ends_the_same() {
    let alone = Project::local(3);
    let site = Site::start(3);
    let person = site.person();
    let all = [&alone, &site.project, &person.checkout];
    let compare = |stories: &[&[&str]]| {
        for words in stories {
            let (here, there) = (alone.run(words), person.run(words));
            same(words, &here, &there);
        }
    };
    compare(STORY);
    release(&all, "two", "echo no; exit 1");
    compare(BAD);
    release(&all, "three", "exit 0");
    compare(BACK);
    for words in [
        ["--json", "status"],
        ["--json", "history"],
        ["--json", "show"],
        ["--json", "line"],
        ["--json", "tell"],
    ] {
        same(&words, &alone.run(&words), &person.run(&words));
    }
    let lines = |ran: Ran| ran.code(0).out.lines().count();
    let words = ["ledger", "export", "--service", "www"];
    assert_eq!(lines(alone.run(&words)), lines(person.run(&words)));
    // What is exported over the server is, byte for byte, what lies there.
    let there = site.project.well(&["ledger", "export"]).out;
    assert_eq!(person.well(&["ledger", "export"]).out, there);
}

#[track_caller]
fn same(words: &[&str], here: &Ran, there: &Ran) {
    let told = |ran: &Ran| (ran.code, sorted(&masked(&ran.out)), masked(&ran.err));
    let (here_told, there_told) = (told(here), told(there));
    assert_eq!(here_told, there_told, "{words:?}\nhere: {here:?}\nthere: {there:?}");
}

/// Hosts that work side by side come in any order, and so do the moments of their steps.
fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// Moments, spans, hashes and names that are drawn by lot are not compared; nor is whom an error speaks of having asked.
fn masked(text: &str) -> String {
    let text = text.replace("just now", "0 s ago").replace(" min ago", " s ago");
    let kept = text.lines().filter(|line| !line.starts_with("  at    http://"));
    // The moments of hosts that work side by side are told as they came: their order is compared by other tests.
    let kept = kept.filter(|line| !is_clock(line));
    let lines: Vec<String> = kept
        .map(|line| match line.starts_with(['{', '[']) {
            true => masked_json(line),
            false => line.split(' ').map(word).collect::<Vec<_>>().join(" "),
        })
        .collect();
    // A span is told in the unit that fits it.
    lines.join("\n").replace("N ms", "N s").replace("N min N s", "N s").replace("N min", "N s")
}

/// Whether a line or a word begins with a time of day.
fn is_clock(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8 && bytes[2] == b':' && bytes[5] == b':' && bytes[0].is_ascii_digit()
}

fn word(word: &str) -> String {
    let bare = word.trim_end_matches([',', '.', ';', ':']);
    let clock = is_clock(bare);
    let hash = bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    match bare {
        _ if clock => "CLOCK".to_owned(),
        _ if hash => "HASH".to_owned(),
        _ if !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit()) => "N".to_owned(),
        _ => word.to_owned(),
    }
}

/// Times and spans within JSON.
fn masked_json(word: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(word) else { return word.to_owned() };
    mask(&mut value);
    value.to_string()
}

fn mask(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match name.as_str() {
                    "accepted" | "started" | "ended" | "seconds" | "since" | "at" | "host_runs"
                    | "ending" | "events" | "changes" | "progress" => *field = Value::Null,
                    _ => mask(field),
                }
            }
        }
        Value::Array(rows) => rows.iter_mut().for_each(mask),
        _ => {}
    }
}
