//! What stands on paper: lines and texts with their places. Written as SVG here, painted in [`super::raster`].

use std::fmt::Write as _;

use super::typeface;

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stroke {
    /// `#rrggbb`.
    pub(super) colour: &'static str,
    /// In pixels.
    pub(super) width: f32,
    /// The lengths of dash and gap, in pixels.
    pub(super) dash: Option<(f32, f32)>,
}

/// Which part of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    pub(super) x: f32,
    /// The base line.
    pub(super) y: f32,
    pub(super) size: f32,
    pub(super) colour: &'static str,
    pub(super) anchor: Anchor,
    pub(super) text: String,
}

impl Text {
    pub(super) fn new(x: f32, y: f32, size: f32, colour: &'static str, text: String) -> Self {
        Self { x, y, size, colour, anchor: Anchor::Start, text }
    }

    pub(super) fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    /// Where it begins.
    pub(super) fn start(&self) -> f32 {
        let width = typeface::width(&self.text, self.size);
        match self.anchor {
            Anchor::Start => self.x,
            Anchor::Middle => self.x - width / 2.0,
            Anchor::End => self.x - width,
        }
    }
}

/// A drawing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drawing {
    pub(super) width: f32,
    pub(super) height: f32,
    pub(super) lines: Vec<(Vec<(f32, f32)>, Stroke)>,
    pub(super) texts: Vec<Text>,
}

impl Drawing {
    pub(super) fn new(width: f32, height: f32) -> Self {
        Self { width, height, lines: Vec::new(), texts: Vec::new() }
    }

    pub(super) fn line(&mut self, from: (f32, f32), to: (f32, f32), stroke: Stroke) {
        self.lines.push((vec![from, to], stroke));
    }

    /// A line through all points. One alone becomes a short stroke: it is seen, too.
    pub(super) fn path(&mut self, mut points: Vec<(f32, f32)>, stroke: Stroke) {
        if let [(x, y)] = points[..] {
            points = vec![(x - 2.0, y), (x + 2.0, y)];
        }
        if !points.is_empty() {
            self.lines.push((points, stroke));
        }
    }

    pub(super) fn text(&mut self, text: Text) {
        self.texts.push(text);
    }

    /// The drawing as SVG. `about` is read to those who cannot see it.
    pub(super) fn svg(&self, about: &str) -> String {
        let (width, height) = (self.width, self.height);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
             <title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
            escape(about)
        );
        for (points, stroke) in &self.lines {
            let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let dash =
                stroke.dash.map(|(on, off)| format!(" stroke-dasharray=\"{on} {off}\"")).unwrap_or_default();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{dash}/>",
                points.join(" "),
                stroke.colour,
                stroke.width
            );
        }
        for text in &self.texts {
            let anchor = match text.anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{}\" fill=\"{}\" text-anchor=\"{anchor}\" \
                 font-family=\"'DejaVu Sans',Verdana,sans-serif\">{}</text>",
                text.x,
                text.y,
                text.size,
                text.colour,
                escape(&text.text)
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn escape(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
