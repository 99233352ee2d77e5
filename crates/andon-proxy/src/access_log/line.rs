//! A line of the access log: what is in it, and how it is written. It never lets a client forge a line.
//!
//! Combined format, as most tools read it, followed by: pool, server, seconds in all, seconds until the server's
//! answer began, servers that were tried, request id, how it ended. What is not known is `-`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::access::{End, Ended};

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The combined format and our fields behind it.
    #[default]
    Combined,
    /// One JSON object.
    Json,
}

/// The longest text of a client in a line, in bytes before escaping. The rest is cut off.
const MAX_TEXT: usize = 2048;

/// Writes lines, and remembers how the present second is spelled.
#[derive(Debug, Default)]
pub(super) struct LineWriter {
    second: u64,
    combined: String,
}

impl LineWriter {
    /// Appends a line, its end included.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, format: Format, request: &Ended<'_>) {
        match format {
            Format::Combined => self.combined(out, request),
            Format::Json => json(out, request),
        }
        out.push(b'\n');
    }

    /// Writing to a vector cannot fail, here and below.
    fn combined(&mut self, out: &mut Vec<u8>, request: &Ended<'_>) {
        let since = ended_at(request).duration_since(UNIX_EPOCH).unwrap_or_default();
        if since.as_secs() != self.second || self.combined.is_empty() {
            self.second = since.as_secs();
            self.combined = clock(self.second, "%d/%b/%Y:%H:%M:%S +0000");
        }
        let _ = write!(out, "{} - - [{}] \"", request.client.ip(), self.combined);
        dashed(out, request.method);
        out.push(b' ');
        dashed(out, request.target);
        let _ = write!(out, " {}\" {:03} {} \"", protocol(request.version), request.status, request.sent);
        dashed(out, request.referer);
        out.extend_from_slice(b"\" \"");
        dashed(out, request.user_agent);
        let _ = write!(out, "\" {} {} ", request.pool, request.server.map_or("-", |server| server.as_str()));
        seconds(out, request.took);
        match request.answered_after {
            Some(took) => {
                out.push(b' ');
                seconds(out, took);
            }
            None => out.extend_from_slice(b" -"),
        }
        let _ = write!(out, " {} ", request.tries);
        dashed(out, request.request_id);
        let _ = write!(out, " {}", end(request.end).0);
    }
}

fn ended_at(request: &Ended<'_>) -> SystemTime {
    request.at.checked_add(request.took).unwrap_or(request.at)
}

fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// How it ended in one word, and why where the proxy refused.
fn end(end: End) -> (&'static str, Option<&'static str>) {
    match end {
        End::Complete => ("complete", None),
        End::Refused(why) => ("refused", Some(why)),
        End::ClientLeft => ("client_left", None),
        End::ServerBroke => ("server_broke", None),
        End::Cut => ("cut", None),
    }
}

fn seconds(out: &mut Vec<u8>, took: Duration) {
    let _ = write!(out, "{}.{:06}", took.as_secs(), took.subsec_micros());
}

fn clock(second: u64, format: &str) -> String {
    let second = i64::try_from(second).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let mut text = String::new();
    // A format that does not fit would be our own mistake; the line is then without a time.
    let _ = write!(text, "{}", at.strftime(format));
    text
}

fn dashed(out: &mut Vec<u8>, text: &[u8]) {
    if text.is_empty() { out.push(b'-') } else { quoted(out, text) }
}

/// Printable ASCII as it is, all else as `\xHH`: no client can end a field or a line.
fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    for byte in &text[..text.len().min(MAX_TEXT)] {
        match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f.. => {
                let _ = write!(out, "\\x{byte:02X}");
            }
            _ => out.push(*byte),
        }
    }
}

fn json(out: &mut Vec<u8>, request: &Ended<'_>) {
    let since = ended_at(request).duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_TEXT)]).into_owned();
    let (ended, reason) = end(request.end);
    let line = serde_json::json!({
        "time": format!("{}.{:03}Z", clock(since.as_secs(), "%Y-%m-%dT%H:%M:%S"), since.subsec_millis()),
        "client": request.client.ip(),
        "tls": request.tls,
        "method": text(request.method),
        "target": text(request.target),
        "protocol": protocol(request.version),
        "host": text(request.host),
        "status": request.status,
        "received": request.received,
        "sent": request.sent,
        "referer": text(request.referer),
        "user_agent": text(request.user_agent),
        "pool": request.pool,
        "server": request.server,
        "seconds": request.took.as_secs_f64(),
        "server_seconds": request.answered_after.map(|after| after.as_secs_f64()),
        "tries": request.tries,
        "request_id": text(request.request_id),
        "end": ended,
        "reason": reason,
    });
    let _ = write!(out, "{line}");
}

/// A request for tests.
#[cfg(test)]
pub(super) fn example() -> Ended<'static> {
    static SERVER: std::sync::LazyLock<andon_core::name::ServerName> =
        std::sync::LazyLock::new(|| andon_core::name::ServerName::new("web1").unwrap());
    Ended {
        at: UNIX_EPOCH + Duration::from_millis(1_700_000_000_250),
        took: Duration::from_micros(12_345),
        answered_after: Some(Duration::from_micros(11_000)),
        client: ([192, 0, 2, 7], 4711).into(),
        tls: true,
        version: http::Version::HTTP_11,
        method: b"GET",
        target: b"/cart?id=7",
        host: b"shop.example",
        user_agent: b"curl/8",
        referer: b"",
        request_id: b"0123456789abcdef",
        status: 200,
        received: 0,
        sent: 512,
        pool: "www",
        server: Some(&SERVER),
        tries: 1,
        end: End::Complete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format, request: &Ended<'_>) -> String {
        let mut out = Vec::new();
        LineWriter::default().append(&mut out, format, request);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_the_combined_format_and_our_fields_behind_it() {
        assert_eq!(
            line(Format::Combined, &example()),
            "192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] \"GET /cart?id=7 HTTP/1.1\" 200 512 \"-\" \"curl/8\" \
             www web1 0.012345 0.011000 1 0123456789abcdef complete\n"
        );
    }

    #[test]
    fn no_client_can_forge_a_line_or_a_field() {
        let request = Ended { user_agent: b"x\" 200 1\n1.2.3.4 - - \x1b[2J\\ \xff", ..example() };
        for format in [Format::Combined, Format::Json] {
            let line = line(format, &request);
            assert_eq!(line.matches('\n').count(), 1);
            assert!(!line.contains('\u{1b}'));
        }
        assert!(
            line(Format::Combined, &request).contains(r#""x\x22 200 1\x0A1.2.3.4 - - \x1B[2J\x5C \xFF""#)
        );
    }

    #[test]
    fn json_says_the_same() {
        let value: serde_json::Value = serde_json::from_str(&line(Format::Json, &example())).unwrap();
        assert_eq!(value["time"], "2023-11-14T22:13:20.262Z");
        assert_eq!((&value["status"], &value["server"]), (&200.into(), &"web1".into()));
        assert_eq!(value["seconds"], 0.012345);
    }

    #[test]
    fn a_long_text_is_cut() {
        let agent = vec![b'a'; 1 << 20];
        let request = Ended { user_agent: &agent, server: None, answered_after: None, ..example() };
        for format in [Format::Combined, Format::Json] {
            assert!(line(format, &request).len() < 3 * MAX_TEXT);
        }
    }
}
