//! A block: rows as columns of small numbers, compressed. Pure.
//!
//! Each column of counts holds differences from the row before, which take about a byte; what two numbers have in
//! common, as the requests that both are parts of, costs the compression next to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use andon_core::analysis::Reading;
use andon_core::balance::Histogram;
use andon_core::name::{MemberName, MetricName};
use andon_core::time::Time;

use super::row::Row;
use crate::frames::{Numbers, push_number, push_signed, push_text};

/// The version of the columns.
const VERSION: u8 = 1;
/// The most that a block becomes in memory, in bytes.
const MAX_BLOCK: usize = 64 << 20;
/// How hard it is compressed: what is written once an hour may take a while.
const LEVEL: i32 = 12;

/// Packs rows. Empty when they cannot be packed, which no rows are known to be.
pub(super) fn write(rows: &[Row]) -> Vec<u8> {
    zstd::bulk::compress(&columns(rows), LEVEL).unwrap_or_default()
}

/// Unpacks rows; `None` when they make no sense.
pub(super) fn read(block: &[u8]) -> Option<Vec<Row>> {
    rows(&mut Numbers(&zstd::bulk::decompress(block, MAX_BLOCK).ok()?))
}

pub(super) fn columns(rows: &[Row]) -> Vec<u8> {
    let metrics: BTreeSet<&MetricName> = rows.iter().flat_map(|row| row.readings.keys()).collect();
    let mut members: BTreeMap<&MemberName, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        members.entry(&row.member).or_default().push(row);
    }
    let mut out = vec![VERSION];
    push_number(&mut out, metrics.len() as u64);
    metrics.iter().for_each(|metric| push_text(&mut out, metric.as_str()));
    push_number(&mut out, members.len() as u64);
    for (member, rows) in &members {
        push_text(&mut out, member.as_str());
        push_number(&mut out, rows.len() as u64);
    }
    for rows in members.values() {
        differences(&mut out, rows.iter().map(|row| row.at.0));
        differences(&mut out, rows.iter().map(|row| millis(row.over)));
    }
    for metric in metrics {
        for rows in members.values() {
            metric_column(&mut out, rows, metric);
        }
    }
    for rows in members.values() {
        latency_column(&mut out, rows);
    }
    out
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Numbers as differences from the one before; they may wrap around, and come back the same.
fn differences(out: &mut Vec<u8>, numbers: impl Iterator<Item = i64>) {
    let mut last = 0;
    for number in numbers {
        push_signed(out, number.wrapping_sub(last));
        last = number;
    }
}

fn metric_column(out: &mut Vec<u8>, rows: &[&Row], metric: &MetricName) {
    let readings: Vec<Reading> = rows.iter().map(|row| row.reading(metric)).collect();
    out.extend(readings.iter().map(|reading| match reading {
        Reading::Missing => 0,
        Reading::Count { .. } => 1,
        Reading::Level(_) => 2,
    }));
    let counts = readings.iter().filter_map(|reading| match reading {
        Reading::Count { events, of } => Some((*events, *of)),
        _ => None,
    });
    differences(out, counts.clone().map(|(events, _)| events.cast_signed()));
    differences(out, counts.map(|(_, of)| of.cast_signed()));
    #[allow(clippy::cast_possible_truncation, reason = "seven digits of a level are enough")]
    let levels = readings.iter().filter_map(|reading| match reading {
        Reading::Level(level) => Some((*level as f32).to_bits()),
        _ => None,
    });
    // The first bytes of levels are alike, the last are not: they are kept apart.
    for byte in 0..4 {
        out.extend(levels.clone().map(|bits| bits.to_be_bytes()[byte]));
    }
}

fn latency_column(out: &mut Vec<u8>, rows: &[&Row]) {
    out.extend(rows.iter().map(|row| u8::from(row.latency.is_some())));
    let known: Vec<&Histogram> = rows.iter().filter_map(|row| row.latency.as_ref()).collect();
    let buckets: BTreeSet<u8> = known.iter().flat_map(|latency| latency.buckets.keys().copied()).collect();
    differences(out, known.iter().map(|latency| latency.sum_us.cast_signed()));
    push_number(out, buckets.len() as u64);
    for bucket in buckets {
        out.push(bucket);
        let counts = known.iter().map(|latency| latency.buckets.get(&bucket).copied().unwrap_or(0));
        differences(out, counts.map(u64::cast_signed));
    }
}

pub(super) fn rows(numbers: &mut Numbers<'_>) -> Option<Vec<Row>> {
    if numbers.byte()? != VERSION {
        return None;
    }
    let metrics: Vec<MetricName> =
        (0..numbers.count()?).map(|_| MetricName::new(numbers.text()?).ok()).collect::<Option<_>>()?;
    let members: Vec<(MemberName, usize)> = (0..numbers.count()?)
        .map(|_| Some((MemberName::new(numbers.text()?).ok()?, numbers.count()?)))
        .collect::<Option<_>>()?;
    let mut all: Vec<Vec<Row>> = Vec::with_capacity(members.len());
    for (member, count) in members {
        let at = undo(numbers, count)?;
        let over = undo(numbers, count)?;
        let row = |(at, over): (i64, i64)| {
            let over = Duration::from_millis(u64::try_from(over).ok()?);
            Some(Row::new(Time(at), over, member.clone()))
        };
        all.push(at.into_iter().zip(over).map(row).collect::<Option<_>>()?);
    }
    for metric in &metrics {
        all.iter_mut().try_for_each(|rows| read_metric(numbers, rows, metric))?;
    }
    all.iter_mut().try_for_each(|rows| read_latency(numbers, rows))?;
    Some(all.into_iter().flatten().collect())
}

/// `count` numbers out of their differences.
fn undo(numbers: &mut Numbers<'_>, count: usize) -> Option<Vec<i64>> {
    let mut last = 0i64;
    let mut next = || {
        last = last.wrapping_add(numbers.signed()?);
        Some(last)
    };
    (0..count).map(|_| next()).collect()
}

fn read_metric(numbers: &mut Numbers<'_>, rows: &mut [Row], metric: &MetricName) -> Option<()> {
    let kinds: Vec<u8> = rows.iter().map(|_| numbers.byte()).collect::<Option<_>>()?;
    let of_kind = |kind: u8| kinds.iter().filter(|own| **own == kind).count();
    let (counts, levels) = (of_kind(1), of_kind(2));
    let events = undo(numbers, counts)?;
    let of = undo(numbers, counts)?;
    let mut bits = vec![0u32; levels];
    for _ in 0..4 {
        for bits in &mut bits {
            *bits = (*bits << 8) | u32::from(numbers.byte()?);
        }
    }
    let mut counts = events.into_iter().zip(of);
    let mut levels = bits.into_iter().map(|bits| f64::from(f32::from_bits(bits)));
    for (row, kind) in rows.iter_mut().zip(kinds) {
        let reading = match kind {
            1 => counts.next().map(|(events, of)| Reading::Count {
                events: events.cast_unsigned(),
                of: of.cast_unsigned(),
            })?,
            2 => Reading::Level(levels.next()?),
            _ => continue,
        };
        row.readings.insert(metric.clone(), reading);
    }
    Some(())
}

fn read_latency(numbers: &mut Numbers<'_>, rows: &mut [Row]) -> Option<()> {
    let mut known = Vec::new();
    for row in rows {
        if numbers.byte()? == 1 {
            known.push(row.latency.insert(Histogram::default()));
        }
    }
    let sums = undo(numbers, known.len())?;
    for (latency, sum) in known.iter_mut().zip(sums) {
        latency.sum_us = sum.cast_unsigned();
    }
    for _ in 0..numbers.count()? {
        let bucket = numbers.byte()?;
        let counts = undo(numbers, known.len())?;
        for (latency, count) in known.iter_mut().zip(counts) {
            if count != 0 {
                latency.buckets.insert(bucket, count.cast_unsigned());
            }
        }
    }
    Some(())
}
