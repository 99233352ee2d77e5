//! Deployments per day, stacked by outcome: what went well at the bottom, what hurt on top, hatched, so that it is told
//! apart in grey, too. Long spans have a bar for each week or month, still counted per day.

use andon_core::chronicle::{Outcome, OutcomeCounts};
use andon_core::time::Time;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::Room;
use crate::drawing::{Chart, Drawing, Group, Item, Stroke, Text, rectangle};
use crate::ink::Ink;
use crate::marker;
use crate::plot::{ValueAxis, narrow};
use crate::time_axis::TimeAxis;
use crate::typeface;

/// The bars that are drawn at most; longer spans are drawn in weeks or months.
const MOST_BARS: i64 = 92;
/// The longest span, in days.
const MOST_DAYS: i64 = 20_000;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct PerDay {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// Days with deployments, in any order. Those outside of the span are left out.
    pub days: Vec<Day>,
    /// The address that a day's bar leads to, to which a span is added: `/timeline?q=www&`.
    pub link: String,
}

/// What was deployed on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The day, by the calendar of the reader's zone.
    pub date: Date,
    /// How many ended how.
    pub counts: OutcomeCounts,
}

/// What a bar stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// A day.
    Day,
    /// Seven days, from Monday on.
    Week,
    /// A month.
    Month,
}

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Its first day.
    pub from: Date,
    /// Its last day, inside of the span.
    pub to: Date,
    /// How many ended how, in the order of [`Outcome::ALL`].
    pub counts: [u32; Outcome::ALL.len()],
}

impl Bar {
    /// All of its deployments.
    pub fn total(&self) -> u32 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Its days.
    pub fn days(&self) -> u32 {
        u32::try_from(days_between(self.from, self.to).saturating_add(1).clamp(1, 366)).unwrap_or(1)
    }

    /// Its day or days in words: `Tue 18 Nov 2026`, `16 to 22 Nov 2026`.
    pub fn name(&self) -> String {
        if self.from == self.to {
            return self.from.strftime("%a %-d %b %Y").to_string();
        }
        format!("{} to {}", self.from.strftime("%-d %b"), self.to.strftime("%-d %b %Y"))
    }

    /// What it says: `Tue 18 Nov 2026: 41 deployments, 38 succeeded, 3 rolled back`.
    pub fn about(&self) -> String {
        let total = self.total();
        let deployments = if total == 1 { "1 deployment".to_owned() } else { format!("{total} deployments") };
        let rate = match self.days() {
            1 => String::new(),
            days => format!(" ({:.1} a day)", f64::from(total) / f64::from(days)),
        };
        let ends = Outcome::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0);
        let ends: Vec<String> = ends.map(|(outcome, count)| format!("{count} {}", outcome.word())).collect();
        let ends = if ends.is_empty() { String::new() } else { format!(": {}", ends.join(", ")) };
        format!("{}, {deployments}{rate}{ends}", self.name())
    }

    fn rate(&self) -> f64 {
        f64::from(self.total()) / f64::from(self.days())
    }
}

fn days_between(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

impl PerDay {
    /// The span, in order and not longer than can be counted.
    fn span(&self) -> (Date, Date) {
        let to = self.to.max(self.from);
        let earliest = to.saturating_sub(MOST_DAYS.days());
        (self.from.max(earliest), to)
    }

    /// What a bar stands for.
    pub fn grain(&self) -> Grain {
        let (from, to) = self.span();
        match days_between(from, to) {
            days if days < MOST_BARS => Grain::Day,
            days if days < MOST_BARS * 7 => Grain::Week,
            _ => Grain::Month,
        }
    }

    /// The bars, the oldest first; also those without a deployment.
    pub fn bars(&self) -> Vec<Bar> {
        let (from, to) = self.span();
        let grain = self.grain();
        let mut bars = Vec::new();
        let mut day = from;
        // Months are the longest: the days of the longest span over the shortest month.
        for _ in 0..=MOST_DAYS / 28 {
            let last = match grain {
                Grain::Day => day,
                Grain::Week => {
                    day.saturating_add((6 - i64::from(day.weekday().to_monday_zero_offset())).days())
                }
                Grain::Month => day.last_of_month(),
            };
            bars.push(Bar { from: day, to: last.min(to), counts: [0; Outcome::ALL.len()] });
            match last.tomorrow() {
                Ok(next) if next <= to => day = next,
                _ => break,
            }
        }
        for Day { date, counts } in &self.days {
            let found = bars.binary_search_by(|bar| match bar {
                bar if bar.to < *date => std::cmp::Ordering::Less,
                bar if bar.from > *date => std::cmp::Ordering::Greater,
                _ => std::cmp::Ordering::Equal,
            });
            let Some(bar) = found.ok().and_then(|at| bars.get_mut(at)) else { continue };
            for (outcome, sum) in Outcome::ALL.into_iter().zip(&mut bar.counts) {
                *sum = sum.saturating_add(counts.of(outcome));
            }
        }
        bars
    }

    /// The chart. `zone` is that of the calendar.
    pub fn chart(&self, room: Room, zone: &TimeZone) -> Chart {
        let bars = self.bars();
        let size = room.letters();
        let (left, right, height) = match room {
            Room::Narrow => (36.0, 352.0, 190.0),
            Room::Wide => (48.0, 944.0, 260.0),
        };
        let mut drawing = Drawing::new(room.width(), 0.0);
        let top = legend(&mut drawing, &bars, room) + 12.0;
        let base = top + height;
        drawing.height = base + TimeAxis::room(size);
        // So few that a half of one would be named: up to four at least.
        let highest = bars.iter().map(Bar::rate).fold(4.0, f64::max);
        // Only here steps would be of two and a half, and nobody deploys by halves.
        let highest = if (10.0..12.6).contains(&highest) { 12.6 } else { highest };
        let values = ValueAxis::over(std::iter::once(highest), top, base);
        let left = values.room(size).max(left);
        values.draw(&mut drawing, left, right, size);
        let (first, last) = self.span();
        let begin = |date: Date| {
            date.to_zoned(zone.clone()).map_or(Time(0), |zoned| Time(zoned.timestamp().as_millisecond()))
        };
        let axis = TimeAxis::new(begin(first), begin(last.saturating_add(1.days())), left, right);
        let axis = TimeAxis { middles: self.grain() == Grain::Day, ..axis };
        axis.draw(&mut drawing, base, base, zone, size);
        for bar in bars.iter().filter(|bar| bar.total() > 0) {
            let ends = (begin(bar.from), begin(bar.to.saturating_add(1.days())));
            drawing.items.push(self.bar(bar, ends, &axis, &values));
        }
        let unit = "deployments per day".to_owned();
        drawing.text(Text::new(left, top - 6.0, size - 1.0, Ink::Quiet, unit));
        Chart { drawing, title: "Deployments per day".to_owned(), about: about(&bars), room }
    }

    fn bar(&self, bar: &Bar, (begin, end): (Time, Time), axis: &TimeAxis, values: &ValueAxis) -> Item {
        let (left, right) = (axis.x(begin), axis.x(end));
        let gap = ((right - left) * 0.14).clamp(0.3, 4.0);
        let (left, right) = (left + gap, (right - gap).max(left + gap + 0.8));
        let mut items = vec![Item::Area {
            points: rectangle(left - gap, values.top, right + gap, values.bottom),
            ink: Ink::Paper,
            faint: true,
        }];
        let mut below = 0_u32;
        for (outcome, count) in Outcome::ALL.into_iter().zip(bar.counts).filter(|(_, count)| *count > 0) {
            let per_day = |count: u32| f64::from(count) / f64::from(bar.days());
            let (bottom, top) = (values.y(per_day(below)), values.y(per_day(below.saturating_add(count))));
            below = below.saturating_add(count);
            // A failure among hundreds is still seen.
            let top = top.min(bottom - 1.5);
            items.push(Item::Area {
                points: rectangle(left, top, right, bottom),
                ink: Ink::Outcome(outcome),
                faint: false,
            });
            if outcome.is_error() {
                items.extend(hatch(left, top, right, bottom));
            }
        }
        let link = format!("{}from={}&to={}", self.link, begin.iso(), end.iso());
        Item::Group(Group {
            about: bar.about(),
            link: Some(link),
            class: "bar",
            data: Vec::new(),
            tab: true,
            items,
        })
    }
}

/// Slanting lines of paper over a rectangle.
fn hatch(left: f32, top: f32, right: f32, bottom: f32) -> Vec<Item> {
    const APART: f32 = 5.0;
    if right - left < 3.0 || bottom - top < 3.0 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    // The lines x + y = c: each is cut where it leaves the rectangle.
    let mut c = ((left + top) / APART).ceil() * APART;
    while c < right + bottom && lines.len() < 200 {
        let (from, to) = ((c - bottom).max(left), (c - top).min(right));
        lines.push(Item::Line(vec![(from, c - from), (to, c - to)], Stroke::new(Ink::Paper, 1.0)));
        c += APART;
    }
    lines
}

/// What the colours mean, each with its sign, its name and how many there are; gives where it ends.
fn legend(drawing: &mut Drawing, bars: &[Bar], room: Room) -> f32 {
    let size = room.letters();
    let row = size + 8.0;
    let (mut x, mut y) = (8.0, row);
    for (n, outcome) in Outcome::ALL.into_iter().enumerate() {
        let count = bars.iter().fold(0_u64, |sum, bar| sum + u64::from(bar.counts[n]));
        if count == 0 {
            continue;
        }
        let words = format!("{count} {}", outcome.word());
        let width = 20.0 + typeface::width(&words, size);
        if x > 8.0 && x + width > drawing.width - 8.0 {
            (x, y) = (8.0, y + row);
        }
        let at = (x + 6.0, y - size * 0.36);
        drawing.items.push(Item::Sign {
            at,
            radius: 4.6,
            shape: marker::shape(outcome),
            ink: Ink::Outcome(outcome),
        });
        drawing.text(Text::new(x + 16.0, y, size, Ink::Text, words));
        x += width + 14.0;
    }
    y + size + 2.0
}

/// What is to be seen, in words.
fn about(bars: &[Bar]) -> String {
    let total: u64 = bars.iter().map(|bar| u64::from(bar.total())).sum();
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return "Nothing to show.".to_owned() };
    let days: u64 = bars.iter().map(|bar| u64::from(bar.days())).sum();
    let busiest = bars.iter().max_by(|a, b| a.rate().total_cmp(&b.rate()));
    let most =
        busiest.filter(|bar| bar.total() > 0).map_or(String::new(), |bar| format!(" Most: {}.", bar.about()));
    let (from, to) = (first.from.strftime("%-d %b %Y"), last.to.strftime("%-d %b %Y"));
    let deployments = if total == 1 { "deployment" } else { "deployments" };
    format!(
        "{total} {deployments} from {from} to {to}, {} a day.{most}",
        short(narrow(total as f64 / days.max(1) as f64))
    )
}

fn short(value: f32) -> String {
    if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests;
