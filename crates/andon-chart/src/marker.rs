//! The shapes of markers: one for each outcome, told apart without colour.

use andon_core::chronicle::Outcome;

use crate::drawing::Point;

/// What a marker looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A filled disc.
    Disc,
    /// A ring, half filled.
    Half,
    /// A triangle that points down.
    Down,
    /// A cross.
    Cross,
    /// A filled square.
    Square,
    /// A ring.
    Ring,
    /// An empty diamond.
    Diamond,
}

/// The shape of an outcome.
pub(crate) fn shape(outcome: Outcome) -> Shape {
    match outcome {
        Outcome::Succeeded => Shape::Disc,
        Outcome::RolledBack => Shape::Down,
        Outcome::Failed => Shape::Cross,
        Outcome::Aborted => Shape::Square,
        Outcome::Cancelled => Shape::Ring,
        Outcome::UnderWay => Shape::Half,
        Outcome::Unknown => Shape::Diamond,
    }
}

/// Which of several in one place is shown: the one that weighs most.
pub(crate) fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Cancelled => 0,
        Outcome::Succeeded => 1,
        Outcome::Aborted => 2,
        Outcome::UnderWay => 3,
        Outcome::Unknown => 4,
        Outcome::RolledBack => 5,
        Outcome::Failed => 6,
    }
}

/// The place of an outcome in the order in which charts stack them.
pub(crate) fn place(outcome: Outcome) -> usize {
    Outcome::ALL.iter().position(|each| *each == outcome).unwrap_or(0)
}

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
        Shape::Ring => Outline::Ring(r * 0.75),
        Shape::Half => {
            let turn = |n: u8| (f32::from(n) * 22.5 - 90.0).to_radians();
            let half = (0..=8).map(|n| (x + r * turn(n).cos(), y + r * turn(n).sin())).collect();
            Outline::Half(r, half)
        }
        Shape::Down => Outline::Full(around(&[(-1.2, -0.95), (1.2, -0.95), (0.0, 1.25)])),
        Shape::Square => Outline::Full(around(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)])),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_outcomes_look_alike_without_colour() {
        for (n, one) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(place(one), n);
            let others = &Outcome::ALL[n + 1..];
            assert!(others.iter().all(|other| shape(*other) != shape(one) && weight(*other) != weight(one)));
        }
    }
}
