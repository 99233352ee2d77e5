//! Markers that would lie on each other become one: however many deployments there are, few markers are drawn.

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
}

impl Bucket<'_, '_> {
    /// The one that weighs most: a failure is never hidden behind successes. Of equals the newest.
    pub(super) fn worst(&self) -> &Mark<'_> {
        let mut worst = self.marks[0];
        for mark in &self.marks {
            if weight(mark.outcome) >= weight(worst.outcome) {
                worst = mark;
            }
        }
        worst
    }

    pub(super) fn span(&self) -> (Time, Time) {
        let at = || self.marks.iter().map(|mark| mark.at);
        (at().min().unwrap_or_default(), at().max().unwrap_or_default())
    }
}

/// The markers of each lane, few enough for a page.
pub(super) fn of<'m, 'a>(lanes: &'m [Lane<'a>], courses: &[Course], room: Room) -> Vec<Vec<Bucket<'m, 'a>>> {
    let most = match room {
        Room::Narrow => 500,
        Room::Wide => 1_200,
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
    for (mark, at) in lane.marks.iter().zip(&course.places) {
        let near = buckets.iter_mut().rev().take_while(|bucket| at.0 - bucket.at.0 < apart);
        // What failed is a marker of its own, which many that did not cannot hide.
        let error = mark.outcome.is_error();
        let alike = near.filter(|bucket| bucket.marks[0].outcome.is_error() == error);
        let mut same = alike.filter(|bucket| (bucket.at.1 - at.1).abs() < apart);
        match same.next() {
            Some(bucket) => bucket.marks.push(mark),
            None => buckets.push(Bucket { at: *at, marks: vec![mark] }),
        }
    }
    buckets
}
