//! A recording: everything that an analysis has heard, which judges it again, bit for bit.
//!
//! As text it is a line with the [`Header`] and a line for each [`Entry`], as JSON. Numbers must be read exactly as they
//! were written: `serde_json` does so with its feature `float_roundtrip`.

use serde::{Deserialize, Serialize};

use super::{Baseline, Entry, Judge, Spec};

/// The version of the text.
pub const VERSION: u16 = 1;

/// The first line of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the text: [`VERSION`].
    pub version: u16,
    /// The rules.
    pub spec: Spec,
    /// What history said.
    pub baseline: Baseline,
}

impl Header {
    /// The header of a new recording.
    pub fn new(spec: Spec, baseline: Baseline) -> Self {
        Self { version: VERSION, spec, baseline }
    }

    /// Whether this version of Andon can read what follows.
    pub fn is_known(&self) -> bool {
        self.version == VERSION
    }
}

/// Everything that an analysis has heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Its rules, and what history said.
    pub header: Header,
    /// What was heard, in order.
    pub entries: Vec<Entry>,
}

impl Recording {
    /// Judges it again. Judge it under other rules by changing the header first.
    pub fn replay(&self) -> Judge {
        let mut judge = Judge::new(self.header.spec.clone(), self.header.baseline.clone());
        self.entries.iter().for_each(|entry| judge.apply(entry));
        judge
    }
}
