//! What stands on paper: lines, areas, signs and texts with their places. Written in [`crate::svg_text`], painted in
//! [`crate::raster`].

use crate::ink::Ink;
use crate::marker::Shape;
use crate::{Room, raster, svg_text, typeface};

/// A place: to the right, and down.
pub(crate) type Point = (f32, f32);

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stroke {
    pub(crate) ink: Ink,
    /// In pixels.
    pub(crate) width: f32,
    /// The lengths of dash and gap, in pixels.
    pub(crate) dash: Option<(f32, f32)>,
}

impl Stroke {
    pub(crate) const fn new(ink: Ink, width: f32) -> Self {
        Self { ink, width, dash: None }
    }

    pub(crate) const fn dashed(self, on: f32, off: f32) -> Self {
        Self { dash: Some((on, off)), ..self }
    }
}

/// Helping lines.
pub(crate) const THIN: Stroke = Stroke::new(Ink::Grid, 1.0);
/// An axis.
pub(crate) const AXIS: Stroke = Stroke::new(Ink::Axis, 1.0);
/// The hosts on the new release.
pub(crate) const NEW: Stroke = Stroke::new(Ink::New, 2.6);
/// The hosts on the old release.
pub(crate) const OLD: Stroke = Stroke::new(Ink::Old, 2.0).dashed(6.0, 3.5);

/// Which part of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    pub(crate) x: f32,
    /// The base line.
    pub(crate) y: f32,
    pub(crate) size: f32,
    pub(crate) ink: Ink,
    pub(crate) anchor: Anchor,
    pub(crate) text: String,
}

impl Text {
    pub(crate) fn new(x: f32, y: f32, size: f32, ink: Ink, text: String) -> Self {
        Self { x, y, size, ink, anchor: Anchor::Start, text }
    }

    pub(crate) fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    /// Where it begins.
    pub(crate) fn start(&self) -> f32 {
        let width = typeface::width(&self.text, self.size);
        match self.anchor {
            Anchor::Start => self.x,
            Anchor::Middle => self.x - width / 2.0,
            Anchor::End => self.x - width,
        }
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> f32 {
        self.start() + typeface::width(&self.text, self.size)
    }
}

/// Something that belongs together: it has a name, and may lead somewhere.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Group {
    /// Read out, and shown while the pointer rests on it. Empty: no name.
    pub(crate) about: String,
    /// Where it leads.
    pub(crate) link: Option<String>,
    /// Its class in pages.
    pub(crate) class: &'static str,
    /// Attributes for scripts, without their `data-`.
    pub(crate) data: Vec<(&'static str, String)>,
    /// Reached by the tabulator; those that are not are reached by the arrow keys.
    pub(crate) tab: bool,
    pub(crate) items: Vec<Item>,
}

/// A part of a drawing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Line(Vec<Point>, Stroke),
    /// A filled polygon; a faint one lets through what is behind it.
    Area {
        points: Vec<Point>,
        ink: Ink,
        faint: bool,
    },
    /// A marker with its middle at a place.
    Sign {
        at: Point,
        radius: f32,
        shape: Shape,
        ink: Ink,
    },
    Text(Text),
    Group(Group),
}

/// A drawing. Texts stand above everything else.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drawing {
    pub(crate) width: f32,
    pub(crate) height: f32,
    pub(crate) items: Vec<Item>,
    pub(crate) texts: Vec<Text>,
    /// Attributes for scripts, without their `data-`.
    pub(crate) data: Vec<(&'static str, String)>,
}

impl Drawing {
    pub(crate) fn new(width: f32, height: f32) -> Self {
        Self { width, height, items: Vec::new(), texts: Vec::new(), data: Vec::new() }
    }

    pub(crate) fn line(&mut self, from: Point, to: Point, stroke: Stroke) {
        self.items.push(Item::Line(vec![from, to], stroke));
    }

    /// A line through all points. One alone becomes a short stroke: it is seen, too.
    pub(crate) fn path(&mut self, points: Vec<Point>, stroke: Stroke) {
        self.items.extend(path(points, stroke));
    }

    pub(crate) fn text(&mut self, text: Text) {
        self.texts.push(text);
    }
}

/// See [`Drawing::path`].
pub(crate) fn path(mut points: Vec<Point>, stroke: Stroke) -> Option<Item> {
    if let [(x, y)] = points[..] {
        points = vec![(x - 2.0, y), (x + 2.0, y)];
    }
    (!points.is_empty()).then_some(Item::Line(points, stroke))
}

/// The corners of a rectangle.
pub(crate) fn rectangle(left: f32, top: f32, right: f32, bottom: f32) -> Vec<Point> {
    vec![(left, top), (right, top), (right, bottom), (left, bottom)]
}

/// A chart, ready to be written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub(crate) drawing: Drawing,
    /// What it is, in a few words.
    pub(crate) title: String,
    /// What is to be seen in it, in a sentence or two.
    pub(crate) about: String,
    pub(crate) room: Room,
}

impl Chart {
    /// As SVG for pages: colours are classes (`chart.css`), parts that lead somewhere are links with names. Every word
    /// from outside is escaped, so it may stand in a page as it is.
    pub fn svg(&self) -> String {
        svg_text::for_page(self)
    }

    /// As PNG, twice as fine as the screen's pixels, on white. `None` when it is too large to be painted.
    pub fn png(&self) -> Option<Vec<u8>> {
        raster::png(&self.drawing)
    }

    /// What is to be seen in it, for those who cannot.
    pub fn about(&self) -> &str {
        &self.about
    }
}
