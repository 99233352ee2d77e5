//! Bodies in pieces of every size, and those that make no sense.

use proptest::prelude::*;

use super::*;

/// Decodes bytes that come in pieces of this size; what is left over behind the end, too.
fn decode(framing: Framing, bytes: &[u8], step: usize) -> Result<(Vec<u8>, usize, Vec<u8>), Malformed> {
    let (mut decoder, mut read, mut data) = (Decoder::new(framing), BytesMut::new(), Vec::new());
    let mut pieces = bytes.chunks(step);
    let mut over = false;
    loop {
        match decoder.next(&mut read, over)? {
            Some(Piece::Data(piece)) => data.extend_from_slice(&piece),
            Some(Piece::End(trailers)) => {
                let rest = [read.to_vec(), pieces.flatten().copied().collect()].concat();
                return Ok((data, trailers.iter().count(), rest));
            }
            None => match pieces.next() {
                Some(piece) => read.extend_from_slice(piece),
                None => over = true,
            },
        }
    }
}

#[test]
fn a_body_ends_where_it_says() {
    let found = |framing, bytes: &str| {
        let (data, trailers, rest) = decode(framing, bytes.as_bytes(), 1).unwrap();
        (String::from_utf8(data).unwrap(), trailers, String::from_utf8(rest).unwrap())
    };
    assert_eq!(found(Framing::Length(3), "abcGET"), ("abc".into(), 0, "GET".into()));
    assert_eq!(found(Framing::None, "GET"), (String::new(), 0, "GET".into()));
    assert_eq!(found(Framing::Close, "abc"), ("abc".into(), 0, String::new()));
    let chunked = "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET";
    assert_eq!(found(Framing::Chunked, chunked), ("abc0123456789".into(), 1, "GET".into()));
}

#[test]
fn a_body_that_ends_too_early_is_none() {
    for (framing, bytes) in [
        (Framing::Length(3), "ab"),
        (Framing::Chunked, ""),
        (Framing::Chunked, "3\r\nab"),
        (Framing::Chunked, "3\r\nabc"),
        (Framing::Chunked, "3\r\nabc\r"),
        (Framing::Chunked, "3\r\nabc\r\n0\r\n"),
        (Framing::Chunked, "3\r\nabc\r\n0\r\nA: b\r\n"),
        (Framing::Chunked, "3"),
    ] {
        assert!(decode(framing, bytes.as_bytes(), 100).is_err(), "{bytes:?}");
    }
}

#[test]
fn extensions_are_forgiven_up_to_a_bound() {
    let chunk = format!("1;{}\r\na\r\n", "e".repeat(200));
    assert!(decode(Framing::Chunked, format!("{}0\r\n\r\n", chunk.repeat(50)).as_bytes(), 1000).is_ok());
    assert!(decode(Framing::Chunked, format!("{}0\r\n\r\n", chunk.repeat(100)).as_bytes(), 1000).is_err());
}

proptest! {
    /// Whatever comes, in whatever pieces: no panic, and the pieces do not matter.
    #[test]
    fn a_body_is_read_the_same_in_pieces(
        bytes in proptest::collection::vec(
            prop_oneof![
                Just(b"3\r\nabc\r\n".to_vec()), Just(b"0\r\n".to_vec()), Just(b"\r\n".to_vec()),
                Just(b"X: y\r\n".to_vec()), Just(b"1;a=b\r\n".to_vec()),
                proptest::collection::vec(any::<u8>(), 0..4),
            ],
            0..8,
        ),
        step in 1_usize..7,
    ) {
        let bytes = bytes.concat();
        let whole = decode(Framing::Chunked, &bytes, bytes.len().max(1));
        prop_assert_eq!(whole, decode(Framing::Chunked, &bytes, step));
    }
}
