//! Messages to people, and what became of them.

use andon_core::telling::{Dispatch, Letter, LetterState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A message to people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessageRow {
    /// Its name: a message that is queued twice is told once.
    pub key: String,
    /// What kind of message it is.
    #[schema(value_type = String)]
    pub kind: serde_json::Value,
    /// The deployment that it is about, if it is about one.
    pub deployment: Option<u64>,
    /// What it says first.
    pub headline: String,
    /// When that happened.
    #[schema(format = DateTime)]
    pub at: String,
    /// Its ways.
    pub letters: Vec<LetterRow>,
}

/// A message on one of its ways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LetterRow {
    /// Whom it goes to.
    pub to: String,
    /// `waiting`, `delivered` or `given_up`.
    pub state: String,
    /// When it is tried next, was delivered, or was given up.
    #[schema(format = DateTime)]
    pub at: String,
    /// Tries so far.
    pub tries: u32,
    /// What was answered last.
    pub answer: Option<String>,
}

impl From<&Dispatch> for MessageRow {
    fn from(dispatch: &Dispatch) -> Self {
        let telling = &dispatch.telling;
        Self {
            key: telling.key.clone(),
            kind: serde_json::to_value(telling.kind).unwrap_or_default(),
            deployment: telling.deployment.map(|id| id.0),
            headline: telling.headline.clone(),
            at: telling.at.iso(),
            letters: dispatch.letters.iter().map(LetterRow::from).collect(),
        }
    }
}

impl From<&Letter> for LetterRow {
    fn from(letter: &Letter) -> Self {
        let (state, at, answer) = match &letter.state {
            LetterState::Waiting { again, why } => ("waiting", again, why.clone()),
            LetterState::Delivered { at, answer } => ("delivered", at, Some(answer.clone())),
            LetterState::GivenUp { at, why } => ("given_up", at, Some(why.clone())),
        };
        Self {
            to: letter.route.address().to_string(),
            state: state.to_owned(),
            at: at.iso(),
            tries: letter.tries,
            answer,
        }
    }
}
