//! Messages from a host that may be hostile: every text in them is made harmless before anybody reads it.
//!
//! This is the one door by which words of hosts come in, so nobody behind it has to think of terminals. Bytes (what
//! steps print) stay as they are; whoever shows them makes them legible.

use std::borrow::Cow;

use andon_core::legible::neutral;
use serde::de::DeserializeOwned;

use crate::frame::{FrameError, decode};

/// The message in a frame's body, with every control character, and every character that reorders or hides others, in
/// visible form; line ends and tabs stay. A body without such characters is not copied.
pub fn decode_foreign<M: DeserializeOwned>(body: &[u8]) -> Result<M, FrameError> {
    decode(&harmless(body))
}

/// `body` with its texts made harmless. Where it is not CBOR it ends, or stays, as it is: decoding finds that out.
fn harmless(body: &[u8]) -> Cow<'_, [u8]> {
    let mut clean: Option<Vec<u8>> = None;
    let (mut rest, mut copied) = (body, 0);
    // CBOR (RFC 8949) is a sequence of heads; only texts and bytes have anything after theirs. So what is nested needs
    // no stack here.
    while let Some(head) = Head::read(rest) {
        let Some((content, after)) = rest[head.length..].split_at_checked(head.content) else { break };
        if head.major == TEXT
            && !is_plain(content)
            && let Ok(text) = std::str::from_utf8(content)
        {
            let harmless = neutral(text.as_bytes());
            let at = body.len() - rest.len();
            let out = clean.get_or_insert_with(|| Vec::with_capacity(body.len() + 64));
            out.extend_from_slice(&body[copied..at]);
            push_text(out, &harmless);
            copied = body.len() - after.len();
        }
        rest = after;
    }
    match clean {
        None => Cow::Borrowed(body),
        Some(mut out) => {
            out.extend_from_slice(&body[copied..]);
            Cow::Owned(out)
        }
    }
}

/// Whether a text holds nothing that could do harm, seen at a glance.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t'))
}

const BYTES: u8 = 2;
const TEXT: u8 = 3;
/// An item of a length that is not said, or its end.
const INDEFINITE: u8 = 31;

/// What stands before the content of an item.
struct Head {
    major: u8,
    /// Of the head itself, in bytes.
    length: usize,
    /// Of the content, in bytes.
    content: usize,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        let (major, short) = (first >> 5, first & 31);
        let extra = match short {
            0..24 | INDEFINITE => 0,
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return None,
        };
        let argument = bytes.get(1..=extra)?.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let content = match (major, short) {
            (BYTES | TEXT, 0..24) => u64::from(short),
            (BYTES | TEXT, 24..=27) => argument,
            _ => 0,
        };
        Some(Self { major, length: 1 + extra, content: usize::try_from(content).ok()? })
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    let length = text.len() as u64;
    // Longer than needed is allowed, and every reader takes it.
    out.push(TEXT << 5 | 27);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{FromHost, Refusal, Subject};
    use crate::frame::{HEADER, encode};

    const HOSTILE: &str = "a\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}b\r\nc\t\u{e0041}é✔";

    fn refused(text: &str) -> FromHost {
        FromHost::Refused { what: Subject::Session, refusal: Refusal::Storage(text.to_owned()) }
    }

    #[test]
    fn every_text_of_a_host_arrives_harmless() {
        let frame = encode(&refused(HOSTILE)).unwrap();
        let wanted = "a\\x1b]0;owned\\x07\\u{9b}2J\\u{202e}b\nc\t\\u{e0041}é✔";
        assert_eq!(decode_foreign::<FromHost>(&frame[HEADER..]).unwrap(), refused(wanted));
        // Long ones, and those after others, too.
        let long = "x\u{1b}".repeat(40_000);
        let frame = encode(&refused(&long)).unwrap();
        assert_eq!(decode_foreign::<FromHost>(&frame[HEADER..]).unwrap(), refused(&"x\\x1b".repeat(40_000)));
    }

    #[test]
    fn bytes_and_harmless_messages_stay_as_they_are() {
        let token = andon_core::host::Token::try_from("d1.f1.web1.verify.1".to_owned()).unwrap();
        let output = FromHost::Output { token, offset: 7, bytes: b"\x1b[2J\xff\x00".to_vec() };
        let frame = encode(&output).unwrap();
        assert!(matches!(harmless(&frame[HEADER..]), Cow::Borrowed(_)));
        assert_eq!(decode_foreign::<FromHost>(&frame[HEADER..]).unwrap(), output);
    }

    #[test]
    fn a_text_in_pieces_arrives_harmless_and_its_length_may_lie() {
        // 7f 61 1b 61 5b ff: an indefinite text of "\x1b" and "[".
        assert_eq!(decode_foreign::<String>(&[0x7f, 0x61, 0x1b, 0x61, 0x5b, 0xff]).unwrap(), "\\x1b[");
        for lie in [
            &[0x65, 0x1b][..],
            &[0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1b],
            &[0x7c],
            &[0x78],
        ] {
            assert!(decode_foreign::<String>(lie).is_err(), "{lie:x?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_let_a_control_character_through() {
        // A small generator, the same in every run.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut byte = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        for round in 0..20_000 {
            let body: Vec<u8> = (0..round % 40).map(|_| byte()).collect();
            if let Ok(text) = decode_foreign::<String>(&body) {
                assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{body:x?}");
            }
        }
    }
}
