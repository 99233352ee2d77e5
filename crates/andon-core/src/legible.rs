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

/// A text from anywhere on one line, without anything that acts on a terminal or a header.
pub fn one_line(text: &str) -> String {
    neutral(text.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// As [`neutral`], without the sequences that colour a terminal or move its cursor: for readers that are no terminal.
pub fn plain(bytes: &[u8]) -> String {
    let mut rest = bytes;
    let mut kept = Vec::with_capacity(bytes.len());
    while let Some(at) = rest.iter().position(|byte| *byte == 0x1b) {
        kept.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let length = escape(rest);
        if length == 0 {
            kept.push(0x1b);
            rest = &rest[1..];
        } else {
            rest = &rest[length..];
        }
    }
    kept.extend_from_slice(rest);
    without_spoilt_colours(neutral(&kept))
}

/// What is left of colours where somebody before us has replaced the escape character.
fn without_spoilt_colours(text: String) -> String {
    const SPOILT: &str = "\u{fffd}[";
    if !text.contains(SPOILT) {
        return text;
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(SPOILT) {
        let (before, colour) = rest.split_at(at);
        clean.push_str(before);
        let body = colour.get(SPOILT.len()..).unwrap_or_default();
        let codes = body.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
        match body.get(codes..).and_then(|after| after.strip_prefix('m')) {
            Some(after) => rest = after,
            None => {
                clean.push_str(SPOILT);
                rest = body;
            }
        }
    }
    clean.push_str(rest);
    clean
}

/// The length of the whole escape sequence at the start of `bytes` (ECMA-48: a control sequence, or an operating system
/// command); nought where it is none, or does not end.
fn escape(bytes: &[u8]) -> usize {
    /// More than any sequence takes; a title may be long.
    const LONGEST: usize = 1024;
    let body = bytes.get(2..bytes.len().min(LONGEST)).unwrap_or_default();
    let end = match bytes.get(1) {
        Some(b'[') => {
            let end = body.iter().position(|byte| !(0x20..=0x3f).contains(byte));
            end.filter(|at| (0x40..=0x7e).contains(&body[*at])).map(|at| at + 3)
        }
        Some(b']') => {
            let end = body.iter().position(|byte| matches!(byte, 0x07 | 0x1b));
            end.map(|at| at + if body[at] == 0x07 { 3 } else { 4 })
        }
        _ => None,
    };
    end.filter(|end| *end <= bytes.len()).unwrap_or(0)
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
    fn colours_are_left_out_where_there_is_no_terminal() {
        assert_eq!(plain(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x1b]8;;u\x1b\\y"), "red xy");
        assert_eq!(
            plain("\u{fffd}[1;31mred\u{fffd}[0m \u{fffd}[x \u{fffd}[3".as_bytes()),
            "red \u{fffd}[x \u{fffd}[3"
        );
        assert_eq!(plain(b"half \x1b[31"), "half \\x1b[31");
        assert_eq!(plain(b"\x1b"), "\\x1b");
        assert_eq!(plain(b"\x1b]0;t\x1b"), "\\x1b]0;t\\x1b");
        assert_eq!(plain(b"\x1b[<script>"), "cript>");
    }

    #[test]
    fn output_cannot_act_on_the_terminal() {
        assert_eq!(neutral(b"a\x1b[2J\x07b\tc\r\nd\re\n"), "a\\x1b[2J\\x07b\tc\nd\\x0de\n");
        assert_eq!(neutral("\u{9b}31m \u{202e}x".as_bytes()), "\\u{9b}31m \\u{202e}x");
        assert_eq!(neutral(b"caf\xc3\xa9 \xff\xc3 \"q\" \\n"), "café \\xff\\xc3 \"q\" \\n");
    }
}
