//! What callers call their evaluations.

use andon_core::name::MetricName;
use serde::{Deserialize, Serialize};

/// The longest id, in characters.
const LONGEST: usize = 100;

/// An evaluation's id, chosen by its caller: a UUID, or any name of at most 100 characters. It is harmless as the name
/// of a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EvaluationId(String);

impl EvaluationId {
    /// Checks `text`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        if text.len() > LONGEST {
            return Err(format!("an id has at most {LONGEST} characters, this one has {}", text.len()));
        }
        // All names share one alphabet.
        match MetricName::new(text.as_str()) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(format!("the id is no name: {error}")),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EvaluationId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::new(text)
    }
}

impl From<EvaluationId> for String {
    fn from(id: EvaluationId) -> String {
        id.0
    }
}

impl std::fmt::Display for EvaluationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
