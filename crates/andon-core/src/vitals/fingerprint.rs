//! What tells one kind of error from another, whatever numbers, names and moments are in it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::line_shape::{plain, shape};
use super::{severity, short_hash};

/// The hash of an error's shape: the first eight bytes of the BLAKE3 digest of its text without what varies.
///
/// The same on every host and in every version of Andon that makes the same shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of one line, when it tells of an error. Stack traces are put together by
    /// [`LogScan`](super::LogScan).
    pub fn of(line: &str) -> Option<Self> {
        let line = plain(line);
        severity::is_error(&line).then(|| Self::of_parts(&[&line]))
    }

    /// The fingerprint of an error whose parts are these lines.
    pub(super) fn of_parts(lines: &[&str]) -> Self {
        let shapes: Vec<String> = lines.iter().map(|line| shape(line)).collect();
        Self(short_hash(&shapes.join("\n")))
    }

    /// One that was made elsewhere.
    pub fn from_hash(hash: u64) -> Self {
        Self(hash)
    }
}

impl fmt::Display for Fingerprint {
    /// Sixteen hexadecimal characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests;
