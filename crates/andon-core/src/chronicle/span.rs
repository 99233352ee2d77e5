//! A span of time: what happened within it, and what the same span before it was.

use crate::time::Time;

/// From a moment, included, until another, excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first moment of it.
    pub from: Time,
    /// The first moment after it.
    pub until: Time,
}

impl Span {
    /// All of time.
    pub const ALL: Self = Self { from: Time(i64::MIN), until: Time(i64::MAX) };

    /// Whether a moment is within.
    pub fn holds(&self, moment: Time) -> bool {
        self.from <= moment && moment < self.until
    }

    /// The span of the same length that ends where this one begins.
    pub fn before(&self) -> Self {
        let length = self.until.0.saturating_sub(self.from.0);
        Self { from: Time(self.from.0.saturating_sub(length)), until: self.from }
    }
}
