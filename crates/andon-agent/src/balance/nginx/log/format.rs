//! How an access log is written, and the parts of a line that tell how servers did. Bounded work for any line.

use serde::{Deserialize, Serialize};

/// The most variables and texts of a format.
const MAX_PARTS: usize = 256;

/// The most places that are tried for the ends of variables in one line.
const MAX_TRIES: u32 = 100;

/// What a line says about the servers that a request was sent to. As text: lists as nginx writes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::balance::nginx) struct Line<'l> {
    /// `$upstream_addr`
    pub(super) addresses: &'l str,
    /// `$upstream_status`
    pub(super) statuses: Option<&'l str>,
    /// `$upstream_response_time`
    pub(super) times: Option<&'l str>,
    /// `$upstream_connect_time`
    pub(super) connects: Option<&'l str>,
    /// `$upstream_header_time`
    pub(super) headers: Option<&'l str>,
    /// `$upstream_bytes_received` or `$upstream_response_length`
    pub(super) lengths: Option<&'l str>,
    /// `$status`
    pub(super) status: Option<&'l str>,
    /// `$request_time`
    pub(super) time: Option<&'l str>,
    /// `$bytes_sent` or `$body_bytes_sent`
    pub(super) length: Option<&'l str>,
}

/// Which part of a [`Line`] a variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Field {
    Addresses,
    Statuses,
    Times,
    Connects,
    Headers,
    Lengths,
    Status,
    Time,
    Length,
}

/// Where the value of a variable can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Extent {
    /// After a list of values of this kind, or one of its beginnings.
    List(Field),
    /// Before the quote that is not escaped.
    Quoted,
    /// Before the first text that follows: nginx makes the value, and it cannot hold that text.
    Tame,
    /// Before any text that follows, the last one first: what a user sends must not pass for what nginx says after it.
    Wild,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Part {
    Text(String),
    Value(Extent),
}

/// A `log_format` from which servers can be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::balance::nginx) struct Format {
    parts: Vec<Part>,
}

impl Format {
    /// Understands the text of a `log_format` with its `escape=`. `None` for one that does not name the server, or
    /// neither its status nor the request's, or whose variables touch each other.
    pub(in crate::balance::nginx) fn new(text: &str, escape: &str) -> Option<Self> {
        let pieces = pieces(text.trim_end_matches(['\n', ';']));
        let mut parts: Vec<Part> = Vec::new();
        for (index, piece) in pieces.iter().enumerate().take(MAX_PARTS + 1) {
            let next = pieces.get(index + 1);
            parts.push(match (piece, next) {
                (Piece::Text(text), _) => Part::Text((*text).to_owned()),
                (Piece::Variable(_), Some(Piece::Variable(_))) => return None,
                (Piece::Variable(name), next) => Part::Value(match (field(name), next) {
                    (Some(field), _) => Extent::List(field),
                    (None, Some(Piece::Text(text))) if text.starts_with('"') && escape != "none" => {
                        Extent::Quoted
                    }
                    (None, _) if TAME.contains(name) => Extent::Tame,
                    (None, _) => Extent::Wild,
                }),
            });
        }
        let has = |field: Field| parts.contains(&Part::Value(Extent::List(field)));
        let tells = has(Field::Addresses) && (has(Field::Status) || has(Field::Statuses));
        (tells && parts.len() <= MAX_PARTS).then_some(Self { parts })
    }

    /// What a line says; `None` when it is not written in this format.
    pub(in crate::balance::nginx) fn read<'l>(&self, line: &'l str) -> Option<Line<'l>> {
        let (mut found, mut tries) = (Line::default(), MAX_TRIES);
        read(&self.parts, line, &mut tries, &mut found).then_some(found)
    }
}

fn read<'l>(parts: &[Part], line: &'l str, tries: &mut u32, found: &mut Line<'l>) -> bool {
    let Some((part, rest)) = parts.split_first() else { return line.is_empty() };
    let extent = match part {
        Part::Text(text) => {
            return line.strip_prefix(text.as_str()).is_some_and(|line| read(rest, line, tries, found));
        }
        Part::Value(extent) => *extent,
    };
    let mut goes_on_at = |end: usize| {
        *tries = tries.saturating_sub(1);
        *tries > 0 && read(rest, line.get(end..).unwrap_or_default(), tries, found)
    };
    let next = match rest.first() {
        Some(Part::Text(text)) => text.as_str(),
        _ => "",
    };
    let (end, field) = match extent {
        Extent::Quoted => (quoted(line).filter(|end| goes_on_at(*end)), None),
        Extent::Tame | Extent::Wild if next.is_empty() => {
            (Some(line.len()).filter(|end| goes_on_at(*end)), None)
        }
        Extent::Tame => (line.find(next).filter(|end| goes_on_at(*end)), None),
        Extent::Wild => (line.rmatch_indices(next).map(|(at, _)| at).find(|end| goes_on_at(*end)), None),
        Extent::List(field) => {
            (list(line, field).into_iter().rev().find(|end| goes_on_at(*end)), Some(field))
        }
    };
    let Some(end) = end else { return false };
    if let Some(field) = field {
        found.set(field, line.get(..end).unwrap_or_default());
    }
    true
}

impl<'l> Line<'l> {
    fn set(&mut self, field: Field, value: &'l str) {
        match field {
            Field::Addresses => self.addresses = value,
            Field::Statuses => self.statuses = Some(value),
            Field::Times => self.times = Some(value),
            Field::Connects => self.connects = Some(value),
            Field::Headers => self.headers = Some(value),
            Field::Lengths => self.lengths = Some(value),
            Field::Status => self.status = Some(value),
            Field::Time => self.time = Some(value),
            Field::Length => self.length = Some(value),
        }
    }
}

/// The values of a list, each with whether the request went on to another upstream, and not merely to another server
/// of the same one, before it.
pub(super) fn values(list: &str) -> impl Iterator<Item = (&str, bool)> {
    let groups = list.split(" : ").enumerate();
    groups.flat_map(|(group, text)| {
        text.split(", ").enumerate().map(move |(index, value)| (value, group > 0 && index == 0))
    })
}

/// What separates the values of a list.
const SEPARATORS: [&str; 2] = [", ", " : "];

/// The ends of all beginnings of the list at the beginning of `line`.
fn list(line: &str, field: Field) -> Vec<usize> {
    let one = matches!(field, Field::Status | Field::Time | Field::Length);
    let (mut ends, mut at) = (Vec::new(), 0);
    loop {
        let rest = line.get(at..).unwrap_or_default();
        let length = rest.find(|letter: char| !belongs(letter, field)).unwrap_or(rest.len());
        let value = rest.get(..length).unwrap_or_default();
        // A number in a list of addresses belongs to the next column.
        let strange = field == Field::Addresses && !ends.is_empty() && value.chars().all(is_numeric);
        if length == 0 || strange {
            break;
        }
        at += length;
        ends.push(at);
        let rest = line.get(at..).unwrap_or_default();
        match SEPARATORS.iter().find(|separator| rest.starts_with(*separator)) {
            Some(separator) if !one && ends.len() < 64 => at += separator.len(),
            _ => break,
        }
    }
    // With escape=json and escape=none, nothing is written where no server was asked.
    if ends.is_empty() && !one {
        ends.push(0);
    }
    ends
}

fn belongs(letter: char, field: Field) -> bool {
    match field {
        Field::Addresses => letter.is_ascii_graphic() && !matches!(letter, ',' | '"' | '|' | ';' | '\''),
        Field::Status => letter.is_ascii_digit(),
        _ => is_numeric(letter),
    }
}

fn is_numeric(letter: char) -> bool {
    letter.is_ascii_digit() || matches!(letter, '.' | '-')
}

fn quoted(line: &str) -> Option<usize> {
    let mut escaped = false;
    line.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

enum Piece<'t> {
    Text(&'t str),
    Variable(&'t str),
}

/// Texts and variables in turn; `$name` and `${name}` are variables.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(dollar) = rest.find('$') {
        let (before, after) =
            (rest.get(..dollar).unwrap_or_default(), rest.get(dollar + 1..).unwrap_or_default());
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        if let Some((name, after)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            pieces.push(Piece::Variable(name));
            rest = after;
        } else {
            let end = after.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
            let (name, after) = after.split_at(end.unwrap_or(after.len()));
            pieces.push(Piece::Variable(name));
            rest = after;
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// Variables that nginx itself makes and that hold no spaces, brackets or quotes, or only its own.
const TAME: &[&str] = &[
    "remote_addr",
    "remote_port",
    "realip_remote_addr",
    "realip_remote_port",
    "binary_remote_addr",
    "server_addr",
    "server_port",
    "server_name",
    "server_protocol",
    "time_local",
    "time_iso8601",
    "msec",
    "pid",
    "pipe",
    "connection",
    "connection_requests",
    "connection_time",
    "request_id",
    "request_length",
    "request_method",
    "scheme",
    "https",
    "hostname",
    "gzip_ratio",
    "ssl_protocol",
    "ssl_cipher",
    "upstream_cache_status",
];

fn field(variable: &str) -> Option<Field> {
    Some(match variable {
        "upstream_addr" => Field::Addresses,
        "upstream_status" => Field::Statuses,
        "upstream_response_time" => Field::Times,
        "upstream_connect_time" => Field::Connects,
        "upstream_header_time" => Field::Headers,
        "upstream_bytes_received" | "upstream_response_length" => Field::Lengths,
        "status" => Field::Status,
        "request_time" => Field::Time,
        "bytes_sent" | "body_bytes_sent" => Field::Length,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $upstream_addr $upstream_status $upstream_response_time"#;

    fn line(request: &str, end: &str) -> String {
        format!(
            r#"10.1.1.1 - - [21/Nov/2026:06:40:00 +0000] "{request}" 200 5 "-" "a - [b] \x22c\x22" {end}"#
        )
    }

    #[test]
    fn the_usual_format_with_more_at_its_end_is_read() {
        let format = Format::new(TEXT, "default").unwrap();
        let text =
            line("GET / HTTP/1.1", "10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80 502, 200 : 204 0.001, 0.010 : -");
        let found = format.read(&text).unwrap();
        assert_eq!(found.addresses, "10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80");
        assert_eq!((found.statuses, found.times), (Some("502, 200 : 204"), Some("0.001, 0.010 : -")));
        assert_eq!((found.status, found.length), (Some("200"), Some("5")));
        assert_eq!(
            values("a, b : c, d").collect::<Vec<_>>(),
            [("a", false), ("b", false), ("c", true), ("d", false)]
        );
        assert_eq!(format.read(&line("GET / HTTP/1.1", "- - -")).unwrap().addresses, "-");
        for other in ["", "x", &text[..text.len() - 40], &format!("{text} more"), &text.replace('[', "")] {
            assert_eq!(format.read(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_user_sends_does_not_pass_for_what_nginx_says() {
        let format = Format::new(TEXT, "default").unwrap();
        let forged =
            line(r"GET /\x22 500 1 \x22-\x22 \x22-\x22 10.0.0.1:80 500 9.0 HTTP/1.1", "10.0.0.2:80 200 0.1");
        assert_eq!(format.read(&forged).unwrap().addresses, "10.0.0.2:80");
        let bare = Format::new("$uri $status $upstream_addr", "default").unwrap();
        let found = bare.read("/ 500 10.0.0.1:80 200 10.0.0.2:80").unwrap();
        assert_eq!((found.status, found.addresses), (Some("200"), "10.0.0.2:80"));
    }

    #[test]
    fn json_is_read_with_its_escapes() {
        let text = r#"{"agent":"$http_user_agent","up":"$upstream_addr","s":"$status","t":"$upstream_response_time"}"#;
        let format = Format::new(text, "json").unwrap();
        let line =
            r#"{"agent":"\"up\":\"10.0.0.9:1\"\\","up":"10.0.0.1:80, [::1]:80","s":"200","t":"0.1, 0.2"}"#;
        assert_eq!(format.read(line).unwrap().addresses, "10.0.0.1:80, [::1]:80");
        let nobody = r#"{"agent":"","up":"","s":"400","t":""}"#;
        assert_eq!(format.read(nobody).unwrap().addresses, "");
    }

    #[test]
    fn columns_with_commas_are_told_from_lists() {
        let format = Format::new("$upstream_addr, $upstream_status, ${status}, $host", "default").unwrap();
        let found = format.read("10.0.0.1:80, 10.0.0.2:80, 502, 200, 200, example.com").unwrap();
        assert_eq!(
            (found.addresses, found.statuses, found.status),
            ("10.0.0.1:80, 10.0.0.2:80", Some("502, 200"), Some("200"))
        );
    }

    #[test]
    fn a_format_that_tells_no_server_is_none() {
        for text in ["", "$remote_addr $status", "$upstream_addr", "$upstream_addr$status", "$"] {
            assert_eq!(Format::new(text, "default"), None, "{text}");
        }
        assert_eq!(Format::new(&"$status $upstream_addr ".repeat(200), "default"), None);
    }

    #[test]
    fn a_hostile_line_takes_bounded_work() {
        let format = Format::new(TEXT, "default").unwrap();
        let wild = Format::new("$uri $args $http_x $http_y $status $upstream_addr", "none").unwrap();
        for text in [" ".repeat(60_000), " - [".repeat(15_000), "\"".repeat(60_000), "1, ".repeat(20_000)] {
            assert_eq!(format.read(&line(&text, "10.0.0.1:80")), None, "a value is missing");
            assert_eq!(wild.read(&text), None);
        }
    }
}
