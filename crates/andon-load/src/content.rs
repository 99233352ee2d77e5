//! What requests carry and what must come back, derived from a number on both sides.

use std::sync::OnceLock;

use andon_core::digest::Digest;

/// The largest body that is made or taken, in bytes.
pub(crate) const MAX_BODY: usize = 4 << 20;

/// Where slices of the noise may begin.
const OFFSETS: usize = 1 << 16;

/// A text of exactly `bytes` bytes that nobody mistakes for the one of another number.
pub(crate) fn text(number: u64, bytes: usize) -> Vec<u8> {
    let line = format!("{number}\n");
    line.bytes().cycle().take(bytes.min(MAX_BODY)).collect()
}

/// The body of the upload with this number: `bytes` bytes of noise, at most [`MAX_BODY`].
pub(crate) fn upload(number: u64, bytes: usize) -> &'static [u8] {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let words = 0..((MAX_BODY + OFFSETS) / 8) as u64;
        words.flat_map(|word| scramble(word).to_le_bytes()).collect()
    });
    let start = index(number, OFFSETS);
    &noise[start..start + bytes.min(MAX_BODY)]
}

/// What the application says about an upload that it has taken.
pub(crate) fn receipt(body: &[u8]) -> String {
    format!("{} {}\n", body.len(), Digest::of(body))
}

/// One of `choices` (at least 1), spread evenly over the numbers.
pub(crate) fn index(number: u64, choices: usize) -> usize {
    usize::try_from(scramble(number) % choices as u64).unwrap_or(0)
}

/// Spreads numbers evenly (the finishing step of splitmix64): the same number always leads to the same one.
pub(crate) fn scramble(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_of_two_numbers_differ_and_have_the_length_that_was_asked_for() {
        assert_eq!(text(12, 7), b"12\n12\n1");
        assert_ne!(text(1, 2), text(2, 2));
        assert_eq!(upload(5, 100_000).len(), 100_000);
        assert_ne!(receipt(upload(5, 1000)), receipt(upload(6, 1000)));
        assert_eq!(upload(5, usize::MAX).len(), MAX_BODY);
    }
}
