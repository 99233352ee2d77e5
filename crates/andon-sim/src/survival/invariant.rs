//! What must hold at every instant of every story, by name. Names only: whoever sees what happens checks.

use std::fmt;

/// Something that must hold. The numbers are those of `ARCHITECTURE.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// I1.
    DrainBeforeChange,
    /// I2.
    Floor,
    /// I3.
    DrainsAreOwned,
    /// I4.
    OneStepAtATime,
    /// I5.
    HighestFence,
    /// I6.
    EndIsFinal,
    /// I7.
    NothingFromSilence,
    /// I8.
    BadStaysAway,
    /// I9.
    LineHolds,
    /// Nothing is done that was not recorded before.
    IntentFirst,
    /// Nothing is done twice.
    Once,
    /// Nobody is served by a release that is not all there.
    WholeReleases,
    /// Where the ledger places a host, there it is.
    TruthfulPlace,
    /// Every story comes to a legal end, and its world can be brought to order.
    EndsWell,
    /// The chain of the ledger is whole.
    LedgerIsWhole,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Invariant::DrainBeforeChange => {
                "I1: a host is changed only after its drain was proven, or was recorded as cut"
            }
            Invariant::Floor => "I2: we never take a host out of service below the floor",
            Invariant::DrainsAreOwned => {
                "I3: a host that is out of its balancers belongs to a deployment, or is held out with a reason"
            }
            Invariant::OneStepAtATime => "I4: at most one step is at work on a host",
            Invariant::HighestFence => "I5: a host obeys only a fence at least as high as the highest it has seen",
            Invariant::EndIsFinal => "I6: a terminal state is never left",
            Invariant::NothingFromSilence => "I7: missing data never becomes success",
            Invariant::BadStaysAway => "I8: a bad release is not deployed again without a recorded reason",
            Invariant::LineHolds => "I9: a deployment begins only on the line that it was admitted to",
            Invariant::IntentFirst => "intents: nothing is done that was not recorded before",
            Invariant::Once => "once: nothing is done twice",
            Invariant::WholeReleases => "whole releases: nobody is served by a half-installed release",
            Invariant::TruthfulPlace => "truth: a host is where the ledger places it",
            Invariant::EndsWell => "end: every story comes to a legal end, and its world to order",
            Invariant::LedgerIsWhole => "ledger: its chain is whole",
        })
    }
}

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was seen: one sentence.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.invariant, self.what)
    }
}
