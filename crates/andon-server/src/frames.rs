//! Records on disk that survive a torn end: each with its length and a checksum. And numbers of few bytes.

use flate2::Crc;

/// The largest record, in bytes.
const MAX_FRAME: usize = 64 << 20;

/// Adds a record to `out`.
pub(crate) fn push_frame(out: &mut Vec<u8>, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(payload).to_le_bytes());
    out.extend_from_slice(payload);
}

fn checksum(payload: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(payload);
    crc.sum()
}

/// The whole records at the start of some bytes. Ends where one is torn or spoilt.
pub(crate) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes the records so far take.
    pub(crate) fn read(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let length =
            usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length <= MAX_FRAME)?;
        let payload = rest.get(..length)?;
        if checksum(payload) != u32::from_le_bytes(*sum) {
            return None;
        }
        self.at += 8 + length;
        Some(payload)
    }
}

/// Adds a number in groups of seven bits.
pub(crate) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

/// Adds a number that may be negative: small ones of either sign take few bytes.
pub(crate) fn push_signed(out: &mut Vec<u8>, number: i64) {
    push_number(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Adds a text of at most 64 KiB with its length.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    push_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Reads what the functions above have written. Every answer is `None` once the bytes make no sense.
pub(crate) struct Numbers<'a>(pub(crate) &'a [u8]);

impl<'a> Numbers<'a> {
    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(first & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if first & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    /// A number of things that follow, each of at least one byte.
    pub(crate) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.0.len())
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    pub(crate) fn float(&mut self) -> Option<f64> {
        let (bits, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(f64::from_le_bytes(*bits)).filter(|float| float.is_finite())
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_up_to_the_first_that_is_torn_or_spoilt() {
        let mut bytes = Vec::new();
        push_frame(&mut bytes, b"one");
        let first = bytes.len();
        push_frame(&mut bytes, b"");
        push_frame(&mut bytes, b"three");
        assert_eq!(Frames::of(&bytes).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        for cut in first..bytes.len() {
            let mut frames = Frames::of(&bytes[..cut]);
            assert!((1..=2).contains(&frames.by_ref().count()), "{cut}");
            assert!(frames.read() <= cut);
        }
        bytes[first - 1] ^= 1;
        assert_eq!(Frames::of(&bytes).count(), 0);
        assert_eq!(Frames::of(&[0xff; 20]).count(), 0);
    }

    #[test]
    fn numbers_are_what_they_were() {
        let mut bytes = Vec::new();
        for number in [0, 1, 127, 128, 300, u64::MAX] {
            push_number(&mut bytes, number);
            push_signed(&mut bytes, number.cast_signed());
        }
        push_text(&mut bytes, "é");
        let mut numbers = Numbers(&bytes);
        for number in [0, 1, 127, 128, 300, u64::MAX] {
            assert_eq!((numbers.number(), numbers.signed()), (Some(number), Some(number.cast_signed())));
        }
        assert_eq!(numbers.text(), Some("é"));
        assert_eq!((numbers.number(), numbers.float(), numbers.byte()), (None, None, None));
        assert_eq!(Numbers(&[0xff; 11]).number(), None);
        assert_eq!(Numbers(&[9, b'a']).text(), None);
    }
}
