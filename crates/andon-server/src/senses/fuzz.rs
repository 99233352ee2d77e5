//! What must hold for whatever programs push and Prometheus answers.

use std::fmt::Write;

use super::arms::Matchers;
use super::prometheus::Prometheus;
use super::statsd::{MAX_LINE, What};
use super::{exposition as text_format, statsd as line_format};

pub use super::pushed::fuzz::pushed;

/// `data` is a text of OpenMetrics, or of matchers.
pub fn exposition(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(matchers) = Matchers::new(&text) {
        // They stand between the braces of a query, and must not lead out of them.
        let mut quoted = false;
        let mut characters = matchers.as_str().chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => quoted = !quoted,
                '\\' if quoted => drop(characters.next()),
                '{' | '}' | '(' | ')' | '[' | ']' | '#' | '\'' | '`' => assert!(quoted, "{matchers:?}"),
                _ => {}
            }
        }
        assert!(!quoted, "{matchers:?}");
        assert!(Matchers::new(matchers.as_str()).is_ok_and(|again| again == matchers));
    }
    let Ok(lines) = text_format::read(&text) else { return };
    assert!(lines.len() <= text.len());
    // What was read, printed again, is read as the same.
    let mut printed = String::new();
    for line in &lines {
        printed += &line.name;
        let labels = line.labels.iter().map(|(name, value)| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{name}=\"{value}\"")
        });
        let labels = labels.collect::<Vec<_>>().join(",");
        let _ = writeln!(printed, "{{{labels}}} {:?}", line.value);
    }
    let again = text_format::read(&printed);
    let told = |lines: &[text_format::Line]| {
        let told = lines.iter().map(|line| (line.name.clone(), line.labels.clone(), line.value.to_bits()));
        told.collect::<Vec<_>>()
    };
    let is_number = lines.iter().all(|line| !line.value.is_nan());
    match again {
        Ok(again) if is_number => assert_eq!(told(&again), told(&lines), "{printed}"),
        // A text may grow by being written with all of its escapes, beyond what is read.
        Ok(_) => {}
        Err(error) => assert!(printed.len() > text_format::MAX_TEXT, "{error}: {printed}"),
    }
}

/// `data` is a line of StatsD.
pub fn statsd(data: &[u8]) {
    let Ok(event) = line_format::read(data) else { return };
    assert!(data.len() <= MAX_LINE);
    let (value, kind) = match event.what {
        What::More(more) => {
            assert!(more >= 0.0, "{more} more");
            (more, "c")
        }
        What::Level(level) => (level, "g"),
        What::Change(by) => (by, "g"),
        What::Took { times, each } => {
            assert!(times >= 1.0 && each >= 0.0, "{times} times {each}");
            (each, "ms")
        }
    };
    assert!(!value.is_nan(), "{value}");
    if value.is_finite() && matches!(event.what, What::More(_) | What::Level(_)) {
        let printed = format!("{}:{value:?}|{kind}", event.name);
        let again = line_format::read(printed.as_bytes());
        // A level that is written with its sign is a change.
        assert!(value.is_sign_negative() || again.is_ok_and(|again| again.what == event.what), "{printed}");
    }
}

/// `data` is what Prometheus answers.
pub fn prometheus(data: &[u8]) {
    thread_local! {
        static CLIENT: Prometheus = Prometheus::new("http://prom:9090/", None);
    }
    for status in [200, 503] {
        match CLIENT.with(|client| client.read(status, data)) {
            Ok(answer) => assert!(answer.samples.iter().all(|sample| sample.value.is_finite())),
            Err(error) => {
                let said = error.to_string();
                let odd = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
                assert!(!said.contains(odd) && said.len() < 2000, "{said:?}");
            }
        }
    }
}
