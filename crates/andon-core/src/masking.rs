//! Hides known secrets in what programs print. Pure: bytes in, bytes out.
//!
//! A value is found as it is and as programs commonly spell it: in base64, percent-encoded, inside of a JSON text. A
//! program that wants to give a secret away can do so in many other ways; this is for accidents.

use std::collections::BTreeSet;

/// What stands in the place of a secret, however long that is.
pub const HIDDEN: &[u8] = b"***";

/// The shortest value that is hidden, in bytes: a shorter one stands in ordinary text by chance.
pub const SHORTEST: usize = 6;

/// The shortest piece of base64 that is looked for, in bytes.
const SHORTEST_BASE64: usize = 8;

/// Secrets to be hidden.
#[derive(Clone, Default)]
pub struct Mask {
    /// The longest first, so that the longest is hidden where several begin.
    spellings: Vec<Vec<u8>>,
}

// The spellings are the secrets.
impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} spellings)", self.spellings.len())
    }
}

/// What begins at a position.
enum Here {
    /// A spelling of so many bytes.
    Whole(usize),
    /// Perhaps a spelling, if the right bytes follow.
    Begun,
    /// Nothing secret.
    Nothing,
}

impl Mask {
    /// Hides `values`. Those below [`SHORTEST`] are left out.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = BTreeSet::new();
        for value in values.into_iter().filter(|value| value.len() >= SHORTEST) {
            all.insert(value.as_bytes().to_vec());
            all.insert(percent_encoded(value));
            all.insert(in_json(value));
            all.extend(
                (0..3)
                    .map(|shift| base64_core(value.as_bytes(), shift))
                    .filter(|core| core.len() >= SHORTEST_BASE64),
            );
        }
        let mut spellings: Vec<Vec<u8>> = all.into_iter().collect();
        spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        Self { spellings }
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.spellings.is_empty()
    }

    /// `bytes` without secrets. `cut` says that they were cut off: then what could be the beginning of a secret at
    /// their end is hidden, too.
    pub fn hide(&self, bytes: &[u8], cut: bool) -> Vec<u8> {
        let mut stream = MaskedStream::new(self.clone());
        let mut clean = stream.push(bytes);
        if cut && !stream.held.is_empty() {
            clean.extend_from_slice(HIDDEN);
        } else {
            clean.extend(stream.finish());
        }
        clean
    }

    /// The same for a text that is whole.
    pub fn hide_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.hide(text.as_bytes(), false)).into_owned()
    }

    fn at(&self, bytes: &[u8], more_may_come: bool) -> Here {
        for spelling in &self.spellings {
            if bytes.starts_with(spelling) {
                return Here::Whole(spelling.len());
            }
            // A longer spelling goes first: what follows decides, and until then nothing is given away.
            if more_may_come && spelling.starts_with(bytes) {
                return Here::Begun;
            }
        }
        Here::Nothing
    }
}

/// Hides secrets in output that comes in pieces, also where a secret lies across two of them.
#[derive(Debug, Default)]
pub struct MaskedStream {
    mask: Mask,
    held: Vec<u8>,
}

impl MaskedStream {
    /// A stream in which nothing was said yet.
    pub fn new(mask: Mask) -> Self {
        Self { mask, held: Vec::new() }
    }

    /// Takes the next piece; gives what may be shown. Holds back at most what could be the beginning of a secret.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.mask.is_empty() {
            return piece.to_vec();
        }
        self.held.extend_from_slice(piece);
        self.take(true)
    }

    /// The output is over: gives the rest.
    pub fn finish(&mut self) -> Vec<u8> {
        self.take(false)
    }

    fn take(&mut self, more_may_come: bool) -> Vec<u8> {
        let mut clean = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while let Some(rest) = self.held.get(at..).filter(|rest| !rest.is_empty()) {
            match self.mask.at(rest, more_may_come) {
                Here::Whole(length) => {
                    clean.extend_from_slice(HIDDEN);
                    at += length;
                }
                Here::Begun => break,
                Here::Nothing => {
                    clean.push(rest[0]);
                    at += 1;
                }
            }
        }
        self.held.drain(..at);
        clean
    }
}

fn percent_encoded(value: &str) -> Vec<u8> {
    let mut encoded = Vec::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(byte);
        } else {
            encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    encoded
}

fn in_json(value: &str) -> Vec<u8> {
    value.replace('\\', "\\\\").replace('"', "\\\"").into_bytes()
}

/// The characters of base64 (RFC 4648) that depend on `value` alone, when `shift` bytes (modulo three) stand before it
/// and anything may follow.
fn base64_core(value: &[u8], shift: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let padded: Vec<u8> = std::iter::repeat_n(0, shift).chain(value.iter().copied()).collect();
    let mut encoded = Vec::new();
    let threes = padded.chunks_exact(3);
    // Of what is left over, the characters that no later byte has a part in.
    let rest = match *threes.remainder() {
        [one] => vec![one >> 2],
        [one, two] => vec![one >> 2, (one & 3) << 4 | two >> 4],
        _ => Vec::new(),
    };
    for three in threes {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        encoded.extend([18, 12, 6, 0].map(|by| ALPHABET[(bits >> by & 63) as usize]));
    }
    encoded.extend(rest.into_iter().map(|six| ALPHABET[usize::from(six)]));
    // One strange byte decides eight bits: one character and a part of the next.
    let strange = (shift * 8).div_ceil(6).min(encoded.len());
    encoded.split_off(strange)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(values: &[&str], text: &str) -> String {
        Mask::new(values.iter().copied()).hide_text(text)
    }

    #[test]
    fn a_secret_is_hidden_as_it_is_and_as_programs_spell_it() {
        let value = "s3cr3t/\"word";
        for text in ["token s3cr3t/\"word.", "token s3cr3t%2F%22word.", "token s3cr3t/\\\"word."] {
            assert_eq!(hidden(&[value], text), "token ***.", "{text}");
        }
        // printf %s 'tok:s3cr3t-word!' | base64, with three lengths before the secret.
        for encoded in ["dG9rOnMzY3IzdC13b3JkIQ==", "dG9rYTpzM2NyM3Qtd29yZCE=", "dG9rYWI6czNjcjN0LXdvcmQh"] {
            let clean = hidden(&["s3cr3t-word!"], encoded);
            assert!(clean.contains("***") && clean.len() <= 13, "{clean}");
        }
    }

    #[test]
    fn a_secret_across_pieces_is_hidden_wherever_it_is_cut() {
        let text = b"one s3cr3t-word! two s3cr3t-wor three s3cr3t-word!";
        let mask = Mask::new(["s3cr3t-word!", "s3cr3t"]);
        let whole = mask.hide(text, false);
        assert_eq!(whole, b"one *** two ***-wor three ***");
        for first in 0..text.len() {
            for second in first..text.len() {
                let mut stream = MaskedStream::new(mask.clone());
                let mut clean = stream.push(&text[..first]);
                clean.extend(stream.push(&text[first..second]));
                clean.extend(stream.push(&text[second..]));
                clean.extend(stream.finish());
                assert_eq!(clean, whole, "{first} {second}");
            }
        }
    }

    #[test]
    fn output_that_was_cut_off_within_a_secret_does_not_show_its_beginning() {
        let mask = Mask::new(["s3cr3t-word!"]);
        assert_eq!(mask.hide(b"token s3cr3t-wor", true), b"token ***");
        assert_eq!(mask.hide(b"token s3cr3t-wor", false), b"token s3cr3t-wor");
        assert_eq!(mask.hide(b"token x", true), b"token x");
    }

    #[test]
    fn short_values_and_no_values_hide_nothing() {
        assert_eq!(hidden(&["a", ""], "a cat"), "a cat");
        assert!(Mask::new(["12345"]).is_empty());
        assert_eq!(hidden(&[], "a cat"), "a cat");
        assert_eq!(format!("{:?}", Mask::new(["s3cr3t-word!"])).find("s3"), None);
    }
}
