//! Foreign bytes as text that does nothing to a terminal. Which characters are dangerous is said here, once.

/// `bytes` as text in which everything that a terminal would act upon, except line ends and tabs, stands in visible form:
/// `\x1b`, `\u{202e}`. A carriage return before a line end is dropped.
pub fn neutral(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut chars = chunk.valid().chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\n' | '\t' => text.push(c),
                '\r' if chars.peek() == Some(&'\n') => {}
                '\0'..='\x1f' | '\x7f' => text.push_str(&format!("\\x{:02x}", u32::from(c))),
                '"' | '\'' | '\\' => text.push(c),
                // Combining marks and joiners are part of many scripts; formatting characters are not needed by any.
                c if c.is_control() || is_formatting(c) => text.extend(c.escape_unicode()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Whether a character reorders, hides or tags the text around it.
pub fn is_formatting(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_cannot_act_on_the_terminal() {
        assert_eq!(neutral(b"a\x1b[2J\x07b\tc\r\nd\re\n"), "a\\x1b[2J\\x07b\tc\nd\\x0de\n");
        assert_eq!(neutral("\u{9b}31m \u{202e}x".as_bytes()), "\\u{9b}31m \\u{202e}x");
        assert_eq!(neutral(b"caf\xc3\xa9 \xff\xc3 \"q\" \\n"), "café \\xff\\xc3 \"q\" \\n");
    }
}
