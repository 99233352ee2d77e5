//! Markers that would lie on each other become one: however many deployments there are, few markers are drawn.

use andon_core::chronicle::Outcome;
use andon_core::time::Time;

use super::course::Course;
use super::{Lane, Mark};
use crate::Room;
use crate::drawing::Point;
use crate::marker::weight;

/// Two markers are at least so far apart, across or down.
const APART: f32 = 10.0;

/// Deployments in one place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bucket<'m, 'a> {
    /// The place.
    pub(super) at: Point,
    /// Never empty; the oldest first.
    pub(super) marks: Vec<&'m Mark<'a>>,
    /// Whether there are more than can be drawn apart, so that places are wide.
    crowded: bool,
}

impl Bucket<'_, '_> {
    /// What its marker shows. Failures have markers of their own, and the worst of them counts; of all else, of which
    /// there is much, the most usual.
    pub(super) fn outcome(&self) -> Outcome {
        let counts = super::counted(self.marks.iter().map(|mark| mark.outcome));
        let shown = counts.into_iter().max_by_key(|(outcome, count)| match outcome.is_error() {
            true => (1, usize::from(weight(*outcome))),
            false => (0, *count),
        });
        shown.map_or(Outcome::Unknown, |(outcome, _)| outcome)
    }

    /// How large it is: one is as large as any other; of many in a wide place the size tells about how many.
    pub(super) fn radius(&self) -> f32 {
        let many = u16::try_from(self.marks.len()).unwrap_or(u16::MAX);
        match (self.crowded, many) {
            (false, 1) => 4.6,
            (false, _) => 6.0,
            (true, many) => (2.8 + 1.3 * f32::from(many).log10()).min(6.0),
        }
    }

    pub(super) fn span(&self) -> (Time, Time) {
        let at = || self.marks.iter().map(|mark| mark.at);
        (at().min().unwrap_or_default(), at().max().unwrap_or_default())
    }
}

/// The markers of each lane, few enough for a page.
pub(super) fn of<'m, 'a>(lanes: &'m [Lane<'a>], courses: &[Course], room: Room) -> Vec<Vec<Bucket<'m, 'a>>> {
    let most = match room {
        Room::Narrow => 400,
        Room::Wide => 1_000,
    };
    let mut apart = APART;
    loop {
        let buckets: Vec<Vec<Bucket<'m, 'a>>> =
            lanes.iter().zip(courses).map(|(lane, course)| of_lane(lane, course, apart)).collect();
        // A lane is at most as wide as the drawing, so this ends soon.
        if buckets.iter().map(Vec::len).sum::<usize>() <= most || apart > room.width() {
            return buckets;
        }
        apart *= 1.2;
    }
}

fn of_lane<'m, 'a>(lane: &'m Lane<'a>, course: &Course, apart: f32) -> Vec<Bucket<'m, 'a>> {
    let mut buckets: Vec<Bucket<'m, 'a>> = Vec::new();
    for (mark, at) in lane.marks.iter().zip(&course.places).filter(|(mark, _)| mark.shown) {
        let near = buckets.iter_mut().rev().take_while(|bucket| at.0 - bucket.at.0 < apart);
        // What failed is a marker of its own, which many that did not cannot hide.
        let error = mark.outcome.is_error();
        let alike = near.filter(|bucket| bucket.marks[0].outcome.is_error() == error);
        let mut same = alike.filter(|bucket| (bucket.at.1 - at.1).abs() < apart);
        match same.next() {
            Some(bucket) => bucket.marks.push(mark),
            None => buckets.push(Bucket { at: *at, marks: vec![mark], crowded: apart > APART }),
        }
    }
    buckets
}
