//! A line of a log without what varies from one time to the next: moments, numbers, identifiers, quoted texts.

use std::borrow::Cow;

/// The most that is read of a line, in bytes.
const MAX_READ: usize = 4096;

/// The longest shape, in bytes.
const MAX_SHAPE: usize = 512;

/// The longest quoted text that is taken for one, in bytes.
const MAX_QUOTED: usize = 512;

/// The fields of a structured line that say what happened.
const FIELDS: [&str; 9] =
    ["type", "error_type", "exception", "error", "err", "reason", "message", "msg", "event"];

/// Stands for whatever varies.
const VARIES: char = '#';

/// The shape of a line, at most 512 bytes.
pub(super) fn shape(line: &str) -> String {
    let text = within(line, MAX_READ);
    let mut shape = Shape::default();
    let told = told(text);
    let mut rest: &str = &told;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        if shape.text.len() >= MAX_SHAPE {
            break;
        }
        let taken = if let Some(length) = uuid(rest).filter(|_| !before.is_alphanumeric()) {
            shape.varies();
            length
        } else if let Some(length) = quoted(rest).filter(|_| !before.is_alphanumeric()) {
            // Ruby quotes the names of methods; where something happened does not vary.
            let place = if shape.text.ends_with(":in ") { &rest[..length] } else { "\"\"" };
            shape.text.push_str(place);
            length
        } else if first.is_alphanumeric() {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            shape.word(&rest[..end]);
            end
        } else {
            shape.other(first);
            first.len_utf8()
        };
        before = rest[..taken].chars().next_back().unwrap_or(' ');
        rest = &rest[taken..];
    }
    within(&shape.text, MAX_SHAPE).trim_end().to_owned()
}

/// The beginning of a line without the colours that it has on a terminal.
pub(super) fn plain(line: &str) -> Cow<'_, str> {
    let line = within(line, MAX_READ);
    if !line.contains('\u{1b}') {
        return Cow::Borrowed(line);
    }
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        let length = escape(&rest[at..]).unwrap_or(1);
        rest = &rest[at + length..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// The beginning of `text`, at most `most` bytes.
pub(super) fn within(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[derive(Default)]
struct Shape {
    text: String,
}

impl Shape {
    /// Several that vary with a sign between them are one: moments, addresses, lists.
    fn varies(&mut self) {
        for between in ["#", "#-", "#:", "#.", "#,", "#, ", "#+"] {
            if self.text.ends_with(between) {
                self.text.truncate(self.text.len() - between.len());
                break;
            }
        }
        self.text.push(VARIES);
    }

    fn word(&mut self, word: &str) {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let hexadecimal = word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let trailing = word.bytes().rev().take_while(u8::is_ascii_digit).count();
        let identifier = digits >= 3 && trailing < digits;
        if digits > 0 && (hexadecimal || identifier || word.starts_with(|c: char| c.is_ascii_digit()))
            || is_calendar(word)
        {
            self.varies();
        } else if trailing > 0 {
            self.text.push_str(&word[..word.len() - trailing]);
            self.text.push(VARIES);
        } else {
            self.text.push_str(word);
        }
    }

    fn other(&mut self, sign: char) {
        let sign = if sign.is_whitespace() || sign.is_control() { ' ' } else { sign };
        if sign != ' ' || !(self.text.is_empty() || self.text.ends_with(' ')) {
            self.text.push(sign);
        }
    }
}

/// Names of days and months, as moments have them.
fn is_calendar(word: &str) -> bool {
    const NAMES: &str = "Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    word.len() == 3 && NAMES.split(' ').any(|name| name == word)
}

/// The length of a terminal's escape sequence.
fn escape(rest: &str) -> Option<usize> {
    let parameters = rest.strip_prefix("\u{1b}[")?;
    let end = parameters.bytes().take(32).position(|byte| (0x40..=0x7e).contains(&byte))?;
    Some(2 + end + 1)
}

fn uuid(rest: &str) -> Option<usize> {
    const LENGTH: usize = 36;
    let bytes = rest.as_bytes().get(..LENGTH)?;
    let fits = bytes.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    let ends = !rest.as_bytes().get(LENGTH).is_some_and(u8::is_ascii_alphanumeric);
    (fits && ends).then_some(LENGTH)
}

/// The length of a quoted text, its quotes included. An apostrophe begins none: it stands in a word.
fn quoted(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    let closing: &[char] = match first {
        '"' => &['"'],
        '\'' => &['\''],
        // Ruby and older tools close so.
        '`' => &['`', '\''],
        '“' => &['”'],
        '‘' => &['’'],
        '«' => &['»'],
        _ => return None,
    };
    let inner = &within(rest, MAX_QUOTED)[first.len_utf8()..];
    let mut escaped = false;
    for (at, sign) in inner.char_indices() {
        let after = inner[at + sign.len_utf8()..].chars().next();
        if escaped {
            escaped = false;
        } else if sign == '\\' {
            escaped = true;
        } else if closing.contains(&sign) && !after.is_some_and(char::is_alphanumeric) {
            return Some(first.len_utf8() + at + sign.len_utf8());
        }
    }
    None
}

/// What a structured line says happened; any other line as it is.
fn told(text: &str) -> Cow<'_, str> {
    let json = text.trim_start().starts_with('{');
    let pairs = ["level=", "lvl=", "severity="].iter().any(|key| text.contains(key));
    if !json && !pairs {
        return Cow::Borrowed(text);
    }
    let values =
        FIELDS.iter().filter_map(|field| if json { in_json(text, field) } else { in_pairs(text, field) });
    let told: Vec<&str> = values.collect();
    if told.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(told.join(" ")) }
}

/// The text of `"field": "…"`, at whatever depth, up to the end of its first line.
fn in_json<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    let key = format!("\"{field}\"");
    let after = &text[text.find(&key)? + key.len()..];
    let value = after.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    Some(until_quote(value))
}

/// The value of `field=…` or `field="…"`.
fn in_pairs<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    let key = format!(" {field}=");
    let value = &text[text.find(&key)? + key.len()..];
    Some(match value.strip_prefix('"') {
        Some(value) => until_quote(value),
        None => value.split(' ').next().unwrap_or_default(),
    })
}

fn until_quote(value: &str) -> &str {
    let mut escaped = false;
    let end = value.char_indices().find(|(_, sign)| {
        let ends = !escaped && *sign == '"' || escaped && *sign == 'n';
        escaped = !escaped && *sign == '\\';
        ends
    });
    end.map_or(value, |(at, sign)| if sign == 'n' { &value[..at - 1] } else { &value[..at] })
}
