//! Segments: an hour of what was pushed. Names stand in a segment once, where they are first used.

use std::path::Path;

use andon_core::name::{HostName, MetricName};
use andon_core::time::Time;

use crate::frames::{Numbers, push_number, push_text};

/// Stands at the start of each segment.
pub(super) const HEADER: &[u8] = b"andon pushed 1\n";

/// Which file it is: one for each hour, and one more for each beginning of a receiver in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub(super) hour: u64,
    pub(super) part: u32,
}

impl Segment {
    pub(super) fn hour_of(time: Time) -> u64 {
        u64::try_from(time.0 / 3_600_000).unwrap_or(0)
    }

    pub(super) fn file(self) -> String {
        format!("{:08}-{:04}.pushed", self.hour, self.part)
    }

    fn of_file(name: &str) -> Option<Self> {
        let (hour, part) = name.strip_suffix(".pushed")?.split_once('-')?;
        Some(Self { hour: hour.parse().ok()?, part: part.parse().ok()? })
    }

    /// All segments, the oldest first; none where there is no directory.
    pub(super) fn all(directory: &Path) -> std::io::Result<Vec<Self>> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut all: Vec<Self> =
            entries.filter_map(|entry| Self::of_file(entry.ok()?.file_name().to_str()?)).collect();
        all.sort_unstable();
        Ok(all)
    }
}

/// What happened to one series, by its place among those of the segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    pub(super) series: usize,
    pub(super) change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    More(f64),
    Level(f64),
}

/// The largest whole number that a float holds without doubt.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// One record: what came at `at`. Each series is a place, and its names where the segment does not know them yet.
pub(super) fn write<'a>(
    at: Time,
    entries: impl ExactSizeIterator<Item = (Entry, Option<(&'a MetricName, &'a HostName)>)>,
) -> Vec<u8> {
    let mut out = Vec::new();
    push_number(&mut out, u64::try_from(at.0).unwrap_or(0));
    push_number(&mut out, entries.len() as u64);
    for (Entry { series, change }, names) in entries {
        push_number(&mut out, series as u64);
        if let Some((name, host)) = names {
            push_text(&mut out, name.as_str());
            push_text(&mut out, host.as_str());
        }
        match change {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it was just seen to fit"
            )]
            Change::More(count) if count.fract() == 0.0 && (0.0..EXACT).contains(&count) => {
                out.push(0);
                push_number(&mut out, count as u64);
            }
            Change::More(count) => {
                out.push(1);
                out.extend_from_slice(&count.to_le_bytes());
            }
            Change::Level(level) => {
                out.push(2);
                out.extend_from_slice(&level.to_le_bytes());
            }
        }
    }
    out
}

/// Reads a record, and adds the names that are new in it. `None` when it makes no sense.
pub(super) fn read(record: &[u8], names: &mut Vec<(MetricName, HostName)>) -> Option<(Time, Vec<Entry>)> {
    let mut numbers = Numbers(record);
    let at = Time(i64::try_from(numbers.number()?).ok()?);
    let count = numbers.count()?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let series = usize::try_from(numbers.number()?).ok()?;
        if series == names.len() {
            let name = MetricName::new(numbers.text()?).ok()?;
            names.push((name, HostName::new(numbers.text()?).ok()?));
        }
        let change = match numbers.byte()? {
            0 => Change::More(numbers.number()? as f64),
            1 => Change::More(numbers.float()?),
            2 => Change::Level(numbers.float()?),
            _ => return None,
        };
        entries.push(Entry { series, change });
    }
    Some((at, entries))
}
