//! A request as it goes to a server.
//!
//! Written once, as bytes, so that it can be sent again. What ends at this hop is left out, what says who the client is
//! replaced, unless a proxy before this one is trusted to say it.

use std::net::IpAddr;

use bytes::{Bytes, BytesMut};

use crate::config::Forwarded;
use crate::head::{Framing, Known};

/// A request as it goes to a server.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The whole head.
    pub(crate) head: Bytes,
    /// How the body is sent.
    pub(crate) framing: Framing,
    /// Whether it is a HEAD request, whose response has no body.
    pub(crate) is_head: bool,
    /// Whether it may be sent again although a server may have seen it: its method is idempotent, and it has no body.
    pub(crate) repeatable: bool,
    /// Whether it asks for an upgrade.
    pub(crate) upgrade: bool,
}

/// Who the client is, in the words of headers: the same for all requests of a connection.
#[derive(Debug)]
pub(crate) struct Client {
    address: String,
    proto: &'static str,
    trusted: bool,
}

/// What a front has read, in the order of its arrival, whatever version it speaks.
pub(crate) struct Incoming<'a, F> {
    /// The method.
    pub(crate) method: &'a [u8],
    /// Path and query.
    pub(crate) target: &'a [u8],
    /// The host; empty where none was named.
    pub(crate) host: &'a [u8],
    /// All fields.
    pub(crate) fields: F,
    /// Options of the Connection header: names of fields that end here.
    pub(crate) dropped: &'a [&'a [u8]],
    /// How the body ends.
    pub(crate) framing: Framing,
    /// What the client would like to speak instead; empty for nothing else.
    pub(crate) upgrade: &'a [u8],
    /// The line that tells the server about this proxy.
    pub(crate) via: &'static [u8],
}

impl Client {
    /// A client at an address.
    pub(crate) fn new(address: IpAddr, tls: bool, forwarded: &Forwarded) -> Self {
        let address = address.to_canonical();
        Self {
            trusted: forwarded.trusted.iter().any(|network| network.contains(address)),
            address: address.to_string(),
            proto: if tls { "https" } else { "http" },
        }
    }

    /// Writes the request that a server gets.
    pub(crate) fn outgoing<'a, F>(&self, incoming: &Incoming<'a, F>, room: &mut BytesMut) -> Outgoing
    where
        F: Iterator<Item = (&'a [u8], &'a [u8], Known)> + Clone,
    {
        let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| room.extend_from_slice(part));
        put(&[incoming.method, b" ", incoming.target, b" HTTP/1.1\r\n"]);
        // First, as RFC 9110 likes it; a server must get one even from a client that names none.
        put(&[b"Host: ", if incoming.host.is_empty() { b"localhost" } else { incoming.host }, b"\r\n"]);
        for (name, value, known) in incoming.fields.clone() {
            let dropped = known.ends_here()
                || known == Known::Host
                || known.is_claim()
                || incoming.dropped.iter().any(|dropped| dropped.eq_ignore_ascii_case(name));
            if !dropped {
                put(&[name, b": ", value, b"\r\n"]);
            }
        }
        self.claims(incoming, &mut put);
        put(&[incoming.via]);
        if incoming.framing == Framing::Chunked {
            put(&[b"Transfer-Encoding: chunked\r\n"]);
        }
        if !incoming.upgrade.is_empty() {
            put(&[b"Connection: upgrade\r\nUpgrade: ", incoming.upgrade, b"\r\n"]);
        }
        put(&[b"\r\n"]);
        let idempotent = [&b"GET"[..], b"HEAD", b"OPTIONS", b"PUT", b"DELETE"].contains(&incoming.method);
        Outgoing {
            head: room.split().freeze(),
            framing: incoming.framing,
            is_head: incoming.method == b"HEAD",
            repeatable: idempotent && incoming.framing == Framing::None && incoming.upgrade.is_empty(),
            upgrade: !incoming.upgrade.is_empty(),
        }
    }

    /// Says who the client is.
    fn claims<'a, F>(&self, incoming: &Incoming<'a, F>, put: &mut impl FnMut(&[&[u8]]))
    where
        F: Iterator<Item = (&'a [u8], &'a [u8], Known)> + Clone,
    {
        let (address, proto) = (self.address.as_bytes(), self.proto.as_bytes());
        if !self.trusted {
            put(&[b"X-Forwarded-For: ", address, b"\r\nX-Forwarded-Proto: ", proto, b"\r\n"]);
            if !incoming.host.is_empty() {
                put(&[b"X-Forwarded-Host: ", incoming.host, b"\r\n"]);
            }
            return;
        }
        let mut seen = (false, false);
        put(&[b"X-Forwarded-For: "]);
        for (_, value, _) in incoming.fields.clone().filter(|(_, _, known)| *known == Known::ForwardedFor) {
            put(&[value, b", "]);
        }
        put(&[address, b"\r\n"]);
        for (name, value, known) in incoming.fields.clone().filter(|(_, _, known)| known.is_claim()) {
            match known {
                Known::ForwardedFor => {}
                Known::Forwarded => {
                    let quote: &[u8] = if self.address.contains(':') { b"\"" } else { b"" };
                    let (open, close): (&[u8], &[u8]) =
                        if quote.is_empty() { (b"", b"") } else { (b"[", b"]") };
                    put(&[name, b": ", value, b", for=", quote, open, address, close, quote]);
                    put(&[b";proto=", proto, b"\r\n"]);
                }
                _ => put(&[name, b": ", value, b"\r\n"]),
            }
            seen.0 |= known == Known::ForwardedProto;
            seen.1 |= known == Known::ForwardedHost;
        }
        if !seen.0 {
            put(&[b"X-Forwarded-Proto: ", proto, b"\r\n"]);
        }
        if !seen.1 && !incoming.host.is_empty() {
            put(&[b"X-Forwarded-Host: ", incoming.host, b"\r\n"]);
        }
    }
}
