//! What the load consists of: which requests, how many, and how they reach the server.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::content::{index, scramble};

/// The composition of a load. Shares are in hundredths of all requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    /// Requests per second, at least 1.
    pub rate: u32,
    /// How many take long.
    pub slow: u8,
    /// How long those take.
    pub slow_for: Duration,
    /// How many are uploads.
    pub uploads: u8,
    /// The sizes of uploads in bytes, at most 4 MiB.
    pub upload_bytes: RangeInclusive<usize>,
    /// The size of every page in bytes.
    pub page_bytes: usize,
    /// How many open a connection of their own and close it. The others share connections that are kept open.
    pub fresh: u8,
    /// From the first to the last byte of a request; what takes longer has failed.
    pub patience: Duration,
}

impl Default for Mix {
    /// 300 requests a second: 5 % take 3 s, 3 % are uploads of 64 KiB to 1 MiB, 30 % use a fresh connection.
    fn default() -> Self {
        Self {
            rate: 300,
            slow: 5,
            slow_for: Duration::from_secs(3),
            uploads: 3,
            upload_bytes: 64 << 10..=1 << 20,
            page_bytes: 2000,
            fresh: 30,
            patience: Duration::from_secs(10),
        }
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A page of so many bytes.
    Page(usize),
    /// A page of so many bytes, half of which is sent late and the rest even later.
    Slow(usize, Duration),
    /// So many bytes to be received, and counted.
    Upload(usize),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Page(_) => f.write_str("page"),
            Kind::Slow(_, time) => write!(f, "page in {time:?}"),
            Kind::Upload(bytes) => write!(f, "upload of {bytes} bytes"),
        }
    }
}

/// One request of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Counted from nought.
    pub number: u64,
    /// What it asks for.
    pub kind: Kind,
    /// Whether it has a connection of its own.
    pub fresh: bool,
}

impl Mix {
    /// The request with this number: always the same one for the same mix.
    pub fn request(&self, number: u64) -> Request {
        let dice = scramble(number);
        let percent = |shift: u32| ((dice >> shift) & 0xffff) % 100;
        let (slow, uploads) = (u64::from(self.slow), u64::from(self.uploads));
        let kind = match percent(0) {
            it if it < slow => Kind::Slow(self.page_bytes, self.slow_for),
            it if it < slow + uploads => Kind::Upload(self.upload_size(dice >> 32)),
            _ => Kind::Page(self.page_bytes),
        };
        Request { number, kind, fresh: percent(16) < u64::from(self.fresh) }
    }

    /// The time from one request to the next.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.rate.max(1)
    }

    fn upload_size(&self, dice: u64) -> usize {
        let (least, most) = (*self.upload_bytes.start(), *self.upload_bytes.end());
        least + index(dice, most.saturating_sub(least) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_a_mix_are_kept() {
        let mix = Mix::default();
        let requests: Vec<Request> = (0..100_000).map(|number| mix.request(number)).collect();
        let share = |wanted: fn(&Request) -> bool| requests.iter().filter(|it| wanted(it)).count() / 10;
        let slow = share(|it| matches!(it.kind, Kind::Slow(..)));
        let uploads = share(|it| matches!(it.kind, Kind::Upload(_)));
        let fresh = share(|it| it.fresh);
        assert!((475..=525).contains(&slow), "{slow}");
        assert!((280..=320).contains(&uploads), "{uploads}");
        assert!((2900..=3100).contains(&fresh), "{fresh}");
        let sizes = requests.iter().filter_map(|it| match it.kind {
            Kind::Upload(bytes) => Some(bytes),
            Kind::Page(_) | Kind::Slow(..) => None,
        });
        assert!(sizes.clone().all(|bytes| mix.upload_bytes.contains(&bytes)));
        assert!(sizes.clone().min() < Some(100 << 10) && sizes.max() > Some(1000 << 10));
    }
}
