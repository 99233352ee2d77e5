//! Colours by what they mean. In pages each is a class, so that dark screens and paper have their own; here are the fixed
//! ones for mail, and for wherever no style is known.

use andon_core::chronicle::Outcome;

/// What a line or a letter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// What is read.
    Text,
    /// What is read second.
    Quiet,
    /// Helping lines.
    Grid,
    /// The axes.
    Axis,
    /// What is behind everything.
    Paper,
    /// Hosts on the new release.
    New,
    /// Hosts on the old release.
    Old,
    /// How a deployment came out.
    Outcome(Outcome),
    /// Where harm begins.
    Harm,
    /// The line of a service; counted round.
    Lane(usize),
}

/// Told apart by everybody, and dark enough on white for thin lines.
const LANES: [(&str, &str); 6] = [
    ("lane0", "#0072b2"),
    ("lane1", "#8a4b9c"),
    ("lane2", "#00807a"),
    ("lane3", "#8c5a2b"),
    ("lane4", "#4b4fb0"),
    ("lane5", "#66700d"),
];

impl Ink {
    /// Its class in pages, without the `l-` of lines or the `a-` of areas.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Quiet => "quiet",
            Self::Grid => "grid",
            Self::Axis => "axis",
            Self::Paper => "paper",
            Self::New => "new",
            Self::Old => "old",
            Self::Outcome(outcome) => outcome.slug(),
            Self::Harm => "harm",
            Self::Lane(n) => LANES[n % LANES.len()].0,
        }
    }

    /// `#rrggbb` on white.
    pub(crate) fn hex(self) -> &'static str {
        match self {
            Self::Text => "#1a1a1a",
            Self::Quiet | Self::Axis => "#595959",
            Self::Grid => "#dddddd",
            Self::Paper => "#ffffff",
            // Vermilion and blue of Okabe and Ito's palette: told apart by everybody; in grey the dashes tell.
            Self::New => "#d55e00",
            Self::Old => "#0072b2",
            Self::Outcome(outcome) => outcome.paper(),
            Self::Harm => "#a8123e",
            Self::Lane(n) => LANES[n % LANES.len()].1,
        }
    }
}
