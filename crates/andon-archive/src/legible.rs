//! Makes names from archives fit for terminals and logs. It never changes what is written to disk.

/// More of a name than this many characters helps nobody.
const MAX_CHARS: usize = 200;

/// `bytes` with everything that a terminal would act upon escaped: control and formatting characters as
/// `\u{..}`, bytes that are not UTF-8 as `\xNN`. Shortened in the middle when very long.
pub(crate) fn legible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\'' => text.push(c),
                _ => text.extend(c.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shortened(text)
}

fn shortened(text: String) -> String {
    let count = text.chars().count();
    if count <= MAX_CHARS {
        return text;
    }
    let head: String = text.chars().take(MAX_CHARS / 2).collect();
    let tail: String = text.chars().skip(count - MAX_CHARS / 2).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_move_the_cursor_or_reverse_the_text() {
        assert_eq!(legible(b"lib/caf\xc3\xa9.so"), "lib/café.so");
        assert_eq!(legible(b"a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(legible("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(legible(b"a\xffb"), "a\\xffb");
        assert_eq!(legible(b"it's \"it\""), "it's \"it\"");
        assert!(legible(&[b'x'; 100_000]).chars().count() <= MAX_CHARS + 1);
    }
}
