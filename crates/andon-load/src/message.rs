//! HTTP/1.1 messages as both sides read them: a head within bounds, and a body by length, by chunks or to the end.
//!
//! Strict on purpose: what a careful client would stumble over is an error here.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::content::MAX_BODY;

/// The longest head of a message, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// Bytes that end a line.
const LINE_END: usize = 2;

/// The longest line between two chunks, in bytes.
const MAX_CHUNK_LINE: usize = 256;

/// Why a message could not be read.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The other side closed the connection after so many bytes of the message.
    Closed(usize),
    /// The connection failed after so many bytes of the message.
    Failed(usize, io::Error),
    /// What came is no such message.
    Senseless(String),
}

/// The first line and the fields of a message.
#[derive(Debug)]
pub(crate) struct Head {
    /// The first line, without its end.
    pub(crate) first: String,
    /// Names in lower case, and values.
    fields: Vec<(String, String)>,
    /// Bytes that it took.
    pub(crate) bytes: usize,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes.
    Length(usize),
    /// Until the last chunk.
    Chunked,
    /// Until the connection ends.
    UntilClose,
}

impl Head {
    /// Reads a head up to and with the empty line.
    pub(crate) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Self, Broken> {
        let first = line(stream, 0, MAX_HEAD).await?;
        let mut bytes = first.len() + LINE_END;
        let mut fields = Vec::new();
        loop {
            let line = line(stream, bytes, MAX_HEAD.saturating_sub(bytes)).await?;
            bytes += line.len() + LINE_END;
            if line.is_empty() {
                return Ok(Self { first, fields, bytes });
            }
            let Some((name, value)) = line.split_once(':') else {
                return Err(Broken::Senseless(format!("{line:?} is no field of a head")));
            };
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The first field with this name, which is in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether the sender says that the connection ends with this message.
    pub(crate) fn closes(&self) -> bool {
        let says =
            |word: &str| self.field("connection").is_some_and(|value| value.eq_ignore_ascii_case(word));
        says("close") || (self.first.contains("HTTP/1.0") && !says("keep-alive"))
    }

    /// How the body is framed; `None` when nothing is said.
    pub(crate) fn framing(&self) -> Result<Option<Framing>, Broken> {
        match (self.field("transfer-encoding"), self.field("content-length")) {
            (Some(_), Some(_)) => Err(Broken::Senseless("two lengths of one body".to_owned())),
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Framing::Chunked)),
            (Some(coding), None) => Err(Broken::Senseless(format!("the coding {coding:?}"))),
            (None, Some(length)) => match length.parse() {
                Ok(length) if length <= MAX_BODY => Ok(Some(Framing::Length(length))),
                _ => Err(Broken::Senseless(format!("the length {length:?}"))),
            },
            (None, None) => Ok(None),
        }
    }
}

/// Reads a body of at most [`MAX_BODY`] bytes. `before` bytes of the message were read already.
pub(crate) async fn body(
    stream: &mut (impl AsyncBufRead + Unpin),
    framing: Framing,
    before: usize,
) -> Result<Vec<u8>, Broken> {
    let mut body = Vec::new();
    match framing {
        Framing::Length(length) => take(stream, length, &mut body, before).await?,
        Framing::UntilClose => {
            let mut limited = stream.take(MAX_BODY as u64);
            let read = limited.read_to_end(&mut body).await;
            read.map_err(|error| Broken::Failed(before + body.len(), error))?;
        }
        Framing::Chunked => while chunk(stream, &mut body, before).await? {},
    }
    Ok(body)
}

/// Appends one chunk to `body`. Answers whether it was not the last one.
async fn chunk(
    stream: &mut (impl AsyncBufRead + Unpin),
    body: &mut Vec<u8>,
    before: usize,
) -> Result<bool, Broken> {
    let line_of = line(stream, before + body.len(), MAX_CHUNK_LINE).await?;
    let size = usize::from_str_radix(line_of.split(';').next().unwrap_or_default().trim(), 16)
        .ok()
        .filter(|size| body.len().saturating_add(*size) <= MAX_BODY)
        .ok_or_else(|| Broken::Senseless(format!("a chunk of the size {line_of:?}")))?;
    take(stream, size, body, before).await?;
    match line(stream, before + body.len(), MAX_CHUNK_LINE).await? {
        end if end.is_empty() => Ok(size > 0),
        end => Err(Broken::Senseless(format!("{end:?} at the end of a chunk"))),
    }
}

/// Appends exactly `length` bytes to `body`.
async fn take(
    stream: &mut (impl AsyncBufRead + Unpin),
    length: usize,
    body: &mut Vec<u8>,
    before: usize,
) -> Result<(), Broken> {
    let begun = body.len();
    let mut limited = stream.take(length as u64);
    let read = limited.read_to_end(body).await;
    let got = body.len() - begun;
    read.map_err(|error| Broken::Failed(before + got, error))?;
    if got == length { Ok(()) } else { Err(Broken::Closed(before + got)) }
}

/// Reads a line of at most `most` bytes, without its end. `before` bytes of the message were read already.
async fn line(
    stream: &mut (impl AsyncBufRead + Unpin),
    before: usize,
    most: usize,
) -> Result<String, Broken> {
    let mut line = Vec::new();
    let read = stream.take(most as u64).read_until(b'\n', &mut line).await;
    read.map_err(|error| Broken::Failed(before + line.len(), error))?;
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
        None if line.ends_with(b"\n") => {
            Err(Broken::Senseless("a line without a carriage return".to_owned()))
        }
        None if line.len() == most => Err(Broken::Senseless(format!("a line of more than {most} bytes"))),
        None => Err(Broken::Closed(before + line.len())),
    }
}
