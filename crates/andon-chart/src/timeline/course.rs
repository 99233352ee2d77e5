//! The course of one line: how high each marker hangs, and what the line between them looks like.

use super::{Lane, Mark};
use crate::drawing::Point;
use crate::plot::narrow;
use crate::time_axis::TimeAxis;

/// A drop is at least so high, however little older the revision is.
const DROP: f32 = 9.0;
/// More markers on one line hang without threads.
const MOST_THREADS: usize = 80;
/// Points of all lines together, about.
const POINTS: usize = 5_000;

/// A lane on paper.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Course {
    /// The place of each marker.
    pub(super) places: Vec<Point>,
    /// What ran.
    pub(super) line: Vec<Point>,
    /// Where an older revision came: from above to below.
    pub(super) drops: Vec<Vec<Point>>,
    /// From the line to what did not stay.
    pub(super) threads: Vec<Vec<Point>>,
}

/// How high a rank stands.
struct Scale {
    low: u32,
    high: u32,
    top: f32,
    bottom: f32,
    floor: f32,
}

impl Scale {
    fn of(lane: &Lane<'_>, top: f32, height: f32) -> Self {
        let ranks = || lane.marks.iter().filter_map(|mark| mark.rank).chain(lane.before);
        let (low, high) = (ranks().min().unwrap_or(0), ranks().max().unwrap_or(0));
        let bottom = top + height;
        Self { low, high, top: top + 9.0, bottom: bottom - 6.0 - DROP, floor: bottom - 6.0 }
    }

    fn y(&self, rank: u32) -> f32 {
        if self.high == self.low {
            return f32::midpoint(self.top, self.bottom);
        }
        let share = f64::from(rank - self.low) / f64::from(self.high - self.low);
        self.bottom - narrow(share) * (self.bottom - self.top)
    }
}

/// What runs, while the line is followed.
struct Now {
    rank: Option<u32>,
    y: f32,
}

impl Course {
    pub(super) fn of(lane: &Lane<'_>, axis: &TimeAxis, top: f32, height: f32, lanes: usize) -> Self {
        let scale = Scale::of(lane, top, height);
        let mut course = Self::default();
        let y = lane.before.map_or(scale.floor, |rank| scale.y(rank));
        let mut now = Now { rank: lane.before, y };
        if lane.before.is_some() {
            course.line.push((axis.left, y));
        }
        for mark in &lane.marks {
            course.mark(mark, axis, &scale, &mut now);
        }
        if now.rank.is_some() {
            course.line.push((axis.right, now.y));
        }
        if course.places.len() > MOST_THREADS {
            course.threads.clear();
        }
        course.thin(axis, lanes);
        course
    }

    fn mark(&mut self, mark: &Mark<'_>, axis: &TimeAxis, scale: &Scale, now: &mut Now) {
        let x = axis.x(mark.at);
        let wanted = mark.rank.map_or(now.y, |rank| scale.y(rank));
        let y = match (mark.rank, now.rank) {
            (Some(rank), Some(runs)) if rank < runs => wanted.max(now.y + DROP).min(scale.floor),
            (Some(rank), Some(runs)) if rank == runs => now.y,
            (Some(_), Some(_)) if !mark.moves() => wanted.min(now.y - DROP).max(scale.top - 2.0),
            _ => wanted,
        };
        self.places.push((x, y));
        if !mark.moves() {
            if mark.shown && now.rank.is_some() && (y - now.y).abs() > 1.0 {
                self.threads.push(vec![(x, y.min(now.y)), (x, y.max(now.y))]);
            }
            return;
        }
        if now.rank.is_some() {
            self.line.push((x, now.y));
            if y > now.y + 1.0 && mark.rank < now.rank {
                self.drops.push(vec![(x, now.y), (x, y)]);
            }
        }
        self.line.push((x, y));
        *now = Now { rank: mark.rank.or(now.rank), y };
    }

    /// Of what falls into one column of pixels, only the highest, the lowest and the last place stay.
    fn thin(&mut self, axis: &TimeAxis, lanes: usize) {
        let width = axis.right - axis.left;
        #[allow(clippy::cast_precision_loss, reason = "few lanes, few points")]
        let column = (lanes as f32 * width * 3.0 / POINTS as f32).max(1.0);
        let of = |point: &Point| (point.0 / column).floor();
        self.line = self
            .line
            .chunk_by(|a, b| of(a) == of(b))
            .flat_map(|points| {
                if points.len() <= 4 {
                    return points.to_vec();
                }
                let (first, last) = (points[0], points[points.len() - 1]);
                let high = points.iter().map(|point| point.1).fold(f32::INFINITY, f32::min);
                let low = points.iter().map(|point| point.1).fold(f32::NEG_INFINITY, f32::max);
                vec![first, (first.0, low), (first.0, high), (first.0, last.1), last]
            })
            .collect();
        for strokes in [&mut self.drops, &mut self.threads] {
            strokes.dedup_by(|next, kept| {
                let near = of(&next[0]) == of(&kept[0]);
                if near {
                    // One stroke stands for all that fall together: it is as long as all of them.
                    kept[0].1 = kept[0].1.min(next[0].1);
                    kept[1].1 = kept[1].1.max(next[1].1);
                }
                near
            });
        }
    }
}
