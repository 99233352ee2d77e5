//! The head of an HTTP/1 request.

use bytes::Bytes;

use super::{Bounds, Field, Framing, Known, Span, elements, fields, is_token};
use crate::refusal::Refusal;

/// The longest method.
const METHOD: usize = 32;

/// The head of a request. Its parts are places in `bytes`.
#[derive(Debug)]
pub(crate) struct RequestHead {
    /// The whole head.
    pub(crate) bytes: Bytes,
    /// The method.
    pub(crate) method: Span,
    /// What is asked for: path and query, or `*`.
    pub(crate) target: Span,
    /// HTTP/1.1, or 1.0.
    pub(crate) is_11: bool,
    /// The host that is asked for; empty where an HTTP/1.0 client names none.
    pub(crate) host: Span,
    /// All fields.
    pub(crate) fields: Vec<Field>,
    /// How the body ends: [`Framing::None`], [`Framing::Length`] above 0 or [`Framing::Chunked`].
    pub(crate) framing: Framing,
    /// Whether the client would send another request on this connection.
    pub(crate) keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    /// What the client would like to speak instead; empty for nothing else.
    pub(crate) upgrade: Span,
}

/// What the fields say together.
#[derive(Default)]
struct Sum {
    host: Option<Span>,
    length: Option<Span>,
    encoding: Option<Span>,
    upgrade: Option<Span>,
    expects: Option<Span>,
    close: bool,
    keep: bool,
    upgrades: bool,
}

impl RequestHead {
    /// Reads a head that [`super::Scan`] has found the end of.
    pub(crate) fn parse(bytes: Bytes, bounds: &Bounds) -> Result<Self, Refusal> {
        let end = memchr::memchr(b'\n', &bytes).unwrap_or(bytes.len());
        let line = &bytes[..end.saturating_sub(1)];
        let (method, target, is_11) = start(line, bounds)?;
        let fields = fields(&bytes, (end + 1).min(bytes.len()), bounds.fields)?;
        let sum = Sum::of(&bytes, &fields)?;
        let host = sum.host(&bytes, is_11)?;
        let target = sum.target(&bytes, method, target, host)?;
        let framing = sum.framing(&bytes, is_11)?;
        let expects_continue = sum.expects_continue(&bytes, is_11, framing)?;
        let upgrade = sum.upgrade(&bytes, is_11, framing)?;
        let keep_alive = !sum.close && (is_11 || sum.keep);
        Ok(Self {
            method,
            target,
            is_11,
            host,
            fields,
            framing,
            keep_alive,
            expects_continue,
            upgrade,
            bytes,
        })
    }

    /// The bytes of a part.
    pub(crate) fn part(&self, span: Span) -> &[u8] {
        span.of(&self.bytes)
    }

    /// The value of the first field of this kind; empty where it is absent.
    pub(crate) fn value(&self, known: Known) -> &[u8] {
        let field = self.fields.iter().find(|field| field.known == known);
        field.map_or(&[], |field| self.part(field.value))
    }
}

/// Splits the request line.
fn start(line: &[u8], bounds: &Bounds) -> Result<(Span, Span, bool), Refusal> {
    let method = line.iter().take_while(|byte| is_token(**byte)).count();
    if method == 0 || method > METHOD || line.get(method) != Some(&b' ') {
        return Err(Refusal::bad("the request line has no method that could be one"));
    }
    let rest = &line[method + 1..];
    let target = rest.iter().take_while(|byte| **byte > 0x20 && **byte != 0x7f).count();
    if target == 0 || rest.get(target) != Some(&b' ') {
        return Err(Refusal::bad("the request target holds what it may not"));
    }
    if target > bounds.target {
        return Err(Refusal::new(414, "the request target is too long"));
    }
    let is_11 = match &rest[target + 1..] {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        other if other.len() == 8 && other.starts_with(b"HTTP/") => {
            return Err(Refusal::new(505, "only HTTP/1.1, HTTP/1.0 and HTTP/2 are spoken here"));
        }
        _ => return Err(Refusal::bad("the request line does not end with a version")),
    };
    let at = method + 1;
    Ok((Span::new(0, method), Span::new(at, at + target), is_11))
}

impl Sum {
    fn of(bytes: &[u8], fields: &[Field]) -> Result<Self, Refusal> {
        let mut sum = Self::default();
        let once = |place: &mut Option<Span>, field: &Field, why| match place.replace(field.value) {
            None => Ok(()),
            Some(_) => Err(Refusal::bad(why)),
        };
        for field in fields {
            match field.known {
                Known::Host => once(&mut sum.host, field, "there are two Host headers")?,
                Known::ContentLength => {
                    once(&mut sum.length, field, "there are two Content-Length headers")?;
                }
                Known::TransferEncoding => {
                    once(&mut sum.encoding, field, "there are two Transfer-Encoding headers")?;
                }
                Known::Upgrade => once(&mut sum.upgrade, field, "there are two Upgrade headers")?,
                Known::Expect => once(&mut sum.expects, field, "there are two Expect headers")?,
                Known::Connection => sum.connection(field.value.of(bytes))?,
                _ => {}
            }
        }
        Ok(sum)
    }

    fn connection(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for option in elements(value) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrades = true;
            } else if !option.iter().all(|byte| is_token(*byte)) {
                return Err(Refusal::bad("the Connection header holds what it may not"));
            } else if matches!(
                Known::of(option)?,
                Known::Host | Known::ContentLength | Known::TransferEncoding | Known::Connection
            ) {
                return Err(Refusal::bad("the Connection header names one that does not end at a proxy"));
            }
        }
        Ok(())
    }

    fn host(&self, bytes: &[u8], is_11: bool) -> Result<Span, Refusal> {
        match self.host {
            None if is_11 => Err(Refusal::bad("there is no Host header")),
            None => Ok(Span::default()),
            Some(host) if is_authority(host.of(bytes)) => Ok(host),
            Some(_) => Err(Refusal::bad("the Host header is not a host")),
        }
    }

    fn target(&self, bytes: &[u8], method: Span, target: Span, host: Span) -> Result<Span, Refusal> {
        let (method, text) = (method.of(bytes), target.of(bytes));
        if method == b"CONNECT" || method == b"TRACE" {
            return Err(Refusal::new(405, "this method is not for a proxy in front of servers"));
        }
        if memchr::memchr(b'#', text).is_some() {
            return Err(Refusal::bad("the request target holds a fragment"));
        }
        if text.starts_with(b"/") || (text == b"*" && method == b"OPTIONS") {
            return Ok(target);
        }
        let scheme = [&b"http://"[..], b"https://"]
            .into_iter()
            .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        let Some(scheme) = scheme else {
            return Err(Refusal::bad("the request target is neither a path nor a URL"));
        };
        let rest = &text[scheme.len()..];
        let Some(slash) = memchr::memchr(b'/', rest) else {
            return Err(Refusal::bad("the URL in the request line has no path"));
        };
        if !is_authority(&rest[..slash]) || !rest[..slash].eq_ignore_ascii_case(host.of(bytes)) {
            return Err(Refusal::bad("the URL in the request line and the Host header name different hosts"));
        }
        let range = target.range();
        Ok(Span::new(range.start + scheme.len() + slash, range.end))
    }

    fn framing(&self, bytes: &[u8], is_11: bool) -> Result<Framing, Refusal> {
        match (self.length, self.encoding) {
            (None, None) => Ok(Framing::None),
            (Some(_), Some(_)) => {
                Err(Refusal::bad("there are both a Content-Length and a Transfer-Encoding header"))
            }
            (None, Some(_)) if !is_11 => Err(Refusal::bad("HTTP/1.0 knows no Transfer-Encoding")),
            (None, Some(encoding)) if encoding.of(bytes).eq_ignore_ascii_case(b"chunked") => {
                Ok(Framing::Chunked)
            }
            (None, Some(_)) => {
                Err(Refusal::bad("the Transfer-Encoding header is something else than chunked"))
            }
            (Some(length), None) => match length_of(length.of(bytes)) {
                Some(0) => Ok(Framing::None),
                Some(length) => Ok(Framing::Length(length)),
                None => Err(Refusal::bad("the Content-Length header is not a number")),
            },
        }
    }

    fn expects_continue(&self, bytes: &[u8], is_11: bool, framing: Framing) -> Result<bool, Refusal> {
        match self.expects {
            None => Ok(false),
            Some(expects) if expects.of(bytes).eq_ignore_ascii_case(b"100-continue") => {
                Ok(is_11 && framing != Framing::None)
            }
            Some(_) => Err(Refusal::new(417, "only 100-continue can be expected")),
        }
    }

    fn upgrade(&self, bytes: &[u8], is_11: bool, framing: Framing) -> Result<Span, Refusal> {
        let Some(upgrade) = self.upgrade else { return Ok(Span::default()) };
        let is_h2c = |protocol: &[u8]| protocol.eq_ignore_ascii_case(b"h2c");
        if !self.upgrades || !is_11 || elements(upgrade.of(bytes)).any(is_h2c) {
            // Not meant, or not to be passed on: answered as if it were not there.
            return Ok(Span::default());
        }
        if framing != Framing::None {
            return Err(Refusal::bad("a request for an upgrade has a body"));
        }
        Ok(upgrade)
    }
}

/// A number as `Content-Length` has it: digits only.
pub(crate) fn length_of(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
    digits.then(|| value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// Whether a text can stand in `Host`: a host, and perhaps a port; nothing that names a user.
pub(crate) fn is_authority(text: &[u8]) -> bool {
    let port = |port: &[u8]| {
        port.len() <= 5
            && port.iter().all(u8::is_ascii_digit)
            && port.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0')) <= 65_535
    };
    let host = match text.split_first() {
        Some((b'[', rest)) => match memchr::memchr(b']', rest) {
            Some(end) if matches!(&rest[end + 1..], [] | [b':', ..]) => {
                let within = |byte: &u8| byte.is_ascii_alphanumeric() || b":.%-_~".contains(byte);
                return end > 0 && rest[..end].iter().all(within) && port(rest.get(end + 2..).unwrap_or(&[]));
            }
            _ => return false,
        },
        _ => match memchr::memchr(b':', text) {
            Some(colon) if !port(&text[colon + 1..]) => return false,
            Some(colon) => &text[..colon],
            None => text,
        },
    };
    // A comma would be a list to some, and none of the others that a name may hold occurs in one.
    !host.is_empty()
        && host.len() <= 255
        && host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(byte))
}
