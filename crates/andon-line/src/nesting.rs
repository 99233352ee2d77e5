//! Refuses text that nests so deeply that the parser, which is recursive, would exhaust its stack.
//! A rough reading of brackets, words and indentation; knows no grammar.

/// Brackets within brackets.
const MAX_BRACKETS: usize = 100;
/// Words and operators without a comma between them, over all brackets that are open.
const MAX_WORDS: usize = 2_000;
/// Blocks within blocks.
const MAX_BLOCKS: usize = 40;
/// `elif` in one file; each one nests in the one before.
const MAX_ELIF: usize = 500;

/// The byte at which the text becomes too deep, if it does.
pub(crate) fn too_deep_at(text: &str) -> Option<usize> {
    let mut reader =
        Reader { text: text.as_bytes(), at: 0, open: vec![0], words: 0, indents: vec![0], elifs: 0 };
    while reader.at < reader.text.len() {
        let before = reader.at;
        reader.step();
        if reader.is_too_deep() {
            return Some(before);
        }
    }
    None
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Words since the last comma, for each open bracket.
    open: Vec<usize>,
    words: usize,
    indents: Vec<usize>,
    elifs: usize,
}

impl Reader<'_> {
    fn is_too_deep(&self) -> bool {
        self.open.len() > MAX_BRACKETS
            || self.words > MAX_WORDS
            || self.indents.len() > MAX_BLOCKS
            || self.elifs > MAX_ELIF
    }

    fn step(&mut self) {
        let Some(byte) = self.text.get(self.at).copied() else { return };
        match byte {
            b'#' => self.at += self.rest().iter().position(|b| *b == b'\n').unwrap_or(self.rest().len()),
            b'"' | b'\'' => self.string(byte),
            b'(' | b'[' | b'{' => {
                self.word();
                self.open.push(0);
                self.at += 1;
            }
            b')' | b']' | b'}' => {
                self.reset();
                if self.open.len() > 1 {
                    self.open.pop();
                }
                self.at += 1;
            }
            b',' => {
                self.reset();
                self.at += 1;
            }
            b'\n' => self.line(),
            b' ' | b'\t' | b'\r' => self.at += 1,
            _ if is_word(byte) => {
                let length = self.rest().iter().position(|b| !is_word(*b)).unwrap_or(self.rest().len());
                self.elifs += usize::from(&self.rest()[..length] == b"elif");
                self.word();
                self.at += length;
            }
            _ => {
                self.word();
                self.at += 1;
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn word(&mut self) {
        self.words += 1;
        if let Some(top) = self.open.last_mut() {
            *top += 1;
        }
    }

    fn reset(&mut self) {
        if let Some(top) = self.open.last_mut() {
            self.words -= *top;
            *top = 0;
        }
    }

    /// The start of a new line; outside of brackets it ends a statement.
    fn line(&mut self) {
        let continued = self.at > 0 && self.text.get(self.at - 1) == Some(&b'\\');
        self.at += 1;
        if self.open.len() > 1 || continued {
            return;
        }
        self.reset();
        let indent = self.rest().iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        if matches!(self.rest().get(indent), None | Some(b'\n' | b'\r' | b'#')) {
            return;
        }
        while self.indents.last().is_some_and(|last| *last > indent) {
            self.indents.pop();
        }
        if self.indents.last().is_none_or(|last| *last < indent) {
            self.indents.push(indent);
        }
    }

    /// Skips a string; counts it as one word.
    fn string(&mut self, quote: u8) {
        self.word();
        let triple = self.rest().starts_with(&[quote; 3]);
        let width = if triple { 3 } else { 1 };
        self.at += width;
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'\n' if !triple => return,
                _ if self.rest().starts_with(&[quote; 3][..width]) => {
                    self.at += width;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::too_deep_at;

    #[test]
    fn long_lists_are_fine_and_deep_ones_are_not() {
        assert_eq!(too_deep_at(&format!("x = [{}]", "\"((((\", 1 + 2, ".repeat(10_000))), None);
        assert_eq!(too_deep_at(&"x = 1 # ((((\n".repeat(10_000)), None);
        assert_eq!(
            too_deep_at(&format!(
                "def f():\n{}",
                "    if x:\n        y = \"\"\"(((\n\n\"\"\"\n".repeat(5_000)
            )),
            None
        );
        assert!(too_deep_at(&"(".repeat(200)).is_some());
        assert!(too_deep_at(&"[-".repeat(200)).is_some());
        assert!(too_deep_at(&format!("x = 1{}", " + 1".repeat(5_000))).is_some());
        assert!(too_deep_at(&"not ".repeat(5_000)).is_some());
        let blocks: String = (0..60).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect();
        assert!(too_deep_at(&blocks).is_some());
        assert!(too_deep_at(&"if x:\n  y\nelif z:\n  y\n".repeat(1_000)).is_some());
    }
}
