//! The only ways by which this program writes to a terminal. Whatever a text holds, nothing in it acts on the terminal but
//! the colours of our own.
//!
//! Words of hosts are made harmless where they come in. This is the second lock, for what came by another way: a commit's
//! subject, a ledger from elsewhere, a file's name.

use std::borrow::Cow;
use std::io::Write;

use andon_core::legible::{is_formatting, neutral};
use serde::Serialize;

use crate::paint::Paint;

/// Says something on standard output. A reader that has gone away is no reason to complain.
pub(crate) fn say(text: &str) {
    let paint = Paint::stdout();
    let _ = writeln!(std::io::stdout(), "{}", in_signs_of(paint, &harmless(paint, text)));
}

/// Says what a program reads, on one line of standard output.
pub(crate) fn say_json(value: &impl Serialize) {
    let _ = writeln!(std::io::stdout(), "{}", json_line(value));
}

/// `value` as JSON in which every character that could act on a terminal is written as an escape. JSON's own rules leave
/// DEL, the C1 controls and the reordering characters as they are.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    escaped(serde_json::to_string(value).unwrap_or_default())
}

/// A line of JSON, escaped as in [`json_line`]: to a program it says the same.
pub(crate) fn escaped(text: String) -> String {
    if !text.chars().any(acts) {
        return text;
    }
    let mut line = String::with_capacity(text.len() + 64);
    // Outside of strings JSON is ASCII, and in them an escape means the same.
    for c in text.chars() {
        if acts(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            line.push(c);
        }
    }
    line
}

/// `text` in which nothing acts on a terminal but line ends, tabs and, where `paint` has colours, colours.
pub(crate) fn harmless(paint: Paint, text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| acts(c) && c != '\n' && c != '\t') {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        clean.push_str(&neutral(&rest.as_bytes()[..at]));
        let length = if paint.colour { colour(&rest[at..]) } else { None };
        let (kept, after) = rest[at..].split_at(length.unwrap_or(1));
        match length {
            Some(_) => clean.push_str(kept),
            None => clean.push_str(&neutral(kept.as_bytes())),
        }
        rest = after;
    }
    clean.push_str(&neutral(rest.as_bytes()));
    Cow::Owned(clean)
}

/// The length of the sequence at the start of `text` that sets colours and nothing else. One that conceals is none.
fn colour(text: &str) -> Option<usize> {
    /// More than any colour takes.
    const LONGEST: usize = 24;
    let body = text.strip_prefix("\u{1b}[")?;
    let end = body.bytes().take(LONGEST).position(|byte| !(byte.is_ascii_digit() || byte == b';'))?;
    let codes = &body[..end];
    let painted =
        codes.starts_with("38;") || codes.starts_with("48;") || codes.split(';').all(|code| code != "8");
    (body.as_bytes()[end] == b'm' && painted).then_some(2 + end + 1)
}

fn acts(c: char) -> bool {
    c.is_control() || is_formatting(c)
}

/// `text` with our own signs as the reader's locale can show them; what hosts and people wrote stays as it is.
pub(crate) fn in_signs_of(paint: Paint, text: &str) -> Cow<'_, str> {
    if paint.unicode || text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('→', "->").replace('⇒', "=>").replace('…', "...").replace('·', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str =
        "a\u{1b}]0;t\u{7}\u{1b}[2J\u{1b}[8mhid\u{1b}[31mred\u{1b}[0m\u{9b}1m\u{202e}\u{7f}\r\tend\n";

    fn paint(colour: bool) -> Paint {
        Paint { colour, unicode: true, live: colour }
    }

    #[test]
    fn only_colours_pass_and_only_where_there_are_colours() {
        let plain = harmless(paint(false), HOSTILE);
        assert_eq!(
            plain,
            "a\\x1b]0;t\\x07\\x1b[2J\\x1b[8mhid\\x1b[31mred\\x1b[0m\\u{9b}1m\\u{202e}\\x7f\\x0d\tend\n"
        );
        let coloured = harmless(paint(true), HOSTILE);
        assert!(coloured.contains("\u{1b}[31mred\u{1b}[0m"), "{coloured:?}");
        assert_eq!(coloured.replace("\u{1b}[31m", "\\x1b[31m").replace("\u{1b}[0m", "\\x1b[0m"), plain);
    }

    #[test]
    fn half_a_sequence_is_none() {
        for half in [
            "\u{1b}",
            "\u{1b}[",
            "\u{1b}[3",
            "\u{1b}[31",
            "\u{1b}[31;é",
            "x\u{1b}[1é",
            "\u{1b}[1111111111111111111111111m",
        ] {
            assert!(!harmless(paint(true), half).contains('\u{1b}'), "{half:?}");
        }
    }

    #[test]
    fn json_means_the_same_and_holds_nothing_that_acts() {
        let value = serde_json::json!({ "said": HOSTILE, "tag": "\u{e0041}", "fine": "é✔" });
        let line = json_line(&value);
        assert!(!line.chars().any(acts), "{line:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
        assert!(line.contains("é✔"));
    }
}
