//! One header field, and which of those it is that a proxy must know.

use std::ops::Range;

use super::is_token;
use crate::refusal::Refusal;

/// A part of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    from: u32,
    to: u32,
}

impl Span {
    /// From one place to another.
    pub(crate) fn new(from: usize, to: usize) -> Self {
        // Heads are far shorter than 4 GiB.
        let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self { from: place(from), to: place(to) }
    }

    /// As a range of bytes.
    pub(crate) fn range(self) -> Range<usize> {
        self.from as usize..self.to as usize
    }

    /// The bytes there.
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }
}

/// A header field of a head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Its name, as it was written.
    pub(crate) name: Span,
    /// Its value, without white space around it.
    pub(crate) value: Span,
    /// Which one it is.
    pub(crate) known: Known,
}

/// The fields that mean something to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Any other.
    Other,
    /// `Host`.
    Host,
    /// `Connection`.
    Connection,
    /// Others that end at the next hop: `Keep-Alive`, `Proxy-Connection`, `TE`, `HTTP2-Settings`.
    Hop,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `Content-Length`.
    ContentLength,
    /// `Upgrade`.
    Upgrade,
    /// `Expect`.
    Expect,
    /// `Cookie`.
    Cookie,
    /// `X-Forwarded-For`.
    ForwardedFor,
    /// `X-Forwarded-Proto`.
    ForwardedProto,
    /// `X-Forwarded-Host`.
    ForwardedHost,
    /// `Forwarded`.
    Forwarded,
    /// Others that servers believe about the client: `X-Forwarded-…`, `X-Real-Ip`, `X-Original-…`.
    Claim,
    /// `User-Agent`.
    UserAgent,
    /// `Referer`.
    Referer,
    /// `X-Request-Id`.
    RequestId,
}

impl Field {
    /// Reads a line without its CRLF that begins at `at`.
    pub(crate) fn parse(line: &[u8], at: usize) -> Result<Self, Refusal> {
        let colon = line.iter().position(|byte| !is_token(*byte)).unwrap_or(line.len());
        match line.get(colon) {
            Some(b':') if colon > 0 => {}
            Some(b' ' | b'\t') if colon == 0 => {
                return Err(Refusal::bad("a header is folded over two lines"));
            }
            Some(b' ' | b'\t') => {
                return Err(Refusal::bad("white space stands before the colon of a header"));
            }
            _ => return Err(Refusal::bad("the name of a header holds what it may not")),
        }
        let value = &line[colon + 1..];
        if value.iter().any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f) {
            return Err(Refusal::bad("the value of a header holds a control character"));
        }
        let white = |byte: &u8| matches!(byte, b' ' | b'\t');
        let lead = value.iter().take_while(|byte| white(byte)).count();
        let trail = value[lead..].iter().rev().take_while(|byte| white(byte)).count();
        let name = &line[..colon];
        Ok(Self {
            name: Span::new(at, at + colon),
            value: Span::new(at + colon + 1 + lead, at + line.len() - trail),
            known: Known::of(name)?,
        })
    }
}

impl Known {
    /// Which field has this name.
    ///
    /// # Errors
    /// When an underscore makes it another name for a field that means something here: some servers read the two as one.
    pub(crate) fn of(name: &[u8]) -> Result<Self, Refusal> {
        let known = Self::exactly(name);
        if known == Known::Other && memchr::memchr(b'_', name).is_some() {
            let dashed: Vec<u8> = name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
            if Self::exactly(&dashed).is_sensitive() {
                return Err(Refusal::bad("a header has an underscore where its name has a dash"));
            }
        }
        Ok(known)
    }

    fn exactly(name: &[u8]) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        match name.len() {
            2 if is("te") => Known::Hop,
            4 if is("host") => Known::Host,
            6 if is("cookie") => Known::Cookie,
            6 if is("expect") => Known::Expect,
            7 if is("upgrade") => Known::Upgrade,
            7 if is("referer") => Known::Referer,
            9 if is("forwarded") => Known::Forwarded,
            9 if is("x-real-ip") => Known::Claim,
            10 if is("connection") => Known::Connection,
            10 if is("keep-alive") => Known::Hop,
            10 if is("user-agent") => Known::UserAgent,
            12 if is("x-request-id") => Known::RequestId,
            14 if is("content-length") => Known::ContentLength,
            14 if is("http2-settings") => Known::Hop,
            15 if is("x-forwarded-for") => Known::ForwardedFor,
            16 if is("x-forwarded-host") => Known::ForwardedHost,
            16 if is("proxy-connection") => Known::Hop,
            17 if is("transfer-encoding") => Known::TransferEncoding,
            17 if is("x-forwarded-proto") => Known::ForwardedProto,
            12.. if name[..12].eq_ignore_ascii_case(b"x-forwarded-") => Known::Claim,
            _ => Known::Other,
        }
    }

    /// Whether somebody could gain from a server that reads it where this proxy did not.
    fn is_sensitive(self) -> bool {
        !matches!(self, Known::Other | Known::UserAgent | Known::Referer | Known::RequestId | Known::Cookie)
    }

    /// Whether it never goes to the other side as it came.
    pub(crate) fn ends_here(self) -> bool {
        matches!(
            self,
            Known::Connection | Known::Hop | Known::TransferEncoding | Known::Upgrade | Known::Expect
        )
    }

    /// Whether it says who the client is.
    pub(crate) fn is_claim(self) -> bool {
        matches!(
            self,
            Known::ForwardedFor
                | Known::ForwardedProto
                | Known::ForwardedHost
                | Known::Forwarded
                | Known::Claim
        )
    }
}
