//! A drawing as SVG: for pages with classes instead of colours, and for itself with colours.

use std::fmt::Write as _;

use andon_core::legible::is_formatting;

use crate::drawing::{Anchor, Chart, Drawing, Group, Item, Point, Stroke, Text};
use crate::ink::Ink;
use crate::marker::{Outline, Shape, outline};

/// How colours are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colours {
    Classes,
    Fixed,
}

/// The drawing by itself, with fixed colours on white. `about` is read to those who cannot see it.
pub(crate) fn fixed(drawing: &Drawing, about: &str) -> String {
    let (width, height) = (drawing.width, drawing.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        escape(about)
    );
    body(&mut svg, drawing, Colours::Fixed);
    svg.push_str("</svg>\n");
    svg
}

/// The chart for a page.
pub(crate) fn for_page(chart: &Chart) -> String {
    let drawing = &chart.drawing;
    // What holds links is no picture to those who hear it, but a group that they walk through.
    let role = if drawing.items.iter().any(leads) { "group" } else { "img" };
    let mut svg = format!(
        "<svg class=\"{}\" viewBox=\"0 0 {} {}\" role=\"{role}\" aria-label=\"{}\"",
        chart.room.class(),
        drawing.width,
        drawing.height,
        escape(&chart.title)
    );
    data(&mut svg, &drawing.data);
    let _ = writeln!(svg, " fill=\"none\">\n<desc>{}</desc>", escape(&chart.about));
    body(&mut svg, drawing, Colours::Classes);
    svg.push_str("</svg>\n");
    svg
}

fn leads(item: &Item) -> bool {
    matches!(item, Item::Group(group) if group.link.is_some() || group.items.iter().any(leads))
}

fn body(svg: &mut String, drawing: &Drawing, colours: Colours) {
    drawing.items.iter().for_each(|one| item(svg, one, colours));
    drawing.texts.iter().for_each(|one| text(svg, one, colours));
}

fn item(svg: &mut String, item: &Item, colours: Colours) {
    match item {
        Item::Line(points, stroke) => line(svg, points, *stroke, colours),
        Item::Area { points, ink, faint } => {
            let faint = if *faint { " fill-opacity=\".14\"" } else { "" };
            let _ = writeln!(svg, "<polygon points=\"{}\"{}{faint}/>", places(points), fill(*ink, colours));
        }
        Item::Sign { at, radius, shape, ink } => sign(svg, *at, *radius, *shape, *ink, colours),
        Item::Text(one) => text(svg, one, colours),
        Item::Group(one) => group(svg, one, colours),
    }
}

fn group(svg: &mut String, group: &Group, colours: Colours) {
    let tag = if group.link.is_some() { "a" } else { "g" };
    let _ = write!(svg, "<{tag}");
    if let Some(link) = &group.link {
        let tab = if group.tab { "" } else { " tabindex=\"-1\"" };
        // Not every browser takes the name of a link from its title.
        let _ = write!(svg, " href=\"{}\"{tab} aria-label=\"{}\"", escape(link), escape(&group.about));
    }
    if !group.class.is_empty() {
        let _ = write!(svg, " class=\"{}\"", group.class);
    }
    data(svg, &group.data);
    svg.push('>');
    if !group.about.is_empty() {
        let _ = write!(svg, "<title>{}</title>", escape(&group.about));
    }
    group.items.iter().for_each(|one| item(svg, one, colours));
    let _ = writeln!(svg, "</{tag}>");
}

fn data(svg: &mut String, attributes: &[(&'static str, String)]) {
    for (name, value) in attributes {
        let _ = write!(svg, " data-{name}=\"{}\"", escape(value));
    }
}

fn line(svg: &mut String, points: &[Point], stroke: Stroke, colours: Colours) {
    let dash = stroke.dash.map(|(on, off)| format!(" stroke-dasharray=\"{on} {off}\"")).unwrap_or_default();
    let points = places(points);
    let width = stroke.width;
    let _ = match colours {
        Colours::Fixed => writeln!(
            svg,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{dash}/>",
            stroke.ink.hex(),
        ),
        Colours::Classes if width == 1.0 => {
            writeln!(svg, "<polyline class=\"l-{}\" points=\"{points}\"{dash}/>", stroke.ink.class())
        }
        Colours::Classes => writeln!(
            svg,
            "<polyline class=\"l-{}\" points=\"{points}\" stroke-width=\"{width}\"{dash}/>",
            stroke.ink.class()
        ),
    };
}

fn text(svg: &mut String, text: &Text, colours: Colours) {
    let anchor = match text.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let family = match colours {
        Colours::Fixed => " font-family=\"'DejaVu Sans',Verdana,sans-serif\"",
        Colours::Classes => "",
    };
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{}\"{} text-anchor=\"{anchor}\"{family}>{}</text>",
        text.x,
        text.y,
        text.size,
        fill(text.ink, colours),
        escape(&text.text)
    );
}

/// A marker. It has a thin edge of paper around it, so that it stands out from the line that it is on.
fn sign(svg: &mut String, at: Point, radius: f32, shape: Shape, ink: Ink, colours: Colours) {
    let (colour, paper) = match colours {
        Colours::Classes => (format!(" class=\"m-{}\"", ink.class()), String::new()),
        Colours::Fixed => {
            let hex = ink.hex();
            (format!(" fill=\"{hex}\" stroke=\"{hex}\""), " stroke=\"#ffffff\"".to_owned())
        }
    };
    let _ = match outline(at, radius, shape) {
        Outline::Disc(r) => {
            writeln!(svg, "<circle{colour}{paper} cx=\"{:.1}\" cy=\"{:.1}\" r=\"{r}\"/>", at.0, at.1)
        }
        Outline::Full(points) => writeln!(svg, "<polygon{colour}{paper} points=\"{}\"/>", places(&points)),
        Outline::Hollow(points) => {
            let open = open(ink, colours);
            writeln!(svg, "<polygon{open} points=\"{}\"/>", places(&points))
        }
        Outline::Ring(r) => {
            let open = open(ink, colours);
            writeln!(svg, "<circle{open} cx=\"{:.1}\" cy=\"{:.1}\" r=\"{r}\"/>", at.0, at.1)
        }
        Outline::Half(r, half) => {
            let open = open(ink, colours);
            writeln!(
                svg,
                "<circle{open} cx=\"{:.1}\" cy=\"{:.1}\" r=\"{r}\"/><polygon{} points=\"{}\"/>",
                at.0,
                at.1,
                fill(ink, colours),
                places(&half)
            )
        }
    };
}

/// A shape that is empty inside.
fn open(ink: Ink, colours: Colours) -> String {
    match colours {
        Colours::Classes => format!(" class=\"o-{}\"", ink.class()),
        Colours::Fixed => format!(" fill=\"#ffffff\" stroke=\"{}\" stroke-width=\"1.6\"", ink.hex()),
    }
}

fn fill(ink: Ink, colours: Colours) -> String {
    match colours {
        Colours::Classes => format!(" class=\"a-{}\"", ink.class()),
        Colours::Fixed => format!(" fill=\"{}\"", ink.hex()),
    }
}

fn places(points: &[Point]) -> String {
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    points.join(" ")
}

/// Words from outside, harmless in text and in attributes.
pub(crate) fn escape(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_control() || is_formatting(c) { ' ' } else { c }).collect();
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The marker of an outcome by itself, for keys and lists; the words beside it say what it is.
pub(crate) fn marker(outcome: andon_core::chronicle::Outcome) -> String {
    let mut svg =
        String::from("<svg class=\"chart one\" viewBox=\"0 0 16 16\" aria-hidden=\"true\" fill=\"none\">");
    let ink = Ink::Outcome(outcome);
    sign(&mut svg, (8.0, 8.0), 5.0, crate::marker::shape(outcome), ink, Colours::Classes);
    svg.push_str("</svg>");
    svg.replace('\n', "")
}
