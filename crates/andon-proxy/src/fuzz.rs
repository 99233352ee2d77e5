//! What must hold for whatever clients and servers send to the proxy, and for any file that it is given. Called by
//! fuzzing and by the replay of its corpora.

use bytes::{Bytes, BytesMut};

use crate::body::{Decoder, Malformed, Piece};
use crate::config::Config;
use crate::head::{Bounds, Framing, RequestHead, ResponseHead, Scan};
use crate::refusal::Refusal;

const BOUNDS: Bounds = Bounds { bytes: 4096, fields: 32, target: 1024 };

/// `data` is what comes on a connection, as requests and as responses. Its first byte is the size of the pieces.
pub fn http1(data: &[u8]) {
    let Some((step, data)) = data.split_first() else { return };
    let step = usize::from(*step).max(1);
    messages(data, step, |head| request(&head));
    messages(data, step, |head| {
        let _ = ResponseHead::parse(head.clone(), true);
        Some(ResponseHead::parse(head, false).ok()?.framing)
    });
}

/// Reads one message after the other, in pieces of this size and as a whole: both find the same.
fn messages(mut data: &[u8], step: usize, framing: impl Fn(Bytes) -> Option<Framing>) {
    loop {
        let whole = Scan::default().end(data, &BOUNDS);
        assert_eq!(whole, in_pieces(data, step, &BOUNDS), "the pieces matter");
        let Ok(Some(end)) = whole else { return };
        assert!(end <= BOUNDS.bytes, "a head of {end} bytes");
        let (head, behind) = data.split_at(end);
        let Some(framing) = framing(Bytes::copy_from_slice(head)) else { return };
        let (at_once, in_pieces) = (body(framing, behind, usize::MAX), body(framing, behind, step));
        assert_eq!(at_once, in_pieces, "the pieces matter");
        let Ok(taken) = at_once else { return };
        data = behind.get(taken.bytes..).unwrap_or_default();
    }
}

/// What is found of bytes that come in pieces of this size.
pub(crate) fn in_pieces(data: &[u8], step: usize, bounds: &Bounds) -> Result<Option<usize>, Refusal> {
    let mut scan = Scan::default();
    let mut ends = (0..data.len()).step_by(step).chain([data.len()]);
    ends.find_map(|end| scan.end(&data[..end], bounds).transpose()).transpose()
}

/// A head that is taken can be read in one way only.
fn request(bytes: &Bytes) -> Option<Framing> {
    let head = RequestHead::parse(bytes.clone(), &BOUNDS).ok()?;
    assert!(head.fields.len() <= BOUNDS.fields && head.part(head.target).len() <= BOUNDS.target);
    let field = |name: &str| {
        let is = |field: &&crate::head::Field| head.part(field.name).eq_ignore_ascii_case(name.as_bytes());
        head.fields.iter().filter(is).count()
    };
    assert!(field("host") <= 1 && field("content-length") + field("transfer-encoding") <= 1);
    for field in &head.fields {
        let (name, value) = (head.part(field.name), head.part(field.value));
        assert!(!name.is_empty() && name.iter().all(|byte| crate::head::is_token(*byte)), "{name:?}");
        assert!(value.iter().all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f)), "{value:?}");
        assert_eq!(value, value.trim_ascii());
    }
    assert!(head.part(head.target).iter().all(|byte| byte.is_ascii_graphic() || *byte >= 0x80));
    assert_ne!(head.framing, Framing::Close, "a request does not end with the connection");
    Some(head.framing)
}

#[derive(Debug, PartialEq, Eq)]
struct Body {
    data: Vec<u8>,
    trailers: usize,
    /// How many bytes of the connection it took.
    bytes: usize,
}

/// Reads a body that comes in pieces of this size, and behind it the end of the connection.
fn body(framing: Framing, bytes: &[u8], step: usize) -> Result<Body, Malformed> {
    let (mut decoder, mut read, mut data) = (Decoder::new(framing), BytesMut::new(), Vec::new());
    let (mut pieces, mut came, mut over) = (bytes.chunks(step), 0, false);
    loop {
        match decoder.next(&mut read, over)? {
            Some(Piece::Data(piece)) => {
                assert!(!piece.is_empty(), "a piece of nothing");
                data.extend_from_slice(&piece);
            }
            Some(Piece::End(trailers)) => {
                assert!(data.len() <= bytes.len() && decoder.has_ended());
                return Ok(Body { data, trailers: trailers.iter().count(), bytes: came - read.len() });
            }
            None => match pieces.next() {
                Some(piece) => {
                    came += piece.len();
                    read.extend_from_slice(piece);
                }
                None => {
                    assert!(!over, "it waits for what will not come");
                    over = true;
                }
            },
        }
    }
}

/// `data` is the configuration.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(error) = Config::parse(&text) {
        assert!(!error.to_string().is_empty());
    }
}

#[cfg(test)]
mod tests {
    use andon_testbed::corpus::replay;

    #[test]
    fn messages_and_files_that_were_found_do_no_harm() {
        replay("http1", super::http1);
        replay("proxy-config", super::config);
    }
}
