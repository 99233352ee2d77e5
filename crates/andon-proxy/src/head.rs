//! Heads of HTTP/1 messages: read strictly, kept as the bytes that they are.
//!
//! Pure: bytes in, a head or a refusal out. Whatever two programs could read differently is refused here, so that
//! nothing behind this module needs to wonder: every line ends with CRLF, names are tokens, values hold no control
//! characters, and there is exactly one way to tell where the body ends.

use bytes::Bytes;

pub(crate) use field::{Field, Known, Span};
pub(crate) use request::{RequestHead, is_authority, length_of};
pub(crate) use response::ResponseHead;

use crate::refusal::Refusal;

pub(crate) mod field;
mod request;
mod response;

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body.
    None,
    /// It has so many bytes.
    Length(u64),
    /// It is chunked.
    Chunked,
    /// It ends with the connection.
    Close,
}

/// What a head may be at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes of all.
    pub(crate) bytes: usize,
    /// Fields.
    pub(crate) fields: usize,
    /// Bytes of a request target.
    pub(crate) target: usize,
}

const TOO_MANY: Refusal = Refusal::new(431, "there are too many headers");

/// Looks for the end of a head, however it trickles in: no byte is looked at twice.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Bytes that were looked at.
    seen: usize,
    /// Where the present line begins.
    line: usize,
    /// Lines that ended.
    lines: usize,
}

impl Scan {
    /// The length of the head that `bytes` begins with; `None` while its end has not come. Whether it came in pieces
    /// changes nothing: the first byte that is too much is.
    pub(crate) fn end(&mut self, bytes: &[u8], bounds: &Bounds) -> Result<Option<usize>, Refusal> {
        const TOO_LONG: Refusal = Refusal::new(431, "the head of the request is too long");
        const TARGET: Refusal = Refusal::new(414, "the request target is too long");
        /// The longest method and version around the target of a request line.
        const AROUND: usize = 64;
        for at in memchr::memchr_iter(b'\n', &bytes[self.seen..]).map(|at| at + self.seen) {
            if self.lines == 0 && at > bounds.target + AROUND {
                return Err(TARGET);
            }
            if at >= bounds.bytes {
                return Err(TOO_LONG);
            }
            if at == 0 || bytes[at - 1] != b'\r' {
                return Err(Refusal::bad("a line ends without CR LF"));
            }
            if at - self.line == 1 {
                *self = Self::default();
                return Ok(Some(at + 1));
            }
            if self.lines == 0 && !is_start_line(&bytes[..at - 1]) {
                return Err(Refusal::bad("the first line is not one of HTTP/1"));
            }
            self.lines += 1;
            self.line = at + 1;
            if self.lines > bounds.fields + 1 {
                return Err(TOO_MANY);
            }
        }
        self.seen = bytes.len();
        if self.lines == 0 && self.seen > bounds.target + AROUND {
            return Err(TARGET);
        }
        if self.seen >= bounds.bytes {
            return Err(TOO_LONG);
        }
        Ok(None)
    }
}

/// Whether a first line names an HTTP version where one may stand. What speaks HTTP/0.9 would never send more.
fn is_start_line(line: &[u8]) -> bool {
    line.starts_with(b"HTTP/")
        || line.rsplit(|byte| *byte == b' ').next().is_some_and(|last| last.starts_with(b"HTTP/"))
}

/// Splits the lines after the first one into fields.
///
/// `from` is where they begin, and `bytes` ends with the empty line.
pub(crate) fn fields(bytes: &Bytes, from: usize, most: usize) -> Result<Vec<Field>, Refusal> {
    let mut fields = Vec::with_capacity(16);
    let mut from = from;
    while bytes.len() - from > 2 {
        let rest = &bytes[from..];
        let Some(end) = memchr::memchr(b'\n', rest) else {
            return Err(Refusal::bad("a line has no end"));
        };
        if fields.len() == most {
            return Err(TOO_MANY);
        }
        // A CR stands before each LF: the scan has seen to it.
        fields.push(Field::parse(&rest[..end.saturating_sub(1)], from)?);
        from += end + 1;
    }
    Ok(fields)
}

/// Whether a byte may stand in a token of RFC 9110: methods and names of fields.
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// By byte: a look-up is quicker than comparisons, and every name is looked at byte by byte.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let is_sign = matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        );
        table[byte as usize] = byte.is_ascii_alphanumeric() || is_sign;
        byte += 1;
    }
    table
};

/// The elements of a comma-separated list, trimmed, empty ones left out.
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests;
