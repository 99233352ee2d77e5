//! How a deployment ended, or that it has not: one colour, one sign and one shape for each, everywhere.

use crate::ink::Ink;

/// What became of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Every host was verified on the new release.
    Succeeded,
    /// Stopped by a person, left as it is.
    Aborted,
    /// Ended before anything was touched.
    Cancelled,
    /// It waits for its turn.
    Waiting,
    /// Hosts are changing, or are watched.
    UnderWay,
    /// A state that this version does not know.
    Unknown,
    /// It hurt or failed, and every touched host was put back.
    RolledBack,
    /// It failed, or a host could not be put back: a person must look.
    Failed,
}

/// What a marker looks like. Each can be told without its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A filled disc.
    Disc,
    /// A ring, half filled.
    Half,
    /// A triangle that points down.
    Down,
    /// A cross.
    Cross,
    /// A filled square.
    Square,
    /// An empty square.
    Hollow,
    /// A small ring.
    Ring,
    /// An empty diamond.
    Diamond,
}

impl Outcome {
    /// Every outcome, the mildest first: of several in one place the last one is shown.
    pub const ALL: [Self; 8] = [
        Self::Cancelled,
        Self::Succeeded,
        Self::Aborted,
        Self::Waiting,
        Self::UnderWay,
        Self::Unknown,
        Self::RolledBack,
        Self::Failed,
    ];

    /// The outcome by the name of the state.
    pub fn of(state: &str) -> Self {
        match state {
            "succeeded" => Self::Succeeded,
            "aborted" => Self::Aborted,
            "cancelled" => Self::Cancelled,
            "pending" => Self::Waiting,
            "running" | "paused" | "baking" | "aborting" | "rolling_back" => Self::UnderWay,
            "rolled_back" => Self::RolledBack,
            "failed" | "rollback_failed" => Self::Failed,
            _ => Self::Unknown,
        }
    }

    /// Which of several in one place is shown: the one that weighs most.
    pub fn weight(self) -> usize {
        Self::ALL.iter().position(|each| *each == self).unwrap_or(0)
    }

    /// The sign in texts, as on the terminal.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Succeeded => "✔",
            Self::Aborted | Self::Cancelled | Self::Waiting => "·",
            Self::UnderWay => "◐",
            Self::Unknown => "?",
            Self::RolledBack | Self::Failed => "✘",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Aborted => "aborted",
            Self::Cancelled => "cancelled",
            Self::Waiting => "waiting",
            Self::UnderWay => "under way",
            Self::Unknown => "unknown",
            Self::RolledBack => "rolled back",
            Self::Failed => "failed",
        }
    }

    /// Its colour.
    pub fn ink(self) -> Ink {
        match self {
            Self::Succeeded => Ink::Good,
            Self::Aborted | Self::Cancelled | Self::Waiting | Self::Unknown => Ink::Idle,
            Self::UnderWay => Ink::Busy,
            Self::RolledBack => Ink::Back,
            Self::Failed => Ink::Bad,
        }
    }

    /// The class of its colour, as in charts: `good`, `back`, `bad`, `busy` or `idle`.
    pub fn class(self) -> &'static str {
        self.ink().class()
    }

    /// The shape of its marker.
    pub fn shape(self) -> Shape {
        match self {
            Self::Succeeded => Shape::Disc,
            Self::Aborted => Shape::Square,
            Self::Cancelled => Shape::Hollow,
            Self::Waiting => Shape::Ring,
            Self::UnderWay => Shape::Half,
            Self::Unknown => Shape::Diamond,
            Self::RolledBack => Shape::Down,
            Self::Failed => Shape::Cross,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_outcomes_look_alike_without_colour() {
        for (n, one) in Outcome::ALL.iter().enumerate() {
            assert_eq!(one.weight(), n);
            assert!(Outcome::ALL[n + 1..].iter().all(|other| other.shape() != one.shape()), "{one:?}");
        }
        assert_eq!(Outcome::of("rolling_back"), Outcome::UnderWay);
        assert_eq!(Outcome::of("<b>"), Outcome::Unknown);
    }
}
