//! Random numbers from a seed, and the distributions that traffic is made of.
//!
//! The numbers are those of xoshiro256++ (Blackman and Vigna, 2019), whose state splitmix64 makes of the seed. No other
//! source of chance may be used in this crate: one seed gives one table.

/// A source of random numbers. The same seed gives the same numbers.
#[derive(Debug, Clone)]
pub struct Generator {
    state: [u64; 4],
}

/// One step of splitmix64: spreads nearby numbers far apart.
pub fn spread(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Generator {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        let mut at = seed;
        let state = std::array::from_fn(|_| {
            let number = spread(at);
            at = at.wrapping_add(0x9e37_79b9_7f4a_7c15);
            number
        });
        Self { state }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// Uniform in the open interval (0, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    /// Standard normal, by Marsaglia's polar method; the second number of the pair is not kept.
    pub fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 && square > 0.0 {
                return x * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }

    /// Log-normal with a mean of 1: `sd` is that of the logarithm.
    pub fn factor(&mut self, sd: f64) -> f64 {
        (sd * self.normal() - sd * sd / 2.0).exp()
    }

    /// Gamma with this shape and a scale of 1 (Marsaglia and Tsang, 2000). The shape is at least 1.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Poisson: by inversion below a mean of 12, above it by Hörmann's PTRS (1993).
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean < 12.0 {
            let (mut count, mut probability, mut left) = (0_u64, (-mean).exp(), self.uniform());
            while left > probability && count < 200 {
                left -= probability;
                count += 1;
                probability *= mean / float(count);
            }
            return count;
        }
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.024_83 * b;
        let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        let v_r = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = self.uniform() - 0.5;
            let v = self.uniform();
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
            if us >= 0.07 && v <= v_r {
                return whole(k);
            }
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            let accepted = -mean + k * mean.ln() - ln_gamma(k + 1.0);
            if v.ln() + inverse_alpha.ln() - (a / (us * us) + b).ln() <= accepted {
                return whole(k);
            }
        }
    }

    /// Binomial: by inversion below a mean of 12, above it by Hörmann's BTRS (1993). `share` is in [0, 1].
    pub fn binomial(&mut self, of: u64, share: f64) -> u64 {
        if of == 0 || share <= 0.0 {
            return 0;
        }
        if share >= 1.0 {
            return of;
        }
        if share > 0.5 {
            return of - self.binomial(of, 1.0 - share);
        }
        let n = float(of);
        if n * share < 12.0 { self.binomial_inverted(of, share) } else { self.binomial_rejected(n, share) }
    }

    fn binomial_inverted(&mut self, of: u64, share: f64) -> u64 {
        let odds = share / (1.0 - share);
        let mut probability = (float(of) * (-share).ln_1p()).exp();
        let (mut count, mut left) = (0_u64, self.uniform());
        while left > probability && count < of {
            left -= probability;
            probability *= odds * float(of - count) / float(count + 1);
            count += 1;
        }
        count
    }

    fn binomial_rejected(&mut self, n: f64, share: f64) -> u64 {
        let spread = (n * share * (1.0 - share)).sqrt();
        let b = 1.15 + 2.53 * spread;
        let a = -0.0873 + 0.0248 * b + 0.01 * share;
        let c = n * share + 0.5;
        let v_r = 0.92 - 4.2 / b;
        let odds = share / (1.0 - share);
        let alpha = (2.83 + 5.1 / b) * spread;
        let mode = ((n + 1.0) * share).floor();
        let mut at_mode = None;
        loop {
            let u = self.uniform() - 0.5;
            let v = self.uniform();
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + c).floor();
            if us >= 0.07 && v <= v_r {
                return whole(k);
            }
            if k < 0.0 || k > n {
                continue;
            }
            let ln_mass = |k: f64| k * odds.ln() - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
            let top = *at_mode.get_or_insert_with(|| ln_mass(mode));
            if (v * alpha / (a / (us * us) + b)).ln() <= ln_mass(k) - top {
                return whole(k);
            }
        }
    }

    /// The sum of so many geometric numbers, each at least 1 and `mean` on average.
    pub fn bursts(&mut self, how_many: u64, mean: f64) -> u64 {
        if mean <= 1.0 || how_many == 0 {
            return how_many;
        }
        if how_many < 6 {
            let ln_more = (1.0 - 1.0 / mean).ln();
            return (0..how_many).map(|_| 1 + whole((self.uniform().ln() / ln_more).floor())).sum();
        }
        // What exceeds 1 in each is negative binomial together: a Poisson number whose mean is gamma.
        let mean_of_rest = self.gamma(float(how_many)) * (mean - 1.0);
        how_many + self.poisson(mean_of_rest)
    }
}

/// The natural logarithm of the gamma function, for positive numbers; Lanczos with nine terms, about 15 digits.
pub fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    let mut at = x;
    for term in TERMS {
        at += 1.0;
        sum += term / at;
    }
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "counts of the simulation are far below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// A number that is not negative, without its fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what is meant"
)]
pub fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of `draws` numbers.
    fn moments(draws: u32, mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..draws {
            let x = draw();
            sum += x;
            squares += x * x;
        }
        let n = f64::from(draws);
        (sum / n, squares / n - (sum / n).powi(2))
    }

    fn check(name: &str, seen: (f64, f64), mean: f64, variance: f64) {
        let sd_of_mean = (variance / 100_000.0).sqrt();
        assert!((seen.0 - mean).abs() < 4.5 * sd_of_mean, "{name}: mean {} for {mean}", seen.0);
        assert!((seen.1 / variance - 1.0).abs() < 0.06, "{name}: variance {} for {variance}", seen.1);
    }

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let mut generator = Generator::new(42);
        let first: Vec<u64> = (0..3).map(|_| generator.bits()).collect();
        let mut again = Generator::new(42);
        assert_eq!(first, (0..3).map(|_| again.bits()).collect::<Vec<_>>());
        assert_ne!(first[0], Generator::new(43).bits());
        // The published first output of splitmix64 for the seed 1234567.
        assert_eq!(spread(1_234_567), 6_457_827_717_110_365_317);
    }

    #[test]
    fn every_distribution_has_its_moments() {
        let mut g = Generator::new(7);
        check("uniform", moments(100_000, || g.uniform()), 0.5, 1.0 / 12.0);
        check("normal", moments(100_000, || g.normal()), 0.0, 1.0);
        check("factor", moments(100_000, || g.factor(0.2)), 1.0, 0.04_f64.exp() - 1.0);
        for shape in [1.0, 4.5, 60.0] {
            check("gamma", moments(100_000, || g.gamma(shape)), shape, shape);
        }
        for mean in [0.08, 2.5, 11.9, 12.0, 25.0, 250.0] {
            check("poisson", moments(100_000, || float(g.poisson(mean))), mean, mean);
        }
        for (of, share) in [(250, 0.01), (250, 0.1), (40, 0.4), (250, 0.82), (9000, 0.1)] {
            let mean = float(of) * share;
            check("binomial", moments(100_000, || float(g.binomial(of, share))), mean, mean * (1.0 - share));
        }
    }

    #[test]
    fn bursts_are_sums_of_geometric_numbers_few_or_many() {
        let mut g = Generator::new(8);
        for how_many in [1, 5, 6, 40] {
            let n = float(how_many);
            // A geometric number of mean 3 has a variance of 6.
            check("bursts", moments(100_000, || float(g.bursts(how_many, 3.0))), 3.0 * n, 6.0 * n);
        }
        assert_eq!(g.bursts(4, 1.0), 4);
    }

    #[test]
    fn counts_at_the_edges() {
        let mut g = Generator::new(9);
        assert_eq!(
            (g.poisson(0.0), g.binomial(0, 0.5), g.binomial(9, 0.0), g.binomial(9, 1.0)),
            (0, 0, 0, 9)
        );
    }

    #[test]
    fn ln_gamma_gives_factorials() {
        assert!(ln_gamma(1.0).abs() < 1e-13);
        assert!((ln_gamma(11.0) - 3_628_800_f64.ln()).abs() < 1e-12);
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-12);
    }
}
