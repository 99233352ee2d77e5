//! The letters of charts: a part of DejaVu Sans that travels with the program, because a server has no fonts.

use std::sync::LazyLock;

use ttf_parser::{Face, OutlineBuilder};

/// Latin, Greek, Cyrillic and a few signs. The licence lies beside it.
const BYTES: &[u8] = include_bytes!("dejavu-sans-subset.ttf");

static FACE: LazyLock<Option<Face<'static>>> = LazyLock::new(|| Face::parse(BYTES, 0).ok());

/// What a letter that is not there is drawn as.
const STAND_IN: char = '?';

/// The width of a text in pixels.
pub(crate) fn width(text: &str, size: f32) -> f32 {
    let Some(face) = FACE.as_ref() else { return 0.0 };
    let scale = size / f32::from(face.units_per_em());
    text.chars().map(|c| advance(face, c) * scale).sum()
}

/// Draws a text with its base line at `x`, `y`: `outline` gets each letter's strokes in its own place and size.
pub(crate) fn outline(text: &str, size: f32, x: f32, y: f32, builder: &mut dyn OutlineBuilder) {
    let Some(face) = FACE.as_ref() else { return };
    let scale = size / f32::from(face.units_per_em());
    let mut x = x;
    for c in text.chars() {
        if let Some(glyph) = face.glyph_index(c).or_else(|| face.glyph_index(STAND_IN)) {
            face.outline_glyph(glyph, &mut Placed { x, y, scale, builder });
        }
        x += advance(face, c) * scale;
    }
}

/// The text, or as much of its beginning as is not wider than `most`, and an ellipsis.
pub(crate) fn fitting(text: &str, size: f32, most: f32) -> String {
    if width(text, size) <= most {
        return text.to_owned();
    }
    let mut room = most - width("…", size);
    let mut fits = |c: &char| {
        room -= width(c.encode_utf8(&mut [0; 4]), size);
        room >= 0.0
    };
    let kept: String = text.chars().take_while(|c| fits(c)).collect();
    format!("{}…", kept.trim_end())
}

/// The text on at most `rows` lines, none wider than `most`.
pub(crate) fn wrapped(text: &str, size: f32, most: f32, rows: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let full = lines.len() >= rows;
        match lines.last_mut() {
            // What does not fit on the last line is cut off there.
            Some(line) if full || width(&format!("{line} {word}"), size) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
        if full && lines.last().is_some_and(|line| width(line, size) > most) {
            break;
        }
    }
    lines.into_iter().map(|line| fitting(&line, size, most)).collect()
}

/// How far the most usual letters advance; they are asked for again and again.
static USUAL: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let letters = (0..=u8::MAX).map(char::from);
    letters.map(|c| FACE.as_ref().map_or(0.0, |face| looked_up(face, c))).collect()
});

fn advance(face: &Face<'_>, c: char) -> f32 {
    let usual = usize::try_from(u32::from(c)).ok().and_then(|at| USUAL.get(at));
    usual.copied().unwrap_or_else(|| looked_up(face, c))
}

fn looked_up(face: &Face<'_>, c: char) -> f32 {
    let glyph = face.glyph_index(c).or_else(|| face.glyph_index(STAND_IN));
    glyph.and_then(|glyph| face.glyph_hor_advance(glyph)).map_or(0.0, f32::from)
}

/// Moves a letter to its place; its own coordinates grow upwards.
struct Placed<'a> {
    x: f32,
    y: f32,
    scale: f32,
    builder: &'a mut dyn OutlineBuilder,
}

impl Placed<'_> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Placed<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.builder.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.builder.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.builder.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.builder.curve_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.builder.close();
    }
}
