//! The normal distribution.

/// The share of a standard normal distribution above `z`.
///
/// By the series of the error function near nought (Abramowitz and Stegun 7.1.6), by its continued fraction (7.1.14)
/// elsewhere; about 14 digits.
pub fn above(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - above(-z);
    }
    let x = z / std::f64::consts::SQRT_2;
    let density = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 2.5 {
        let (mut sum, mut term) = (x, x);
        for n in 1..200 {
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
            if term < 1e-17 * sum {
                break;
            }
        }
        return 0.5 - density * sum;
    }
    let mut fraction = x;
    for n in (1..=120).rev() {
        fraction = x + f64::from(n) / 2.0 / fraction;
    }
    density / fraction / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_the_tabulated_ones() {
        for (z, share) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457_05),
            (1.959_963_984_540_054, 0.025),
            (2.326_347_874_040_841, 0.01),
            (3.6, 1.591_085_901_575_338_6e-4),
            (6.0, 9.865_876_450_376_98e-10),
        ] {
            assert!((above(z) / share - 1.0).abs() < 1e-11, "{z}: {}", above(z));
            assert!((above(-z) - (1.0 - share)).abs() < 1e-12);
        }
    }
}
