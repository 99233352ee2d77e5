//! What an HTTP/2 request says, held to the rules of HTTP/1. Pure.

use http::header::{CONTENT_LENGTH, COOKIE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use crate::head::{Framing, Known, is_authority, length_of};
use crate::refusal::Refusal;

/// Name and value of a field, and which one it is.
pub(super) type Line<'a> = (&'a [u8], &'a [u8], Known);

/// The host that is asked for, which `:authority` and `Host` must agree upon.
pub(super) fn authority(parts: &Parts) -> Result<&[u8], Refusal> {
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Err(Refusal::new(405, "this method is not for a proxy in front of servers"));
    }
    let mut hosts = parts.headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    let (host, more) = (hosts.next(), hosts.next().is_some());
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    match (authority, host) {
        _ if more => Err(Refusal::bad("there are two Host headers")),
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            Err(Refusal::bad("the authority and the Host header name different hosts"))
        }
        (Some(host), _) | (None, Some(host)) if is_authority(host) => Ok(host),
        _ => Err(Refusal::bad("there is no authority that could be one")),
    }
}

/// How the body is sent on.
pub(super) fn framing(parts: &Parts, is_empty: bool) -> Result<Framing, Refusal> {
    let mut lengths = parts.headers.get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (_, Some(_)) => Err(Refusal::bad("there are two Content-Length headers")),
        (Some(length), None) => match length_of(length.as_bytes()) {
            // hyper ends a stream with an error whose data are not as long as that.
            Some(0) => Ok(Framing::None),
            Some(length) => Ok(Framing::Length(length)),
            None => Err(Refusal::bad("the Content-Length header is not a number")),
        },
        (None, None) if is_empty => Ok(Framing::None),
        (None, None) => Ok(Framing::Chunked),
    }
}

/// The cookies, which HTTP/2 may bring one by one, in one value.
pub(super) fn cookies(headers: &HeaderMap) -> Vec<u8> {
    let values: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    values.join(&b"; "[..])
}

/// All fields, as HTTP/1 has them.
pub(super) fn fields<'a>(headers: &'a HeaderMap, cookies: &'a [u8]) -> Result<Vec<Line<'a>>, Refusal> {
    let mut fields = Vec::with_capacity(headers.len());
    if !cookies.is_empty() {
        fields.push((&b"cookie"[..], cookies, Known::Cookie));
    }
    for (name, value) in headers {
        let known = Known::of(name.as_str().as_bytes())?;
        if known == Known::TransferEncoding || known == Known::Connection || known == Known::Upgrade {
            return Err(Refusal::bad("a header is one of HTTP/1 only"));
        }
        if known == Known::Cookie {
            continue;
        }
        fields.push((name.as_str().as_bytes(), value.as_bytes(), known));
    }
    Ok(fields)
}
