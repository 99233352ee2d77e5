//! The shapes of markers, for whoever writes or paints them.

use crate::drawing::Point;
use crate::outcome::Shape;

/// What a marker is made of.
pub(crate) enum Outline {
    Disc(f32),
    Ring(f32),
    Half(f32, Vec<Point>),
    Full(Vec<Point>),
    Hollow(Vec<Point>),
}

/// The outline of a marker with its middle at a place.
pub(crate) fn outline((x, y): Point, r: f32, shape: Shape) -> Outline {
    let around = |parts: &[Point]| parts.iter().map(|(dx, dy)| (x + dx * r, y + dy * r)).collect();
    match shape {
        Shape::Disc => Outline::Disc(r),
        Shape::Ring => Outline::Ring(r * 0.7),
        Shape::Half => {
            let turn = |n: u8| (f32::from(n) * 22.5 - 90.0).to_radians();
            let half = (0..=8).map(|n| (x + r * turn(n).cos(), y + r * turn(n).sin())).collect();
            Outline::Half(r, half)
        }
        Shape::Down => Outline::Full(around(&[(-1.2, -0.95), (1.2, -0.95), (0.0, 1.25)])),
        Shape::Square => Outline::Full(around(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)])),
        Shape::Hollow => Outline::Hollow(around(&[(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)])),
        Shape::Diamond => Outline::Hollow(around(&[(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)])),
        Shape::Cross => Outline::Full(around(&[
            (-1.15, -0.65),
            (-0.65, -1.15),
            (0.0, -0.5),
            (0.65, -1.15),
            (1.15, -0.65),
            (0.5, 0.0),
            (1.15, 0.65),
            (0.65, 1.15),
            (0.0, 0.5),
            (-0.65, 1.15),
            (-1.15, 0.65),
            (-0.5, 0.0),
        ])),
    }
}
