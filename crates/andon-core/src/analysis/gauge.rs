//! Levels: processor time, memory, mean times. New against old by means of a minute.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::roster::{Number, Present};
use super::{Arm, Metric, MetricBaseline, Reading, Worse};

/// Neighbouring readings of a level are nearly the same reading; means of a minute are nearly independent.
const BLOCK_MS: u64 = 60_000;

/// Blocks before anything is said.
const LEAST: u64 = 5;

/// The number of blocks at which the bounds are tightest.
const TIGHTEST: f64 = 5000.0;

/// The smallest relative difference that is ever called worse.
const MARGIN: f64 = 0.10;

/// New against old on one level.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Gauge {
    ms: u64,
    /// The sum and the number of readings of each member in the present block, less what is usual for it.
    block: BTreeMap<Number, (Arm, f64, u32)>,
    blocks: u64,
    /// The mean of the relative differences, and the sum of their squared deviations (Welford 1962).
    mean: f64,
    squares: f64,
    /// The mean levels of canary and control over all blocks.
    levels: (f64, f64),
}

impl Gauge {
    /// Takes in a tick. `usual` is what a member's level was in history, where it is known.
    pub(crate) fn hear(
        &mut self,
        index: usize,
        present: &[Present<'_>],
        step: u64,
        usual: impl Fn(Number) -> Option<f64>,
    ) -> bool {
        let mut heard = false;
        for member in present.iter().filter(|member| member.compared) {
            let Some(Reading::Level(level)) = member.seen.readings.get(index).copied() else { continue };
            if !level.is_finite() || level.abs() > 1e24 {
                continue;
            }
            heard |= member.seen.arm == Arm::Canary;
            let (arm, sum, count) = self.block.entry(member.number).or_insert((member.seen.arm, 0.0, 0));
            if *arm == member.seen.arm {
                *sum += level;
                *count += 1;
            }
        }
        self.ms = self.ms.saturating_add(step);
        if self.ms >= BLOCK_MS {
            self.close(usual);
        }
        heard
    }

    fn close(&mut self, usual: impl Fn(Number) -> Option<f64>) {
        let block = std::mem::take(&mut self.block);
        self.ms = 0;
        let known = block.keys().all(|number| usual(*number).is_some());
        let mut arms = [(0.0, 0.0, 0.0_f64); 2];
        for (number, (arm, sum, count)) in block {
            let level = sum / f64::from(count.max(1));
            let own = if known { usual(number).unwrap_or(0.0) } else { 0.0 };
            let arm = &mut arms[usize::from(arm == Arm::Control)];
            *arm = (arm.0 + level, arm.1 + level - own, arm.2 + 1.0);
        }
        let [canary, control] = arms;
        if canary.2 == 0.0 || control.2 == 0.0 {
            return;
        }
        let (level, old) = (canary.0 / canary.2, control.0 / control.2);
        let difference = (canary.1 / canary.2 - control.1 / control.2) / old.abs().max(f64::MIN_POSITIVE);
        if !difference.is_finite() || difference.abs() > 1e12 {
            return;
        }
        self.blocks += 1;
        let n = self.blocks as f64;
        let before = difference - self.mean;
        self.mean += before / n;
        self.squares += before * (difference - self.mean);
        self.levels.0 += (level - self.levels.0) / n;
        self.levels.1 += (old - self.levels.1) / n;
    }

    /// The mean relative difference of new to old and its bounds; `None` while too little was seen.
    pub(crate) fn bounds(&self, baseline: &MetricBaseline, alpha: f64) -> Option<(f64, f64, f64)> {
        if self.blocks < LEAST {
            return None;
        }
        let n = self.blocks as f64;
        let seen = (self.squares / (n - 1.0)).max(0.0).sqrt();
        let spread = if baseline.spread.is_finite() { baseline.spread.clamp(0.0, 3.0) } else { 3.0 };
        let half = half_width(seen.max(spread), n, alpha);
        Some((self.mean, self.mean - half, self.mean + half))
    }

    /// How surely it is worse: the bound on the side of harm, when it exceeds what hosts differ by anyway.
    pub(crate) fn worse(&self, metric: &Metric, baseline: &MetricBaseline, alpha: f64) -> Option<f64> {
        let (_, low, high) = self.bounds(baseline, alpha)?;
        let least = MARGIN.max(metric.margin - 1.0).max(2.0 * baseline.spread.clamp(0.0, 3.0));
        let (higher, lower) = ((low > least).then_some(low), (-high > least).then_some(high));
        match metric.worse {
            Worse::Higher => higher,
            Worse::Lower => lower,
            Worse::Either => higher.or(lower),
        }
    }

    /// Whether harm is excluded.
    pub(crate) fn is_harmless(&self, metric: &Metric, baseline: &MetricBaseline, beta: f64) -> bool {
        let Some((_, low, high)) = self.bounds(baseline, beta) else { return false };
        let (below, above) = (high < metric.harm - 1.0, low > 1.0 / metric.harm.max(1.0) - 1.0);
        match metric.worse {
            Worse::Higher => below,
            Worse::Lower => above,
            Worse::Either => below && above,
        }
    }

    /// The mean levels of canary and control.
    pub(crate) fn levels(&self) -> (f64, f64) {
        self.levels
    }
}

/// Half the width of the asymptotic confidence sequence of a mean after `n` observations with standard deviation
/// `deviation` (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2021, *Time-uniform central limit theory and asymptotic
/// confidence sequences*), tightest at [`TIGHTEST`] observations.
pub(crate) fn half_width(deviation: f64, n: f64, alpha: f64) -> f64 {
    let rho = rho(alpha);
    let grown = n * rho * rho + 1.0;
    deviation * (2.0 * grown / (n * rho).powi(2) * (grown.sqrt() / alpha).ln()).sqrt()
}

fn rho(alpha: f64) -> f64 {
    let twice = -2.0 * alpha.ln();
    ((twice + (twice + 1.0).ln()) / TIGHTEST).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asymptotic_confidence_sequence_has_its_golden_values() {
        let close =
            |found: f64, golden: f64| assert!((found - golden).abs() <= 1e-9 * golden, "{found} {golden}");
        close(rho(0.05), 0.03984006677137368);
        for (n, golden) in [
            (100.0, 0.6694388617066039),
            (1000.0, 0.10637547006557505),
            (5000.0, 0.042924337188268456),
            (20000.0, 0.022112036165461417),
            (100000.0, 0.010552070034257914),
        ] {
            close(half_width(1.0, n, 0.05), golden);
        }
    }
}
