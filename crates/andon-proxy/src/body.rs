//! Bodies of HTTP/1 messages: where they end, read strictly.
//!
//! Pure. The same code reads what clients send and what servers send. Chunks are taken apart and made anew for the
//! other side, so that their sizes and extensions are never read by two programs.

use bytes::{Buf, Bytes, BytesMut};

use crate::head::{Field, Framing, Known, Span};

/// A part of a body.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Some of its bytes, never none.
    Data(Bytes),
    /// Its end.
    End(Trailers),
}

/// The fields that follow a chunked body.
#[derive(Debug, Default, Clone)]
pub(crate) struct Trailers {
    bytes: Bytes,
    fields: Vec<Field>,
}

impl Trailers {
    /// Names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (field.name.of(&self.bytes), field.value.of(&self.bytes)))
    }

    /// Takes trailers in that came over HTTP/2.
    pub(crate) fn from_pairs<'a>(
        pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, Malformed> {
        let (mut bytes, mut fields) = (BytesMut::new(), Vec::new());
        for (name, value) in pairs {
            let at = bytes.len();
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(value);
            let middle = at + name.len();
            let (name, value) = (Span::new(at, middle), Span::new(middle, bytes.len()));
            let known = Known::of(name.of(&bytes)).map_err(|refusal| Malformed(refusal.why))?;
            fields.push(Field { name, value, known });
        }
        Self { bytes: bytes.freeze(), fields }.checked()
    }

    /// A trailer that says how the message is framed, routed or read comes too late to be obeyed by anybody.
    fn checked(self) -> Result<Self, Malformed> {
        let forbidden =
            |field: &Field| field.known != Known::Other || is_for_the_head(field.name.of(&self.bytes));
        if self.fields.iter().any(forbidden) {
            return Err(Malformed("a trailer is one that may only stand in the head"));
        }
        Ok(self)
    }
}

/// Why a body is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Finds the pieces of a body.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    /// Bytes of extensions and chunk sizes that are forgiven yet.
    overhead: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes are left.
    Length(u64),
    /// All until the connection ends.
    Close,
    /// A line with the size of a chunk comes.
    Size,
    /// So many bytes of a chunk are left.
    Chunk(u64),
    /// The CRLF after a chunk comes.
    ChunkEnd,
    /// Trailers come.
    Trailers,
    /// It has ended.
    Ended,
}

/// The longest line with the size of a chunk and its extensions, in bytes.
const SIZE_LINE: usize = 256;

/// Bytes of extensions in one body.
const OVERHEAD: usize = 16 * 1024;

/// Bytes of all trailers.
const TRAILERS: usize = 8 * 1024;

impl Decoder {
    /// For a body that ends so.
    pub(crate) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Ended,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size,
            Framing::Close => State::Close,
        };
        Self { state, overhead: OVERHEAD }
    }

    /// Whether the end was found.
    pub(crate) fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Takes the next piece from `bytes`; `None`: more are needed. `over`: no more will come.
    pub(crate) fn next(&mut self, bytes: &mut BytesMut, over: bool) -> Result<Option<Piece>, Malformed> {
        loop {
            match self.state {
                State::Ended => return Ok(Some(Piece::End(Trailers::default()))),
                State::Close if !bytes.is_empty() => return Ok(Some(Piece::Data(bytes.split().freeze()))),
                State::Close if over => self.state = State::Ended,
                _ if bytes.is_empty() && over => return Err(Malformed("it ends too early")),
                State::Close => return Ok(None),
                State::Length(left) | State::Chunk(left) if !bytes.is_empty() => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX);
                    let data = bytes.split_to(most.min(bytes.len())).freeze();
                    let left = left - data.len() as u64;
                    self.state = match (self.state, left) {
                        (State::Length(_), 0) => State::Ended,
                        (State::Length(_), left) => State::Length(left),
                        (_, 0) => State::ChunkEnd,
                        (_, left) => State::Chunk(left),
                    };
                    return Ok(Some(Piece::Data(data)));
                }
                State::Length(_) | State::Chunk(_) => return Ok(None),
                State::ChunkEnd => match bytes.get(..2) {
                    Some(b"\r\n") => {
                        bytes.advance(2);
                        self.state = State::Size;
                    }
                    None if bytes.is_empty() || (bytes[..] == b"\r"[..] && !over) => return Ok(None),
                    _ => return Err(Malformed("a chunk does not end where it says")),
                },
                State::Size => match self.size(bytes)? {
                    None => return if over { Err(Malformed("it ends too early")) } else { Ok(None) },
                    Some(0) => self.state = State::Trailers,
                    Some(size) => self.state = State::Chunk(size),
                },
                State::Trailers => {
                    let Some(trailers) = trailers(bytes)? else {
                        return if over { Err(Malformed("it ends too early")) } else { Ok(None) };
                    };
                    self.state = State::Ended;
                    return Ok(Some(Piece::End(trailers)));
                }
            }
        }
    }

    /// Reads a line with the size of a chunk.
    fn size(&mut self, bytes: &mut BytesMut) -> Result<Option<u64>, Malformed> {
        let Some(end) = memchr::memchr(b'\n', &bytes[..bytes.len().min(SIZE_LINE)]) else {
            let whole = bytes.len() < SIZE_LINE;
            return if whole {
                Ok(None)
            } else {
                Err(Malformed("the size of a chunk takes a very long line"))
            };
        };
        let line = match bytes[..end].split_last() {
            Some((b'\r', line)) => line,
            _ => return Err(Malformed("the size of a chunk ends without CR LF")),
        };
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if digits == 0 || digits > 15 {
            return Err(Malformed("the size of a chunk is not a number"));
        }
        let size = line[..digits].iter().fold(0, |sum, digit| {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                _ => (digit | 0x20) - b'a' + 10,
            };
            sum * 16 + u64::from(value)
        });
        let extension = &line[digits..];
        if !extension.is_empty() {
            let allowed = |byte: &u8| *byte == b'\t' || (0x20..0x7f).contains(byte);
            if extension[0] != b';' || !extension.iter().all(allowed) {
                return Err(Malformed("the size of a chunk is not a number"));
            }
            self.overhead = self
                .overhead
                .checked_sub(extension.len())
                .ok_or(Malformed("its chunks have too many extensions"))?;
        }
        bytes.advance(end + 1);
        Ok(Some(size))
    }
}

/// Reads the fields after the last chunk.
fn trailers(bytes: &mut BytesMut) -> Result<Option<Trailers>, Malformed> {
    let mut line = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        if end == 0 || bytes[end - 1] != b'\r' {
            return Err(Malformed("a trailer ends without CR LF"));
        }
        if end - line == 1 {
            let bytes = bytes.split_to(end + 1).freeze();
            let fields = crate::head::fields(&bytes, 0, 64).map_err(|refusal| Malformed(refusal.why))?;
            return Trailers { bytes, fields }.checked().map(Some);
        }
        line = end + 1;
    }
    if bytes.len() > TRAILERS { Err(Malformed("its trailers are too long")) } else { Ok(None) }
}
/// Whether a server that merges trailers into the head would obey this one.
fn is_for_the_head(name: &[u8]) -> bool {
    const NAMES: [&str; 12] = [
        "authorization",
        "proxy-authorization",
        "proxy-authenticate",
        "www-authenticate",
        "set-cookie",
        "cache-control",
        "max-forwards",
        "range",
        "trailer",
        "location",
        "origin",
        "x-http-method-override",
    ];
    let begins =
        |start: &str| name.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start.as_bytes()));
    NAMES.iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes())) || begins("content-") || begins("if-")
}

#[cfg(test)]
mod tests;
