//! The head of an HTTP/1 response.

use bytes::Bytes;

use super::{Field, Framing, Known, Span, elements, fields, length_of};
use crate::refusal::Refusal;

/// The head of a response. Its parts are places in `bytes`.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    /// The whole head.
    pub(crate) bytes: Bytes,
    /// The status.
    pub(crate) status: u16,
    /// The words after the status.
    pub(crate) reason: Span,
    /// All fields.
    pub(crate) fields: Vec<Field>,
    /// How the body ends.
    pub(crate) framing: Framing,
    /// Whether the server will read another request on this connection.
    pub(crate) keep_alive: bool,
}

/// Fields that a response may have; servers are trusted more than clients.
const FIELDS: usize = 1000;

impl ResponseHead {
    /// Reads a head that [`super::Scan`] has found the end of. `to_head`: it answers a HEAD request.
    pub(crate) fn parse(bytes: Bytes, to_head: bool) -> Result<Self, Refusal> {
        let end = memchr::memchr(b'\n', &bytes).unwrap_or(bytes.len());
        let line = &bytes[..end.saturating_sub(1)];
        let is_11 = match line.get(..9) {
            Some(b"HTTP/1.1 ") => true,
            Some(b"HTTP/1.0 ") => false,
            _ => return Err(Refusal::bad("the response does not begin with a version")),
        };
        let status = match line[9..] {
            [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9']
            | [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', ..] => {
                u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
            }
            _ => return Err(Refusal::bad("the response has no status")),
        };
        if line[12..].iter().any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f) {
            return Err(Refusal::bad("the status line holds a control character"));
        }
        let reason = Span::new(13.min(line.len()), line.len());
        let fields = fields(&bytes, (end + 1).min(bytes.len()), FIELDS)?;
        let (mut length, mut encoding, mut close, mut keep) = (None, None, false, false);
        for field in &fields {
            let value = field.value.of(&bytes);
            match field.known {
                Known::ContentLength => {
                    let this = length_of(value).ok_or(Refusal::bad("its Content-Length is not a number"))?;
                    if length.replace(this).is_some() {
                        return Err(Refusal::bad("it has two Content-Length headers"));
                    }
                }
                Known::TransferEncoding if encoding.is_some() || !value.eq_ignore_ascii_case(b"chunked") => {
                    return Err(Refusal::bad("its Transfer-Encoding is something else than chunked"));
                }
                Known::TransferEncoding => encoding = Some(()),
                Known::Connection => {
                    close |= elements(value).any(|option| option.eq_ignore_ascii_case(b"close"));
                    keep |= elements(value).any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
                }
                _ => {}
            }
        }
        let framing = match (length, encoding) {
            _ if to_head || status < 200 || status == 204 || status == 304 => Framing::None,
            (Some(_), Some(())) => {
                return Err(Refusal::bad("it has both a Content-Length and a Transfer-Encoding header"));
            }
            (None, Some(())) => Framing::Chunked,
            (Some(0), None) => Framing::None,
            (Some(length), None) => Framing::Length(length),
            (None, None) => Framing::Close,
        };
        let keep_alive = framing != Framing::Close && !close && (is_11 || keep);
        Ok(Self { status, reason, fields, framing, keep_alive, bytes })
    }

    /// The bytes of a part.
    pub(crate) fn part(&self, span: Span) -> &[u8] {
        span.of(&self.bytes)
    }
}
