//! The axis of time: moments that a calendar of the reader's zone has round names for, as many as there is room for.

use andon_core::time::Time;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::drawing::{AXIS, Anchor, Drawing, THIN, Text};
use crate::ink::Ink;
use crate::plot::{clock_time, narrow};
use crate::typeface;

/// More moments are never named.
const MOST: usize = 40;
/// The years 1 to 9998: what every calendar has, in milliseconds.
const EARLIEST: i64 = -62_135_000_000_000;
const LATEST: i64 = 253_360_000_000_000;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The distance between two named moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Milliseconds, less than a day.
    Clock(i64),
    /// Days: 1, 2 or 7, which are Mondays.
    Days(i64),
    /// Months, at most twelve.
    Months(i8),
    /// Years.
    Years(i16),
}

const STEPS: [Step; 31] = [
    Step::Clock(SECOND),
    Step::Clock(2 * SECOND),
    Step::Clock(5 * SECOND),
    Step::Clock(10 * SECOND),
    Step::Clock(15 * SECOND),
    Step::Clock(30 * SECOND),
    Step::Clock(MINUTE),
    Step::Clock(2 * MINUTE),
    Step::Clock(5 * MINUTE),
    Step::Clock(10 * MINUTE),
    Step::Clock(15 * MINUTE),
    Step::Clock(30 * MINUTE),
    Step::Clock(HOUR),
    Step::Clock(2 * HOUR),
    Step::Clock(3 * HOUR),
    Step::Clock(6 * HOUR),
    Step::Clock(12 * HOUR),
    Step::Days(1),
    Step::Days(2),
    Step::Days(7),
    Step::Months(1),
    Step::Months(3),
    Step::Months(6),
    Step::Years(1),
    Step::Years(2),
    Step::Years(5),
    Step::Years(10),
    Step::Years(50),
    Step::Years(100),
    Step::Years(500),
    Step::Years(2_000),
];

impl Step {
    /// About how long it is, in milliseconds.
    fn span(self) -> i64 {
        match self {
            Self::Clock(millis) => millis,
            Self::Days(days) => days * DAY,
            Self::Months(months) => i64::from(months) * 30 * DAY,
            Self::Years(years) => i64::from(years) * 365 * DAY,
        }
    }

    /// How its moments are named.
    fn pattern(self) -> &'static str {
        match self {
            Self::Clock(millis) if millis < MINUTE => "%H:%M:%S",
            Self::Clock(_) => "%H:%M",
            Self::Days(_) => "%-d %b",
            Self::Months(_) => "%b",
            Self::Years(_) => "%Y",
        }
    }

    /// What is named once below them, where it changes.
    fn above(self) -> Option<&'static str> {
        match self {
            Self::Clock(_) => Some("%a %-d %b"),
            Self::Days(_) | Self::Months(_) => Some("%Y"),
            Self::Years(_) => None,
        }
    }
}

/// An axis of time, to the right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TimeAxis {
    pub(crate) from: Time,
    pub(crate) to: Time,
    pub(crate) left: f32,
    pub(crate) right: f32,
    /// Days are named in their middle, not where they begin.
    pub(crate) middles: bool,
}

impl TimeAxis {
    /// From one moment to another, at least a second. What no calendar has is its nearest end.
    pub(crate) fn new(from: Time, to: Time, left: f32, right: f32) -> Self {
        let (from, to) = (from.0.clamp(EARLIEST, LATEST), to.0.clamp(EARLIEST, LATEST));
        let to = to.max(from.saturating_add(SECOND));
        Self { from: Time(from), to: Time(to), left, right, middles: false }
    }

    /// Where a moment stands; at the nearest end where it is outside.
    pub(crate) fn x(&self, at: Time) -> f32 {
        let at = at.0.clamp(self.from.0, self.to.0);
        let share = (at - self.from.0) as f64 / (self.to.0 - self.from.0) as f64;
        self.left + narrow(share) * (self.right - self.left)
    }

    fn step(&self, size: f32) -> Step {
        let span = (self.to.0 - self.from.0) as f64;
        let width = f64::from(self.right - self.left);
        let fits = |step: &Step| {
            let sample =
                if matches!(step, Step::Clock(millis) if *millis < MINUTE) { "00:00:00" } else { "00:00 " };
            let apart = width * step.span() as f64 / span;
            apart >= f64::from(typeface::width(sample, size)) + 14.0
        };
        STEPS.into_iter().find(fits).unwrap_or(Step::Years(2_000))
    }

    fn moments(&self, step: Step, zone: &TimeZone) -> Vec<Time> {
        let Ok(first) = Timestamp::from_millisecond(self.from.0) else { return Vec::new() };
        let first = first.to_zoned(zone.clone());
        let named: Vec<Time> = match step {
            Step::Clock(millis) => {
                let ahead = i64::from(first.offset().seconds()) * SECOND;
                let begin = (self.from.0 + ahead).div_euclid(millis) * millis - ahead;
                (0..)
                    .map_while(|n| Some(Time(begin.checked_add(millis.checked_mul(n)?)?)))
                    .take(MOST + 1)
                    .collect()
            }
            Step::Days(_) | Step::Months(_) | Step::Years(_) => days(&first, step),
        };
        named.into_iter().filter(|at| (self.from..=self.to).contains(at)).take(MOST).collect()
    }

    /// The axis at the height `base`, its moments below it in two rows, and helping lines up to `top`. Needs
    /// [`TimeAxis::room`] below.
    pub(crate) fn draw(&self, drawing: &mut Drawing, base: f32, top: f32, zone: &TimeZone, size: f32) {
        let step = self.step(size);
        let moments = self.moments(step, zone);
        let (row, second) = (base + size + 5.0, base + 2.0 * size + 9.0);
        let half = if self.middles && matches!(step, Step::Days(_)) { DAY / 2 } else { 0 };
        for at in &moments {
            let x = self.x(Time(at.0 + half));
            if top < base {
                drawing.line((x, top), (x, base), THIN);
            }
            drawing.line((x, base), (x, base + 4.0), AXIS);
            let text = Text::new(x, row, size, Ink::Quiet, clock_time(*at, step.pattern(), zone));
            let text = text.anchored(Anchor::Middle);
            if text.start() >= 0.0 && text.end() <= drawing.width {
                drawing.text(text);
            }
        }
        drawing.line((self.left, base), (self.right, base), AXIS);
        let name = zone.iana_name().unwrap_or("local time").to_owned();
        let name = Text::new(self.right, second, size, Ink::Quiet, name).anchored(Anchor::End);
        let mut free = name.start() - 10.0;
        drawing.text(name);
        // From the right: where two are too near, the later one is more telling, but the first one names the left end.
        let Some(pattern) = step.above() else { return };
        let mut named: Vec<Text> = Vec::new();
        let mut last = String::new();
        for at in std::iter::once(&self.from).chain(&moments) {
            let words = clock_time(*at, pattern, zone);
            if words != last {
                last.clone_from(&words);
                let text = Text::new(self.x(*at).max(self.left), second, size, Ink::Quiet, words);
                named.push(text);
            }
        }
        for text in named.into_iter().rev() {
            if text.end() <= free {
                free = text.start() - 10.0;
                drawing.text(text);
            }
        }
    }

    /// The height of what is below the axis.
    pub(crate) fn room(size: f32) -> f32 {
        2.0 * size + 14.0
    }
}

/// The days on which a step begins, from before `first` on.
fn days(first: &Zoned, step: Step) -> Vec<Time> {
    let date = first.date();
    let begin = match step {
        Step::Days(7) => date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()),
        Step::Days(2) => date.checked_sub(i64::from(date.day_of_year() % 2).days()),
        Step::Months(months) => Date::new(date.year(), (date.month() - 1) / months * months + 1, 1),
        Step::Years(years) => Date::new((date.year() / years * years).max(1), 1, 1),
        Step::Clock(_) | Step::Days(_) => Ok(date),
    };
    let Ok(begin) = begin else { return Vec::new() };
    let at = |n: i64| {
        let date = match step {
            Step::Months(months) => begin.checked_add((n * i64::from(months)).months()),
            Step::Years(years) => begin.checked_add((n * i64::from(years)).years()),
            Step::Days(days) => begin.checked_add((n * days).days()),
            Step::Clock(_) => Ok(begin),
        };
        let zoned = date.ok()?.to_zoned(first.time_zone().clone()).ok()?;
        Some(Time(zoned.timestamp().as_millisecond()))
    };
    (0..).map_while(at).take(MOST + 2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(from: i64, span: i64, zone: &str) -> Vec<String> {
        let axis = TimeAxis::new(Time(from), Time(from.saturating_add(span)), 100.0, 900.0);
        let zone = TimeZone::get(zone).unwrap();
        let step = axis.step(12.0);
        axis.moments(step, &zone).into_iter().map(|at| clock_time(at, step.pattern(), &zone)).collect()
    }

    #[test]
    fn moments_have_round_names_in_the_zone_of_the_reader() {
        let noon = 1_795_003_200_000;
        let berlin = named(noon, DAY, "Europe/Berlin");
        assert_eq!(berlin[..4], ["14:00", "16:00", "18:00", "20:00"]);
        assert_eq!(named(noon, 20 * DAY, "Asia/Kolkata")[..3], ["20 Nov", "22 Nov", "24 Nov"]);
        assert_eq!(named(noon, 300 * DAY, "UTC")[..3], ["Dec", "Jan", "Feb"]);
        assert_eq!(named(noon, 3_000 * DAY, "UTC")[..2], ["2027", "2028"]);
    }

    #[test]
    fn every_span_has_some_moments_and_never_too_many() {
        for from in [i64::MIN, 0, 1_795_000_323_120, i64::MAX] {
            for span in [0, 1, 1_000, 60_000, DAY, 40 * DAY, 4_000 * DAY, 3_000_000 * DAY, i64::MAX] {
                for zone in ["UTC", "Pacific/Apia", "America/New_York"] {
                    let count = named(from, span, zone).len();
                    assert!(count <= 16, "{from} {span} {zone}: {count}");
                }
            }
        }
        assert!(named(1_795_000_323_120, 7 * DAY, "UTC").len() >= 3);
    }
}
