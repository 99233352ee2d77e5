//! Whether a line of a log tells of an error. Many programs write many formats: what is taken for an error is a level
//! where a level stands, the head of an exception, and the last words of a program that breaks. Lines come without
//! colours.

use super::line_shape::within;

/// The level of a line stands in its first so many bytes.
const HEAD: usize = 200;

/// Levels of errors.
const ERRORS: [&str; 13] = [
    "error",
    "fatal",
    "critical",
    "crit",
    "alert",
    "emerg",
    "emergency",
    "panic",
    "severe",
    "err",
    "eror",
    "fail",
    "dpanic",
];

/// All other levels. The first level in a line is its own: what follows is what it talks about.
const OTHERS: [&str; 14] = [
    "info",
    "information",
    "warn",
    "warning",
    "debug",
    "notice",
    "trace",
    "verbose",
    "log",
    "detail",
    "hint",
    "statement",
    "fine",
    "config",
];

/// Last words at the beginning of a line.
const LAST_WORDS: [&str; 10] = [
    "panic: ",
    "fatal error: ",
    "Fatal error: ",
    "PHP Fatal error: ",
    "PHP Parse error: ",
    "Segmentation fault",
    "terminate called after throwing",
    "Traceback (most recent call last):",
    "Unhandled exception",
    "*** stack smashing detected",
];

/// Whether the line tells of an error.
pub(super) fn is_error(line: &str) -> bool {
    let head = within(line, HEAD);
    let error = match level(head) {
        Some(error) => error,
        None => is_last_words(head) || exception(head).is_some(),
    };
    error && !is_of_a_trace(line)
}

/// Whether the line begins as those do that a program writes when it breaks.
pub(super) fn is_last_words(line: &str) -> bool {
    LAST_WORDS.iter().any(|words| line.starts_with(words))
        || is_rust_panic(line)
        || line.contains(": panic serving ")
        || is_ruby_error(line)
}

/// `thread 'main' panicked at src/main.rs:2:5:`; newer ones have a number before `panicked`.
pub(super) fn is_rust_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains(" panicked at ")
}

/// `app.rb:3:in 'Object#f': message (RuntimeError)`.
fn is_ruby_error(line: &str) -> bool {
    let class = line.strip_suffix(')').and_then(|line| line.rsplit_once(" (")).map(|(_, class)| class);
    line.contains(":in ") && class.is_some_and(is_exception_name)
}

/// The name of the exception whose head this line is: `java.io.IOException: no route`, `TypeError: x`.
pub(super) fn exception(line: &str) -> Option<&str> {
    let mut rest = line;
    for prefix in ["Unhandled exception. ", "Unhandled exception: ", "Uncaught ", "Exception in thread "] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    if let Some(thread) = rest.strip_prefix('"').filter(|_| rest.len() < line.len()) {
        rest = thread.split_once("\" ").map_or(rest, |(_, after)| after);
    }
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$' | ':' | '\\')));
    let name = rest[..end.unwrap_or(rest.len())].trim_end_matches(':');
    let after = &rest[name.len()..];
    let ends = after.is_empty() || after.starts_with(": ") || after == ":" || after.starts_with(" [");
    (ends && is_exception_name(name)).then_some(name)
}

fn is_exception_name(name: &str) -> bool {
    let last = name.rsplit(['.', ':', '\\', '$']).next().unwrap_or_default();
    let named = ["Error", "Exception", "Throwable", "Failure"].iter().any(|end| last.ends_with(end));
    named && last.starts_with(|c: char| c.is_ascii_uppercase())
}

/// Whether the line goes on with the stack trace of an error that was told before.
pub(super) fn is_of_a_trace(line: &str) -> bool {
    let text = line.trim_start();
    let indented = text.len() < line.len();
    let frame =
        ["at ", "File \"", "from ", "... ", "in ", "^", "~"].iter().any(|start| text.starts_with(start));
    indented && frame
        || [
            "Caused by: ",
            "Stack trace:",
            "stack backtrace:",
            "Suppressed: ",
            "goroutine ",
            "note: run with ",
        ]
        .iter()
        .any(|start| text.starts_with(start))
        || text.starts_with('#') && text[1..].starts_with(|c: char| c.is_ascii_digit())
        || text.starts_with("thrown in ")
}

/// Whether the level in the head of a line is one of an error; `None` without a level.
fn level(head: &str) -> Option<bool> {
    if let Some(priority) = head.strip_prefix('<').and_then(|rest| rest.split_once('>')).map(|(it, _)| it) {
        // As programs tell the journal, and as syslog writes it: the facility is left out.
        if let Ok(priority) = priority.parse::<u8>() {
            return Some(priority % 8 <= 3);
        }
    }
    if let Some(severe) = of_glog(head).or_else(|| in_numbers(head)) {
        return Some(severe);
    }
    let mut first = true;
    let bytes = head.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (before, word, after) = (&head[..at], &head[at..at + length], &head[at + length..]);
        if let Some(error) = named(word)
            && stands_as_level(before, word, after, first)
        {
            return Some(error);
        }
        first = false;
        at += length;
    }
    None
}

/// Whether the word is the name of an error's level, or of another one.
fn named(word: &str) -> Option<bool> {
    if word.len() > 11 {
        return None;
    }
    let is_in = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(word));
    if is_in(&ERRORS) { Some(true) } else { is_in(&OTHERS).then_some(false) }
}

/// Whether a word that names a level stands where a level does: in capitals by itself, in brackets, after `level=`, or
/// as the first word before a colon.
fn stands_as_level(before: &str, word: &str, after: &str, first: bool) -> bool {
    let previous = before.chars().next_back().unwrap_or(' ');
    let next = after.chars().next().unwrap_or(' ');
    let capitals = word.bytes().all(|byte| byte.is_ascii_uppercase());
    let alone = matches!(previous, ' ' | '\t' | '[' | '(' | '|' | ':' | '"' | '=' | '<' | '*')
        && matches!(next, ' ' | '\t' | ']' | ')' | '|' | ':' | ',' | '"' | '>' | '!');
    if capitals && alone {
        return true;
    }
    if matches!(previous, '[' | ':') && next == ']' {
        return true;
    }
    if first && next == ':' {
        return true;
    }
    let key = before.trim_end_matches(['"', '\'', ' ']);
    let Some(key) = key.strip_suffix(['=', ':']) else { return false };
    let key = key.trim_end_matches(['"', '\'']).to_ascii_lowercase();
    ["level", "lvl", "severity", "levelname", "log_level", "severity_text"]
        .iter()
        .any(|name| key.ends_with(name))
}

/// `E1128 08:57:52.123456`, as glog and Kubernetes write.
fn of_glog(head: &str) -> Option<bool> {
    let bytes = head.as_bytes().get(..6)?;
    let dated = bytes[1..5].iter().all(u8::is_ascii_digit) && bytes[5] == b' ';
    match bytes[0] {
        b'E' | b'F' if dated => Some(true),
        b'I' | b'W' if dated => Some(false),
        _ => None,
    }
}

/// `"level":50`, as pino and bunyan write.
fn in_numbers(head: &str) -> Option<bool> {
    let after = head.trim_start().strip_prefix('{')?.split_once("\"level\":")?.1;
    let digits = after.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse::<u32>().ok().map(|level| level >= 50)
}
