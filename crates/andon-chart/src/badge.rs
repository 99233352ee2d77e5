//! A badge: two words side by side, as other pages show them. Its width follows the letters that travel with the program,
//! so that nothing is cut whatever font a browser has.

use std::fmt::Write as _;

use crate::typeface;

const SIZE: f32 = 11.0;
const HEIGHT: f32 = 20.0;
const PADDING: f32 = 6.0;
/// The longest words, in pixels; more is cut with an ellipsis.
const WIDEST: f32 = 260.0;

/// How something stands. The sign is part of the words: the colour only repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// In order.
    Good,
    /// Something goes on, or is not as it should be.
    Busy,
    /// It was put back, is held, or the line stands.
    Bad,
    /// Nothing is known.
    Unknown,
}

impl Tone {
    /// White letters are read on all of them (contrast at least 4.5 : 1).
    fn colour(self) -> &'static str {
        match self {
            Tone::Good => "#006b5b",
            Tone::Busy => "#7a5200",
            Tone::Bad => "#a03c00",
            Tone::Unknown => "#555555",
        }
    }
}

/// The badge as SVG. `title` is read to those who cannot see it.
pub fn badge(label: &str, words: &str, tone: Tone, title: &str) -> String {
    let fit = |text: &str| typeface::fitting(&plain(text), SIZE, WIDEST);
    let (label, words) = (fit(label), fit(words));
    let wide = |text: &str| (typeface::width(text, SIZE) + 2.0 * PADDING).ceil();
    let (left, right) = (wide(&label), wide(&words));
    let (width, colour) = (left + right, tone.colour());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{HEIGHT}\" viewBox=\"0 0 {width} {HEIGHT}\" \
         role=\"img\">\n<title>{}</title>\n\
         <rect width=\"{width}\" height=\"{HEIGHT}\" rx=\"3\" fill=\"#3a3a3a\"/>\n\
         <path d=\"M{left} 0h{}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{}z\" fill=\"{colour}\"/>\n",
        escape(&plain(title)),
        right - 3.0,
        right - 3.0,
    );
    for (x, text) in [(PADDING, &label), (left + PADDING, &words)] {
        let length = typeface::width(text, SIZE);
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"14\" font-size=\"{SIZE}\" fill=\"#ffffff\" textLength=\"{length:.1}\" \
             lengthAdjust=\"spacingAndGlyphs\" font-family=\"'DejaVu Sans',Verdana,sans-serif\">{}</text>",
            escape(text)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_is_as_wide_as_its_words_and_no_word_leaves_it() {
        let short = badge("www", "✔ r-51bc07e2a944", Tone::Good, "www in production runs r-51bc07e2a944");
        let long = badge("www", &"x".repeat(500), Tone::Bad, "www");
        let width = |svg: &str| -> f32 {
            svg.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        assert!((100.0..200.0).contains(&width(&short)), "{short}");
        assert!(width(&long) < 330.0 && long.contains('…'), "{long}");
        let hostile = badge("a<b", "\"&\u{1b}", Tone::Unknown, "</title><script>alert(1)</script>");
        assert!(!hostile.contains("<script>") && hostile.contains("a&lt;b") && !hostile.contains('\u{1b}'));
    }
}
