//! What history says of a metric of counts: host factors, dispersion, spread, rate.

use std::collections::BTreeMap;

use super::{DAY, HOUR, LEAST_SPREAD, MetricBaseline, Reading, Row, SHRINKAGE, THIN, WEEK, median};
use crate::name::MemberName;
use crate::time::Time;

/// Fake canaries that the dispersion is measured with.
const SPLITS: usize = 10;

/// Blocks that a dispersion needs.
const BLOCKS: f64 = 10.0;

/// The sizes of blocks, in milliseconds, in which events may come together; 0 stands for a single row.
const SIZES: [i64; 3] = [0, 60_000, 180_000];

/// One row as it is judged.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: i64,
    member: usize,
    events: f64,
    of: f64,
}

pub(super) fn estimate(index: usize, rows: &[&Row], now: Time) -> MetricBaseline {
    let mut names: BTreeMap<&MemberName, usize> = BTreeMap::new();
    for row in rows {
        names.entry(&row.member).or_default();
    }
    names.values_mut().enumerate().for_each(|(number, value)| *value = number);
    let mut seen: Vec<Seen> = rows
        .iter()
        .filter_map(|row| match row.readings.get(index) {
            Some(Reading::Count { events, of }) if *of > 0 => {
                let member = names.get(&row.member).copied()?;
                Some(Seen { at: row.at.0, member, events: *events as f64, of: *of as f64 })
            }
            _ => None,
        })
        .collect();
    let whole = rate_of(seen.iter());
    let Some(rate) = rate_at(&seen, now.0).or(whole) else { return MetricBaseline::default() };
    // The rarer side of the event is judged, so its spread is what counts.
    let complement = rate > 0.5 && rate <= 1.0;
    if complement {
        seen.iter_mut().for_each(|seen| seen.events = (seen.of - seen.events).max(0.0));
    }
    let expected: f64 = seen.iter().map(|seen| seen.events).sum();
    let factors = factors(seen.iter(), names.len());
    let thin = expected < THIN;
    let own = if thin { vec![1.0; names.len()] } else { factors };
    let turned = |factor: f64| if complement { (1.0 - factor * (1.0 - rate)) / rate } else { factor };
    MetricBaseline {
        dispersion: dispersion(&seen, &own),
        spread: spread(&seen, names.len()),
        factors: if thin {
            BTreeMap::new()
        } else {
            names.into_iter().map(|(name, number)| (name.clone(), turned(own[number]))).collect()
        },
        rate: Some(rate),
        slow_above: None,
        thin,
    }
}

fn rate_of<'a>(seen: impl Iterator<Item = &'a Seen>) -> Option<f64> {
    let (events, of) = seen.fold((0.0, 0.0), |sum, seen| (sum.0 + seen.events, sum.1 + seen.of));
    (of > 0.0).then(|| events / of)
}

/// The rate to expect at `now`: the median of the same hour of the four weeks before, times today's level, which is
/// the last hour's rate against that of the same hour in those weeks, drawn towards 1 by [`SHRINKAGE`] events. Without
/// weeks, the same with days; without those `None`.
fn rate_at(seen: &[Seen], now: i64) -> Option<f64> {
    let within = |from: i64, to: i64| {
        let first = seen.partition_point(|seen| seen.at <= from);
        let last = seen.partition_point(|seen| seen.at <= to).max(first);
        &seen[first..last]
    };
    for (period, times) in [(WEEK, 4), (DAY, 7)] {
        let of = |from: i64, to: i64| {
            let rates = (1..=times).filter_map(|k| {
                let then = now.saturating_sub(k * period);
                rate_of(within(then.saturating_add(from), then.saturating_add(to)).iter())
            });
            median(rates.collect())
        };
        let Some(usual) = of(-HOUR / 2, HOUR / 2) else { continue };
        let today = within(now.saturating_sub(HOUR), now);
        let (events, requests) = today.iter().fold((0.0, 0.0), |sum, s| (sum.0 + s.events, sum.1 + s.of));
        let level = match of(-HOUR, 0) {
            Some(before) => (events + SHRINKAGE) / (before * requests + SHRINKAGE),
            None => 1.0,
        };
        return Some(usual * level.clamp(1.0 / 3.0, 3.0));
    }
    None
}

/// `ĥ = (events + κ) / (expected + κ)` for each member.
fn factors<'a>(seen: impl Iterator<Item = &'a Seen>, members: usize) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); members];
    let mut all = (0.0, 0.0);
    for seen in seen {
        let sum = &mut sums[seen.member];
        *sum = (sum.0 + seen.events, sum.1 + seen.of);
        all = (all.0 + seen.events, all.1 + seen.of);
    }
    let rate = if all.1 > 0.0 { all.0 / all.1 } else { 0.0 };
    sums.into_iter().map(|(events, of)| (events + SHRINKAGE) / (rate * of + SHRINKAGE)).collect()
}

/// How members differ from what their factors say: the standard deviation of `ln ĥ` of the earlier half less `ln ĥ`
/// of the later half, over √2.
fn spread(seen: &[Seen], members: usize) -> f64 {
    let middle = match (seen.first(), seen.last()) {
        (Some(first), Some(last)) => first.at / 2 + last.at / 2,
        _ => return LEAST_SPREAD,
    };
    let split = seen.partition_point(|seen| seen.at <= middle);
    let (early, late) = seen.split_at(split);
    if members < 2 || early.is_empty() || late.is_empty() {
        return LEAST_SPREAD;
    }
    let (early, late) = (factors(early.iter(), members), factors(late.iter(), members));
    let differences: Vec<f64> = early.iter().zip(&late).map(|(a, b)| (a / b).ln()).collect();
    let mean = differences.iter().sum::<f64>() / members as f64;
    let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
    (squares / (members - 1) as f64 / 2.0).sqrt().max(LEAST_SPREAD)
}

/// The dispersion `φ`: how much more the events of fake canaries vary than binomial ones, in blocks of several sizes,
/// of which the largest counts (Kish 1965, *Survey Sampling*, design effect; Wedderburn 1974, *Quasi-likelihood
/// functions*). With `X` events of `N` in a block, `E = Nθ` of them expected and `V = Nθ(1−θ)`, it is
/// `Σ(X − bE)² / ΣV · M/(M−1)`: sums instead of a sum of quotients, which blocks of a single event would rule.
fn dispersion(seen: &[Seen], factors: &[f64]) -> f64 {
    let splits = factors.len().min(SPLITS);
    SIZES.iter().map(|size| dispersion_of(seen, factors, splits, *size)).fold(1.0, f64::max)
}

/// Events and exposure of one block: of each split, and together.
struct Block {
    events: Vec<f64>,
    exposure: Vec<f64>,
}

fn dispersion_of(seen: &[Seen], factors: &[f64], splits: usize, size: i64) -> f64 {
    let key = |at: i64| if size == 0 { at } else { at.div_euclid(size) };
    let mut blocks: Vec<Block> = Vec::new();
    let mut current = None;
    for seen in seen {
        if current != Some(key(seen.at)) {
            current = Some(key(seen.at));
            blocks.push(Block { events: vec![0.0; splits.max(1)], exposure: vec![0.0; splits.max(1)] });
        }
        if let Some(block) = blocks.last_mut() {
            let split = seen.member % splits.max(1);
            block.events[split] += seen.events;
            block.exposure[split] += seen.of * factors[seen.member];
        }
    }
    if splits < 2 {
        return alone(&blocks);
    }
    let (mut squares, mut variance) = (0.0, 0.0);
    for split in 0..splits {
        let parts = || blocks.iter().filter_map(|block| part(block, split));
        let (events, expected, count) =
            parts().fold((0.0, 0.0, 0.0), |sum, (x, e, _)| (sum.0 + x, sum.1 + e, sum.2 + 1.0));
        if count < BLOCKS || expected <= 0.0 {
            continue;
        }
        let bias = events / expected;
        let sum = parts().fold((0.0, 0.0), |sum, (x, e, v)| (sum.0 + (x - bias * e).powi(2), sum.1 + v));
        squares += sum.0 * count / (count - 1.0);
        variance += sum.1;
    }
    if variance > 0.0 { squares / variance } else { 1.0 }
}

/// Events, expected events and their variance of one split in one block.
fn part(block: &Block, split: usize) -> Option<(f64, f64, f64)> {
    let all: f64 = block.exposure.iter().sum();
    let events: f64 = block.events.iter().sum();
    let share = block.exposure[split] / all;
    (events > 0.0 && share > 0.0 && share < 1.0)
        .then(|| (block.events[split], events * share, events * share * (1.0 - share)))
}

/// The dispersion of a single member against its own mean: too large where its rate has its hours, never too small.
fn alone(blocks: &[Block]) -> f64 {
    let sum = |of: fn(&Block) -> &Vec<f64>| blocks.iter().flat_map(of).sum::<f64>();
    let (events, exposure) = (sum(|block| &block.events), sum(|block| &block.exposure));
    let count = blocks.len() as f64;
    if events <= 0.0 || exposure <= 0.0 || count < BLOCKS {
        return 1.0;
    }
    let expected = |block: &Block| events / exposure * block.exposure.iter().sum::<f64>();
    let square = |block: &Block| (block.events.iter().sum::<f64>() - expected(block)).powi(2);
    blocks.iter().map(square).sum::<f64>() / events * count / (count - 1.0)
}
