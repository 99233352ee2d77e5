//! Which facts a program understands, and what it does with those of a newer one. Pure; the rule in words is in
//! `docs/design/versions.md`.

use serde::{Deserialize, Serialize};

/// The facts that this program writes and understands. Raised with every kind of fact, and with every field of one, that
/// an older program would not know and has to: what it may leave out without doing anything else stays as it is.
pub const FACTS: u32 = 1;

/// The facts of a ledger that says nothing of them: it was written before there was a second kind.
pub const FIRST_FACTS: u32 = 1;

/// The stream that says who writes facts into a ledger.
pub const STREAM: &str = "versions";

/// A program as a writer of facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// See [`FACTS`].
    pub facts: u32,
    /// Its version, for messages.
    pub version: String,
}

/// What a ledger says of its writers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionFact {
    /// From here on there may be facts that only such a program understands.
    Writes(Writer),
}

impl Writer {
    /// The newest of the writers of a ledger.
    pub fn newest<'a>(facts: impl IntoIterator<Item = &'a VersionFact>) -> Option<&'a Self> {
        facts.into_iter().map(|VersionFact::Writes(writer)| writer).max_by_key(|writer| writer.facts)
    }

    /// Whether this program understands everything that `newest` may have written.
    pub fn understands(&self, newest: Option<&Self>) -> bool {
        newest.is_none_or(|newest| newest.facts <= self.facts)
    }

    /// What this program has to say before its first fact; nothing where the newest writer said as much.
    pub fn introduction(&self, newest: Option<&Self>) -> Option<VersionFact> {
        let known = newest.map_or(FIRST_FACTS, |newest| newest.facts);
        (self.facts > known).then(|| VersionFact::Writes(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(facts: u32) -> Writer {
        Writer { facts, version: format!("0.{facts}.0") }
    }

    #[test]
    fn whoever_writes_newer_facts_says_so_once_and_older_programs_stay_away() {
        let said = [VersionFact::Writes(writer(3)), VersionFact::Writes(writer(2))];
        let newest = Writer::newest(&said);
        assert_eq!(newest, Some(&writer(3)));
        assert!(writer(3).understands(newest) && writer(4).understands(newest));
        assert!(!writer(2).understands(newest) && writer(1).understands(None));
        assert_eq!(writer(3).introduction(newest), None);
        assert_eq!(writer(4).introduction(newest), Some(VersionFact::Writes(writer(4))));
        // A ledger that nobody introduced themselves to has the first facts.
        assert_eq!((writer(1).introduction(None), writer(2).introduction(None).is_some()), (None, true));
    }
}
