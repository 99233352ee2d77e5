//! How a deployment came out: one word, one sign and one colour, the same in every list and chart.

use serde::{Deserialize, Serialize};

/// How a deployment came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All hosts in scope were verified on the release.
    Succeeded,
    /// Put back: every touched host runs the release from before.
    RolledBack,
    /// It failed and was not put back, or not everywhere.
    Failed,
    /// A person stopped it, and it was left as it was.
    Aborted,
    /// It ended before anything was touched.
    Cancelled,
    /// It has not ended.
    UnderWay,
    /// It ended in a way that this program does not know.
    Unknown,
}

impl Outcome {
    /// Every outcome, in the order in which charts stack them.
    pub const ALL: [Self; 7] = [
        Self::Succeeded,
        Self::RolledBack,
        Self::Failed,
        Self::Aborted,
        Self::Cancelled,
        Self::UnderWay,
        Self::Unknown,
    ];

    /// The outcome of a deployment in the state with this name.
    pub fn of_state(state: &str) -> Self {
        match state {
            "succeeded" => Self::Succeeded,
            "rolled_back" => Self::RolledBack,
            "failed" | "rollback_failed" => Self::Failed,
            "aborted" => Self::Aborted,
            "cancelled" => Self::Cancelled,
            "pending" | "running" | "paused" | "baking" | "aborting" | "rolling_back" => Self::UnderWay,
            _ => Self::Unknown,
        }
    }

    /// For people: `rolled back`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled back",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Cancelled => "cancelled",
            Self::UnderWay => "under way",
            Self::Unknown => "unknown",
        }
    }

    /// For programs, style sheets included: `rolled-back`. The class is `outcome-rolled-back`, the colour
    /// `var(--outcome-rolled-back)`.
    pub fn slug(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled-back",
            Self::UnderWay => "under-way",
            Self::Succeeded | Self::Failed | Self::Aborted | Self::Cancelled | Self::Unknown => self.word(),
        }
    }

    /// What tells it apart without colour.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Succeeded => "✔",
            Self::RolledBack | Self::Failed => "✘",
            Self::UnderWay => "◐",
            Self::Aborted | Self::Cancelled => "·",
            Self::Unknown => "?",
        }
    }

    /// Its colour on white paper, as `#rrggbb`. Told apart by people who do not see all colours; each has a contrast of at
    /// least 3 to 1 with white. Screens take theirs from the style sheet, which has others for the dark.
    pub fn paper(self) -> &'static str {
        match self {
            Self::Succeeded => "#00805f",
            Self::RolledBack => "#c25400",
            Self::Failed => "#a8123e",
            Self::Aborted => "#7a5195",
            Self::Cancelled => "#767676",
            Self::UnderWay => "#0072b2",
            Self::Unknown => "#595959",
        }
    }

    /// Whether the release did not get through: `ERROR` in a query.
    pub fn is_error(self) -> bool {
        matches!(self, Self::RolledBack | Self::Failed)
    }
}

/// How many deployments came out how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// See [`Outcome::Succeeded`].
    pub succeeded: u32,
    /// See [`Outcome::RolledBack`].
    pub rolled_back: u32,
    /// See [`Outcome::Failed`].
    pub failed: u32,
    /// See [`Outcome::Aborted`].
    pub aborted: u32,
    /// See [`Outcome::Cancelled`].
    pub cancelled: u32,
    /// See [`Outcome::UnderWay`].
    pub under_way: u32,
    /// See [`Outcome::Unknown`].
    pub unknown: u32,
}

impl OutcomeCounts {
    /// One more.
    pub fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Succeeded => &mut self.succeeded,
            Outcome::RolledBack => &mut self.rolled_back,
            Outcome::Failed => &mut self.failed,
            Outcome::Aborted => &mut self.aborted,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::UnderWay => &mut self.under_way,
            Outcome::Unknown => &mut self.unknown,
        } += 1;
    }

    /// How many came out like this.
    pub fn of(&self, outcome: Outcome) -> u32 {
        match outcome {
            Outcome::Succeeded => self.succeeded,
            Outcome::RolledBack => self.rolled_back,
            Outcome::Failed => self.failed,
            Outcome::Aborted => self.aborted,
            Outcome::Cancelled => self.cancelled,
            Outcome::UnderWay => self.under_way,
            Outcome::Unknown => self.unknown,
        }
    }

    /// All of them.
    pub fn total(&self) -> u32 {
        Outcome::ALL.iter().map(|outcome| self.of(*outcome)).sum()
    }
}
