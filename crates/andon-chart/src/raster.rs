//! A drawing as PNG, twice as fine as the screen's pixels.

use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, StrokeDash, Transform,
};
use ttf_parser::OutlineBuilder;

use crate::drawing::{Drawing, Item, Point, Text};
use crate::ink::Ink;
use crate::marker::{Outline, Shape, outline};
use crate::typeface;

/// Pixels of the picture for each of the drawing.
const FINE: f32 = 2.0;
const SCALE: Transform = Transform { sx: FINE, kx: 0.0, ky: 0.0, sy: FINE, tx: 0.0, ty: 0.0 };
/// Drawings that are higher are not painted.
const MOST: f32 = 8_000.0;

/// `None` when it cannot be painted, which no drawing of ours brings about.
pub(crate) fn png(drawing: &Drawing) -> Option<Vec<u8>> {
    if drawing.width > MOST || drawing.height > MOST {
        return None;
    }
    let mut map = Pixmap::new(whole(drawing.width * FINE), whole(drawing.height * FINE))?;
    map.fill(Color::WHITE);
    drawing.items.iter().for_each(|one| item(&mut map, one));
    drawing.texts.iter().for_each(|one| text(&mut map, one));
    map.encode_png().ok()
}

fn item(map: &mut Pixmap, item: &Item) {
    match item {
        Item::Line(points, stroke) => line(map, points, *stroke),
        Item::Area { points, ink, faint } => fill(map, points, paint(*ink, *faint)),
        Item::Sign { at, radius, shape, ink } => sign(map, *at, *radius, *shape, *ink),
        Item::Text(one) => text(map, one),
        Item::Group(group) => group.items.iter().for_each(|one| self::item(map, one)),
    }
}

fn line(map: &mut Pixmap, points: &[Point], stroke: crate::drawing::Stroke) {
    let Some(path) = through(points, false) else { return };
    let pen = Stroke {
        width: stroke.width,
        line_cap: LineCap::Butt,
        line_join: LineJoin::Round,
        dash: stroke.dash.and_then(|(on, off)| StrokeDash::new(vec![on, off], 0.0)),
        ..Stroke::default()
    };
    map.stroke_path(&path, &paint(stroke.ink, false), &pen, SCALE, None);
}

fn fill(map: &mut Pixmap, points: &[Point], paint: Paint<'_>) {
    if let Some(path) = through(points, true) {
        map.fill_path(&path, &paint, FillRule::Winding, SCALE, None);
    }
}

/// A marker, with a thin edge of paper around what is full, and paper inside of what is empty.
fn sign(map: &mut Pixmap, at: Point, radius: f32, shape: Shape, ink: Ink) {
    let pen = |width| Stroke { width, line_join: LineJoin::Round, ..Stroke::default() };
    let (ink, paper) = (paint(ink, false), paint(Ink::Paper, false));
    let (path, open, half) = match outline(at, radius, shape) {
        Outline::Disc(r) => (PathBuilder::from_circle(at.0, at.1, r), false, None),
        Outline::Ring(r) => (PathBuilder::from_circle(at.0, at.1, r), true, None),
        Outline::Half(r, half) => (PathBuilder::from_circle(at.0, at.1, r), true, Some(half)),
        Outline::Full(points) => (through(&points, true), false, None),
        Outline::Hollow(points) => (through(&points, true), true, None),
    };
    let Some(path) = path else { return };
    if open {
        map.fill_path(&path, &paper, FillRule::Winding, SCALE, None);
        map.stroke_path(&path, &ink, &pen(1.6), SCALE, None);
    } else {
        map.stroke_path(&path, &paper, &pen(2.0), SCALE, None);
        map.fill_path(&path, &ink, FillRule::Winding, SCALE, None);
    }
    if let Some(half) = half {
        fill(map, &half, ink);
    }
}

fn text(map: &mut Pixmap, text: &Text) {
    let mut letters = Letters(PathBuilder::new());
    typeface::outline(&text.text, text.size, text.start(), text.y, &mut letters);
    if let Some(path) = letters.0.finish() {
        map.fill_path(&path, &paint(text.ink, false), FillRule::Winding, SCALE, None);
    }
}

fn through(points: &[Point], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
    }
    if closed {
        path.close();
    }
    path.finish()
}

fn paint(ink: Ink, faint: bool) -> Paint<'static> {
    let number = u32::from_str_radix(ink.hex().trim_start_matches('#'), 16).unwrap_or_default();
    let [_, red, green, blue] = number.to_be_bytes();
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, if faint { 36 } else { 255 });
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
