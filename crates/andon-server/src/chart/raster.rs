//! A drawing as PNG, twice as fine as the screen's pixels.

use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, PathBuilder, Pixmap, Stroke, StrokeDash, Transform,
};
use ttf_parser::OutlineBuilder;

use super::drawing::Drawing;
use super::typeface;

/// Pixels of the picture for each of the drawing.
const FINE: f32 = 2.0;

/// `None` when it cannot be painted, which no drawing of ours brings about.
pub(super) fn png(drawing: &Drawing) -> Option<Vec<u8>> {
    let mut map = Pixmap::new(whole(drawing.width * FINE), whole(drawing.height * FINE))?;
    map.fill(Color::WHITE);
    let scale = Transform::from_scale(FINE, FINE);
    for (points, stroke) in &drawing.lines {
        let mut path = PathBuilder::new();
        for (index, (x, y)) in points.iter().enumerate() {
            if index == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
        }
        let Some(path) = path.finish() else { continue };
        let pen = Stroke {
            width: stroke.width,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            dash: stroke.dash.and_then(|(on, off)| StrokeDash::new(vec![on, off], 0.0)),
            ..Stroke::default()
        };
        map.stroke_path(&path, &paint(stroke.colour), &pen, scale, None);
    }
    for text in &drawing.texts {
        let mut letters = Letters(PathBuilder::new());
        typeface::outline(&text.text, text.size, text.start(), text.y, &mut letters);
        let Some(path) = letters.0.finish() else { continue };
        map.fill_path(&path, &paint(text.colour), FillRule::Winding, scale, None);
    }
    map.encode_png().ok()
}

fn paint(colour: &str) -> Paint<'static> {
    let number = u32::from_str_radix(colour.trim_start_matches('#'), 16).unwrap_or_default();
    let [_, red, green, blue] = number.to_be_bytes();
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, 255);
    paint
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the sizes are our own")]
fn whole(size: f32) -> u32 {
    size as u32
}

struct Letters(PathBuilder);

impl OutlineBuilder for Letters {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.0.close();
    }
}
