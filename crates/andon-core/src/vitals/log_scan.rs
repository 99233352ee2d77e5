//! Counts the errors in the lines of a log. A stack trace is one error, told apart by the line that heads it and by the
//! innermost frame that is the program's own. Reads no file.

use super::fingerprint::Fingerprint;
use super::line_shape::plain;
use super::severity::{exception, is_error, is_last_words, is_of_a_trace, is_rust_panic};
use super::{Life, LogCount, MAX_SAMPLE};
use crate::legible;

/// The most frames that are looked through for one of the program's own.
const MAX_FRAMES: u32 = 32;

/// Frames of runtimes: every program's traces have them.
const FOREIGN: [&str; 12] = [
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "kotlin.",
    "scala.",
    "node:",
    "internal/",
    "System.",
    "runtime.",
    "panic(",
    "Microsoft.",
];

/// Counts what is in a log, line by line.
#[derive(Debug, Clone)]
pub struct LogScan {
    count: LogCount,
    open: Option<Open>,
    /// Looks that the open error has waited for its next line.
    waited: u32,
}

/// An error whose lines may not all have come yet.
#[derive(Debug, Clone)]
struct Open {
    parts: Vec<String>,
    frame: Option<Frame>,
    frames: u32,
    wants: Wants,
}

#[derive(Debug, Clone)]
struct Frame {
    text: String,
    own: bool,
}

/// What may follow an error's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// An exception, or a trace.
    Exception,
    /// The message, whatever it is.
    Message,
    /// Frames of Python, innermost last, and then the exception.
    Python,
    /// Frames, innermost first.
    Frames,
}

impl LogScan {
    /// Nothing counted yet, in this life.
    pub fn new(life: Life) -> Self {
        Self { count: LogCount::new(life), open: None, waited: 0 }
    }

    /// What has been counted. An error may be missing here whose trace is still being written.
    pub fn count(&self) -> &LogCount {
        &self.count
    }

    /// Notes that so many bytes were passed over; 0 where that is not known.
    pub fn skip(&mut self, bytes: u64) {
        self.close();
        self.count.skip(bytes);
    }

    /// Counts one line. `priority` is that of the journal: up to 3 is an error whatever the line says.
    pub fn line(&mut self, line: &str, priority: Option<u8>) {
        self.count.lines = self.count.lines.saturating_add(1);
        let line = plain(line);
        let line = line.trim_end();
        self.waited = 0;
        if line.is_empty() || self.goes_on(line) {
            return;
        }
        self.close();
        let severe = priority.is_some_and(|priority| priority <= 3);
        if is_error(line) || severe && !is_of_a_trace(line) {
            self.open = Some(Open::at(line));
        }
    }

    /// Says that there are no more lines for now. An error that has waited for more since the last time is counted.
    pub fn pause(&mut self) {
        self.waited += 1;
        if self.waited > 1 {
            self.close();
        }
    }

    fn close(&mut self) {
        self.waited = 0;
        let Some(open) = self.open.take() else { return };
        let mut parts: Vec<&str> = open.parts.iter().map(String::as_str).collect();
        parts.extend(open.frame.as_ref().map(|frame| frame.text.as_str()));
        let fingerprint = Fingerprint::of_parts(&parts);
        let sample = || {
            let text = legible::neutral(open.parts.join(" | ").as_bytes());
            text.chars().take(MAX_SAMPLE).collect()
        };
        self.count.add(fingerprint, sample);
    }

    /// Whether the line belongs to the open error, which takes it in.
    fn goes_on(&mut self, line: &str) -> bool {
        let Some(open) = &mut self.open else { return is_of_a_trace(line) };
        let indented = line.starts_with([' ', '\t']);
        match open.wants {
            Wants::Message => {
                open.parts.push(line.to_owned());
                open.wants = Wants::Frames;
                true
            }
            Wants::Python if indented => {
                if line.trim_start().starts_with("File \"") {
                    open.frame = Some(Frame { text: line.to_owned(), own: true });
                }
                true
            }
            Wants::Python => {
                open.parts.push(line.to_owned());
                self.close();
                true
            }
            Wants::Exception if is_traceback(line) => {
                open.wants = Wants::Python;
                true
            }
            Wants::Exception if exception(line).is_some() || is_last_words(line) => {
                open.parts.push(line.to_owned());
                open.wants = if is_rust_panic(line) { Wants::Message } else { Wants::Frames };
                true
            }
            Wants::Exception | Wants::Frames => open.take_frame(line),
        }
    }
}

fn is_traceback(line: &str) -> bool {
    line.starts_with("Traceback (most recent call last):")
}

impl Open {
    fn at(line: &str) -> Self {
        let wants = match line {
            line if is_traceback(line) => Wants::Python,
            // Older ones have the message in the same line.
            line if is_rust_panic(line) && line.ends_with(':') => Wants::Message,
            line if exception(line).is_some() || is_last_words(line) => Wants::Frames,
            _ => Wants::Exception,
        };
        let parts = if wants == Wants::Python { Vec::new() } else { vec![line.to_owned()] };
        Self { parts, frame: None, frames: 0, wants }
    }

    fn is_of_go(&self) -> bool {
        let panics = |line: &String| {
            line.starts_with("panic: ")
                || line.starts_with("fatal error: ")
                || line.contains(": panic serving ")
        };
        self.parts.first().is_some_and(panics)
    }

    /// Keeps the first frame of the program's own, or else the first of all.
    fn take_frame(&mut self, line: &str) -> bool {
        let text = line.trim_start();
        let of_go = self.is_of_go() && text.len() == line.len() && line.ends_with(')') && line.contains('(');
        let is_frame = text.starts_with("at ") || of_go;
        if !is_frame {
            // Source lines below frames are indented without a mark of their own.
            return is_of_a_trace(line) || self.wants == Wants::Frames && text.len() < line.len();
        }
        let called = text.strip_prefix("at ").unwrap_or(text);
        let own =
            !FOREIGN.iter().any(|start| called.starts_with(start) || called.contains(&format!("({start}")));
        self.frames += 1;
        let better = self.frame.as_ref().is_none_or(|kept| own && !kept.own);
        if better && self.frames <= MAX_FRAMES {
            self.frame = Some(Frame { text: text.to_owned(), own });
        }
        true
    }
}

#[cfg(test)]
mod tests;
