//! Numbers and lists as the sentences of an analysis have them: rounded, final, readable.

use std::fmt;

/// A count with its thousands apart: `2,210`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count(pub(crate) u64);

impl Count {
    /// The nearest count.
    pub(crate) fn of(value: f64) -> Self {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of floats saturates"
        )]
        Self(value.round() as u64)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A number with two digits that count: `0.31`, `9.6`, `12`, `4,100`.
pub(crate) fn told(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "unknown".to_owned(),
        size if size >= 9.95 => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", Count::of(size))
        }
        size if size >= 0.995 => format!("{value:.1}"),
        size if size >= 0.00995 => format!("{value:.2}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.4}"),
    }
}

/// A change by a factor: `5-fold`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fold(pub(crate) f64);

impl Fold {
    /// The same downwards: `5th`, with `half` and `third` as people say them.
    pub(crate) fn part(self) -> String {
        match self.0 {
            ratio if ratio <= 2.0 => "half".to_owned(),
            ratio if ratio <= 3.0 => "third".to_owned(),
            ratio => format!("{ratio:.0}th"),
        }
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 2.0 { write!(f, "{:.1}-fold", self.0) } else { write!(f, "{:.0}-fold", self.0) }
    }
}

/// Up to four names, then how many more.
pub(crate) fn list(names: impl Iterator<Item = impl fmt::Display>) -> String {
    const SHOWN: usize = 4;
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    match names.len() {
        0 => String::new(),
        1 => names[0].clone(),
        n if n <= SHOWN => format!("{} and {}", names[..n - 1].join(", "), names[n - 1]),
        n => format!("{} and {} more", names[..SHOWN - 1].join(", "), n - SHOWN + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_two_digits_that_count() {
        let told: Vec<String> = [0.0, 0.3149, 0.9991, 9.64, 12.4, 4100.0].map(told).into();
        assert_eq!(told, ["0", "0.31", "1.0", "9.6", "12", "4,100"]);
        assert_eq!(Count(2_210_003).to_string(), "2,210,003");
        assert_eq!(Count(221).to_string(), "221");
        assert_eq!(Fold(5.0).to_string(), "5-fold");
    }
}
