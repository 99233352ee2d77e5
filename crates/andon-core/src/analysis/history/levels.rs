//! What history says of a level: each member's own, and how much fake canaries differ.

use std::collections::BTreeMap;

use super::{LEAST_SPREAD, MetricBaseline, Reading, Row};
use crate::name::MemberName;

/// Readings that a level needs to be known.
const LEAST: usize = 20;

pub(super) fn estimate(index: usize, rows: &[&Row]) -> MetricBaseline {
    let mut sums: BTreeMap<&MemberName, (f64, f64)> = BTreeMap::new();
    let mut minutes: BTreeMap<i64, BTreeMap<&MemberName, (f64, f64)>> = BTreeMap::new();
    let mut readings = 0;
    for row in rows {
        let Some(Reading::Level(level)) = row.readings.get(index) else { continue };
        if !level.is_finite() {
            continue;
        }
        readings += 1;
        let minute = minutes.entry(row.at.0.div_euclid(60_000)).or_default();
        for sum in [sums.entry(&row.member).or_default(), minute.entry(&row.member).or_default()] {
            *sum = (sum.0 + level, sum.1 + 1.0);
        }
    }
    let means: BTreeMap<&MemberName, f64> = sums.iter().map(|(name, (sum, n))| (*name, sum / n)).collect();
    let mean = means.values().sum::<f64>() / means.len() as f64;
    if readings < LEAST || !mean.is_finite() || mean == 0.0 {
        return MetricBaseline::default();
    }
    let difference = |minute: &BTreeMap<&MemberName, (f64, f64)>, split: usize| {
        let (mut one, mut rest) = ((0.0, 0.0), (0.0, 0.0));
        for (number, (name, own)) in means.iter().enumerate() {
            let Some((sum, n)) = minute.get(name) else { continue };
            let side = if number == split { &mut one } else { &mut rest };
            *side = (side.0 + sum / n - own, side.1 + 1.0);
        }
        (one.1 > 0.0 && rest.1 > 0.0).then(|| (one.0 / one.1 - rest.0 / rest.1) / mean)
    };
    let splits = 0..means.len().min(10);
    let differences: Vec<f64> = splits
        .flat_map(|split| minutes.values().filter_map(move |minute| difference(minute, split)))
        .collect();
    let squares: f64 = differences.iter().map(|difference| difference.powi(2)).sum();
    let spread = (squares / (differences.len() as f64 - 1.0).max(1.0)).sqrt();
    MetricBaseline {
        factors: means.iter().map(|(name, own)| ((*name).clone(), own / mean)).collect(),
        dispersion: 1.0,
        spread: if spread.is_finite() { spread.max(LEAST_SPREAD) } else { LEAST_SPREAD },
        rate: Some(mean),
        slow_above: None,
        thin: false,
    }
}
