//! Heads of responses, as they go to a client that speaks HTTP/1.

use bytes::BytesMut;

use crate::head::{Known, ResponseHead, elements};

/// Puts the status line and the fields of a response that go on to the client.
pub(super) fn put_start(out: &mut BytesMut, head: &ResponseHead) {
    let digit = |number: u16| b'0' + u8::try_from(number % 10).unwrap_or(0);
    let status = [digit(head.status / 100), digit(head.status / 10), digit(head.status)];
    put(out, &[b"HTTP/1.1 ", &status, b" ", head.part(head.reason), b"\r\n"]);
    let options = head.fields.iter().filter(|field| field.known == Known::Connection);
    let dropped: Vec<&[u8]> = options.flat_map(|field| elements(head.part(field.value))).collect();
    for field in &head.fields {
        let name = head.part(field.name);
        let never = field.known.ends_here() || (head.status == 204 && field.known == Known::ContentLength);
        if !never && !dropped.iter().any(|dropped| dropped.eq_ignore_ascii_case(name)) {
            put(out, &[name, b": ", head.part(field.value), b"\r\n"]);
        }
    }
}

pub(super) fn put(out: &mut BytesMut, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}
