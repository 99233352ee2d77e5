//! Whether the canary gets the traffic that it should: a release that nobody calls can't be judged.

use serde::{Deserialize, Serialize};

use super::Arm;
use super::roster::Present;
use crate::proportion::ln_gamma;

/// A verdict on traffic looks back so long, and longer where there is little of it.
const BLOCK_MS: u64 = 30_000;

/// The share of what it should get below which a canary gets none to speak of.
const LEAST: f64 = 0.5;

/// Balancers follow connections, not requests: counts vary so many times as much as independent ones would.
const DISPERSION: f64 = 10.0;

/// The probability that a split which is as it should be is called lopsided.
const ALPHA: f64 = 0.001;

/// What the balancers have sent where.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Traffic {
    ms: u64,
    canary: u64,
    control: u64,
    /// Requests that the canary should have got.
    expected: f64,
    /// What was found at the end of the last block: what the canary got, and what it should have got.
    starved: Option<(u64, f64)>,
}

impl Traffic {
    /// Takes in a tick. `requests` is the reading whose opportunities are requests; `share` a member's usual part.
    pub(crate) fn hear(
        &mut self,
        present: &[Present<'_>],
        requests: Option<usize>,
        step: u64,
        share: impl Fn(usize) -> f64,
    ) {
        let Some(index) = requests else { return };
        let (mut sums, mut shares) = ([0_u64; 2], [0.0; 2]);
        for member in present.iter().filter(|member| member.compared) {
            let Some(super::Reading::Count { of, .. }) = member.seen.readings.get(index) else { continue };
            let arm = usize::from(member.seen.arm == Arm::Control);
            sums[arm] = sums[arm].saturating_add(*of);
            shares[arm] += share(member.number);
        }
        if shares[0] <= 0.0 || shares[1] <= 0.0 {
            return;
        }
        self.ms = self.ms.saturating_add(step);
        self.canary = self.canary.saturating_add(sums[0]);
        self.control = self.control.saturating_add(sums[1]);
        self.expected += sums[0].saturating_add(sums[1]) as f64 * shares[0] / (shares[0] + shares[1]);
        if self.ms < BLOCK_MS {
            return;
        }
        let all = self.canary as f64 + self.control as f64;
        let share = (self.expected / all.max(1.0)).clamp(1e-6, 1.0 - 1e-6);
        let lopsided =
            ln_multinomial(&[self.canary as f64, self.control as f64], &[share, 1.0 - share]) / DISPERSION;
        let starved = (self.canary as f64) < LEAST * self.expected && lopsided >= -ALPHA.ln();
        // Too little to tell: the block goes on, and what was known stays known.
        if starved || self.canary as f64 >= LEAST * self.expected {
            self.starved = starved.then_some((self.canary, self.expected));
            *self = Self { starved: self.starved, ..Self::default() };
        }
    }

    /// What the canary got and should have got, when that is less than half.
    pub(crate) fn starved(&self) -> Option<(u64, f64)> {
        self.starved
    }
}

/// The logarithm of the evidence that counts do not come in the given shares: a Dirichlet mixture around the shares
/// (Lindon & Malek 2020, *Anytime-valid inference for multinomial count data*), with `a = 100 θ`.
pub(crate) fn ln_multinomial(counts: &[f64], shares: &[f64]) -> f64 {
    const CONCENTRATION: f64 = 100.0;
    let all: f64 = counts.iter().sum();
    let mut sum = ln_gamma(CONCENTRATION) - ln_gamma(CONCENTRATION + all);
    for (count, share) in counts.iter().zip(shares) {
        let a = CONCENTRATION * share;
        sum += ln_gamma(a + count) - ln_gamma(a) - count * share.ln();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequential_multinomial_has_its_golden_values() {
        for (counts, golden, p) in [
            ([60.0, 40.0], 0.6588918180466266, 0.5174244172945212),
            ([600.0, 400.0], 17.09894041645248, 3.74994182864207e-08),
            ([1000.0, 1200.0], 7.140301875987461, 0.0007925128197622988),
            ([520.0, 480.0], -0.4731252336700891, 1.0),
        ] {
            let found = ln_multinomial(&counts, &[0.5, 0.5]);
            assert!((found - golden).abs() <= 1e-9 * golden.abs(), "{found} is not {golden}");
            let found = (-found).exp().min(1.0);
            assert!((found - p).abs() <= 1e-9 * p, "{found} is not {p}");
        }
    }
}
