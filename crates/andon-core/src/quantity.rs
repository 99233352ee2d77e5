//! Quantities as people write them: `"25%"`, `"5m"`, `"16MiB"`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A number of hosts, absolute or as a share of the hosts of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// So many hosts.
    Hosts(u32),
    /// So many hundredths of all hosts, 0 to 100.
    Percent(u8),
}

impl Share {
    /// The absolute number out of `total`, rounded down.
    pub fn floor_of(self, total: u32) -> u32 {
        match self {
            Share::Hosts(n) => n.min(total),
            Share::Percent(p) => scaled(total, p, 0),
        }
    }

    /// The absolute number out of `total`, rounded up.
    pub fn ceil_of(self, total: u32) -> u32 {
        match self {
            Share::Hosts(n) => n.min(total),
            Share::Percent(p) => scaled(total, p, 99),
        }
    }
}

fn scaled(total: u32, percent: u8, round: u64) -> u32 {
    let hundredths = u64::from(total) * u64::from(percent.min(100)) + round;
    u32::try_from(hundredths / 100).unwrap_or(total)
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::Hosts(n) => write!(f, "{n}"),
            Share::Percent(p) => write!(f, "{p}%"),
        }
    }
}

/// Why a text is not a quantity. The message says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QuantityError(String);

impl std::str::FromStr for Share {
    type Err = QuantityError;
    /// Reads `"3"` or `"25%"`.
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let wrong =
            || QuantityError(format!("expected a number of hosts or a share like \"25%\", got {text:?}"));
        match text.trim().strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<u8>() {
                Ok(p) if p <= 100 => Ok(Share::Percent(p)),
                Ok(_) => Err(QuantityError(format!("a share is at most 100%, got {text:?}"))),
                Err(_) => Err(wrong()),
            },
            None => text.trim().parse().map(Share::Hosts).map_err(|_| wrong()),
        }
    }
}

/// The longest span that a line may name: a year.
const MAX_SPAN: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads a span of time: `"300ms"`, `"30s"`, `"5m"`, `"2h"`, `"1d"`, or several (`"1h30m"`).
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let wrong =
        || QuantityError(format!("expected a duration like \"30s\", \"5m\" or \"1h30m\", got {text:?}"));
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let unit_len = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let millis_per_unit: u64 = match &rest[..unit_len] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        rest = &rest[unit_len..];
        let part = number.checked_mul(millis_per_unit).map(Duration::from_millis).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
    }
    if total > MAX_SPAN {
        return Err(QuantityError(format!("a duration is at most a year, got {text:?}")));
    }
    Ok(total)
}

/// A span for people: the two largest units, `"6 min 12 s"`, `"25 s"`, `"300 ms"`, `"3 days"`.
pub fn format_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 if span.is_zero() => "0 s".to_owned(),
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3600 => with_rest(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => with_rest(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        86_400..172_800 => "1 day".to_owned(),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn with_rest(major: u64, unit: &str, minor: u64, minor_unit: &str) -> String {
    if minor == 0 { format!("{major} {unit}") } else { format!("{major} {unit} {minor} {minor_unit}") }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    /// Writes binary units with at most three significant places: `184 MiB`, `1.5 GiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
        let (mut value, mut unit) = (self.0 as f64, 0);
        while value >= 1024.0 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        if unit == 0 || value >= 10.0 {
            write!(f, "{value:.0} {}", UNITS[unit])
        } else {
            write!(f, "{value:.1} {}", UNITS[unit])
        }
    }
}

impl std::str::FromStr for ByteSize {
    type Err = QuantityError;
    /// Reads `"512"`, `"64KiB"`, `"16MiB"`, `"2GiB"`.
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let wrong = || QuantityError(format!("expected a size like \"64KiB\" or \"16MiB\", got {text:?}"));
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let factor: u64 = match text[digits..].trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return Err(wrong()),
        };
        number.checked_mul(factor).map(ByteSize).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_the_way_the_caller_asks() {
        assert_eq!(Share::Percent(10).floor_of(8), 0);
        assert_eq!(Share::Percent(75).ceil_of(6), 5);
        assert_eq!(Share::Percent(100).ceil_of(7), 7);
        assert_eq!(Share::Hosts(9).floor_of(4), 4);
    }

    #[test]
    fn quantities_are_read_as_people_write_them() {
        assert_eq!("25%".parse(), Ok(Share::Percent(25)));
        assert_eq!("3".parse(), Ok(Share::Hosts(3)));
        assert!("101%".parse::<Share>().is_err());
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("300ms"), Ok(Duration::from_millis(300)));
        for wrong in ["", "5", "m", "5 parsecs", "-1s", "99999999999999999999s", "400d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!("16MiB".parse(), Ok(ByteSize(16 << 20)));
        assert!("16 megs".parse::<ByteSize>().is_err());
    }

    #[test]
    fn quantities_are_written_for_people() {
        assert_eq!(format_duration(Duration::from_secs(372)), "6 min 12 s");
        assert_eq!(format_duration(Duration::from_secs(3600)), "1 h");
        assert_eq!(format_duration(Duration::from_millis(300)), "300 ms");
        assert_eq!(ByteSize(96_468_992).to_string(), "92 MiB");
        assert_eq!(ByteSize(1_610_612_736).to_string(), "1.5 GiB");
        assert_eq!(ByteSize(12).to_string(), "12 bytes");
    }
}
