//! Makes a stranger's text safe to show: valid, bounded, and without anything that moves a cursor or turns a line
//! around. Pure.

use andon_core::legible::is_formatting;

/// `bytes` as one line of at most `max` bytes. Line breaks become blanks.
pub fn legible(bytes: &[u8], max: usize) -> String {
    let flat = neutral(bytes, max, |_| false);
    flat.trim().to_owned()
}

/// `bytes` as text of at most `max` bytes in which line breaks stay.
pub fn legible_lines(bytes: &[u8], max: usize) -> String {
    neutral(bytes, max, |c| c == '\n').trim_end().to_owned()
}

fn neutral(bytes: &[u8], max: usize, stays: impl Fn(char) -> bool) -> String {
    // A replacement character takes three bytes, so no more than this is ever needed of the input.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(max.saturating_mul(4))]);
    let mut safe = String::with_capacity(text.len().min(max));
    let mut cut = text.len() > max || bytes.len() > max.saturating_mul(4);
    for character in text.chars() {
        let shown = match character {
            c if stays(c) => c,
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() || is_formatting(c) => '\u{fffd}',
            c => c,
        };
        if safe.len() + shown.len_utf8() > max {
            cut = true;
            break;
        }
        safe.push(shown);
    }
    if cut && max > 8 {
        while safe.len() > max - '…'.len_utf8() {
            safe.pop();
        }
        safe.push('…');
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_or_turns_a_line_survives() {
        let hostile = "a\u{1b}[2J\r\nb\0\u{202e}c\u{7f}\u{9b}\t\u{2028}d".as_bytes();
        let safe = legible(hostile, 300);
        assert_eq!(safe, "a\u{fffd}[2J  b\u{fffd}\u{fffd}c\u{fffd}\u{fffd}  d");
        assert_eq!(legible_lines(b"a\nb\x1b\n\n", 300), "a\nb\u{fffd}");
    }

    #[test]
    fn binary_and_huge_input_is_bounded() {
        let binary: Vec<u8> = (0..=255_u8).cycle().take(1 << 20).collect();
        for max in [9, 300, 4096] {
            assert!(legible(&binary, max).len() <= max);
            assert!(legible_lines(&binary, max).len() <= max);
        }
        assert_eq!(legible("ä".repeat(100).as_bytes(), 10), "äää…");
        assert_eq!(legible(b"short", 300), "short");
    }
}
