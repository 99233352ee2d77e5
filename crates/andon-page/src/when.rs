//! Moments on pages: relative up to an hour, then the clock of the reader's zone; the full one on hover and for programs.

use std::time::Duration;

use andon_core::quantity::format_duration;
use andon_core::sentence::{Part, Sentence};
use andon_core::time::Time;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::frame::Frame;

/// `12 min ago`, `at 14:03`, `on 2026-11-18 at 09:12`. A script keeps it right while the page is open.
pub fn ago(moment: Time, frame: &Frame) -> Markup {
    let since = frame.now.since(moment).as_secs();
    let words = match since {
        0..5 => "just now".to_owned(),
        5..60 => format!("{since} s ago"),
        60..3600 => format!("{} min ago", since / 60),
        3600..72_000 => format!("at {}", format(moment, "%H:%M", &frame.zone)),
        _ => format!("on {}", format(moment, "%Y-%m-%d at %H:%M", &frame.zone)),
    };
    marked(moment, "ago", &words, frame)
}

/// `14:03:10`, for what stands among others of the same hours.
pub fn clock(moment: Time, frame: &Frame) -> Markup {
    marked(moment, "clock", &format(moment, "%H:%M:%S", &frame.zone), frame)
}

/// `2026-11-18 14:03`, for tables that reach over days.
pub fn day(moment: Time, frame: &Frame) -> Markup {
    marked(moment, "day", &format(moment, "%Y-%m-%d %H:%M", &frame.zone), frame)
}

/// A span without fractions.
pub fn span(span: Duration) -> String {
    format_duration(Duration::from_secs(span.as_secs()))
}

/// A sentence whose moments are the reader's.
pub fn sentence(sentence: &Sentence, frame: &Frame) -> Markup {
    html! {
        @for part in sentence.parts() {
            @match part {
                Part::Words(words) => { (words) },
                Part::Ago(moment) => { (ago(*moment, frame)) },
            }
        }
    }
}

fn marked(moment: Time, form: &str, words: &str, frame: &Frame) -> Markup {
    let full = format(moment, "%A %Y-%m-%d %H:%M:%S %Z", &frame.zone);
    html! { time datetime=(moment.iso()) data-form=(form) title=(full) { (words) } }
}

/// A moment in a zone; milliseconds where no calendar has it.
pub fn format(moment: Time, pattern: &str, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(moment.0) {
        Ok(stamp) => stamp.to_zoned(zone.clone()).strftime(pattern).to_string(),
        Err(_) => format!("{} ms", moment.0),
    }
}
