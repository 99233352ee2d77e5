//! One message on its ways: what was tried, what came of it, and when it is tried again. A fold of its facts.
//!
//! A message is delivered at least once. A process that dies between the delivery and its record sends it again under the
//! same identity, so that whoever gets it can tell.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Route, Telling};
use crate::legible::one_line;
use crate::time::Time;

/// A message that could not be delivered for so long is given up.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// The pause after the first try that failed; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// The longest answer that is kept, in characters.
const MOST_ANSWER: usize = 300;

/// Something that happened to a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DispatchFact {
    /// It is to be told, on these ways.
    Queued {
        /// What is told.
        telling: Box<Telling>,
        /// The ways.
        routes: Vec<Route>,
    },
    /// It was taken.
    Delivered {
        /// On which way, counted from 0.
        letter: usize,
        /// What the server answered.
        answer: String,
    },
    /// It was not taken this time.
    Failed {
        /// On which way, counted from 0.
        letter: usize,
        /// What happened: one sentence.
        why: String,
        /// When it is tried again.
        again: Time,
    },
    /// It is not tried any more.
    GivenUp {
        /// On which way, counted from 0.
        letter: usize,
        /// What happened: one sentence.
        why: String,
    },
}

/// How far a message has come on one of its ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    /// It is on its way.
    Waiting {
        /// When it is tried next.
        again: Time,
        /// What happened at the last try.
        why: Option<String>,
    },
    /// It arrived.
    Delivered {
        /// When.
        at: Time,
        /// What the server answered.
        answer: String,
    },
    /// Nobody tries any more.
    GivenUp {
        /// Since when.
        at: Time,
        /// What happened last.
        why: String,
    },
}

/// A message on one of its ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The way.
    pub route: Route,
    /// How far it has come.
    pub state: LetterState,
    /// Tries so far.
    pub tries: u32,
}

/// What one try came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was taken; what the server answered.
    Delivered(String),
    /// Not this time; a later try may succeed.
    NotNow(String),
    /// Never: whoever is asked wants no further try.
    Never(String),
}

/// A message on all of its ways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// What is told.
    pub telling: Telling,
    /// Since when it is on its way.
    pub queued: Time,
    /// Its ways.
    pub letters: Vec<Letter>,
}

impl Dispatch {
    /// A message that was just queued.
    pub fn new(telling: Telling, routes: Vec<Route>, at: Time) -> Self {
        let letter = |route| Letter { route, state: LetterState::Waiting { again: at, why: None }, tries: 0 };
        Self { telling, queued: at, letters: routes.into_iter().map(letter).collect() }
    }

    /// Folds recorded facts. `None` when the first is not [`DispatchFact::Queued`].
    pub fn fold<'a>(facts: impl IntoIterator<Item = (Time, &'a DispatchFact)>) -> Option<Self> {
        let mut facts = facts.into_iter();
        let (at, DispatchFact::Queued { telling, routes }) = facts.next()? else { return None };
        let mut dispatch = Self::new((**telling).clone(), routes.clone(), at);
        facts.for_each(|(at, fact)| dispatch.apply(at, fact));
        Some(dispatch)
    }

    /// Adds a fact. What was delivered or given up stays so.
    pub fn apply(&mut self, at: Time, fact: &DispatchFact) {
        let (letter, state) = match fact {
            DispatchFact::Queued { .. } => return,
            DispatchFact::Delivered { letter, answer } => {
                (letter, LetterState::Delivered { at, answer: answer.clone() })
            }
            DispatchFact::Failed { letter, why, again } => {
                (letter, LetterState::Waiting { again: *again, why: Some(why.clone()) })
            }
            DispatchFact::GivenUp { letter, why } => (letter, LetterState::GivenUp { at, why: why.clone() }),
        };
        let Some(letter) = self.letters.get_mut(*letter) else { return };
        if matches!(letter.state, LetterState::Waiting { .. }) {
            letter.tries += 1;
            letter.state = state;
        }
    }

    /// The ways on which it waits, by their numbers; with `all` also those whose time has not come.
    pub fn due(&self, now: Time, all: bool) -> impl Iterator<Item = (usize, &Letter)> {
        self.letters.iter().enumerate().filter(move |(_, letter)| match &letter.state {
            LetterState::Waiting { again, .. } => all || *again <= now,
            LetterState::Delivered { .. } | LetterState::GivenUp { .. } => false,
        })
    }

    /// How many ways it waits on.
    pub fn waiting(&self) -> usize {
        self.due(self.queued, true).count()
    }

    /// When it is tried next; `None` when nothing waits.
    pub fn next_try(&self) -> Option<Time> {
        let times = self.letters.iter().filter_map(|letter| match &letter.state {
            LetterState::Waiting { again, .. } => Some(*again),
            LetterState::Delivered { .. } | LetterState::GivenUp { .. } => None,
        });
        times.min()
    }

    /// The fact that the outcome of a try adds; `None` for a way that does not wait.
    pub fn tried(&self, now: Time, letter: usize, outcome: Outcome) -> Option<DispatchFact> {
        let tried = self.letters.get(letter)?;
        if !matches!(tried.state, LetterState::Waiting { .. }) {
            return None;
        }
        let clean = |text: &str| super::shortened(&one_line(text), MOST_ANSWER);
        Some(match outcome {
            Outcome::Delivered(answer) => DispatchFact::Delivered { letter, answer: clean(&answer) },
            Outcome::Never(why) => DispatchFact::GivenUp { letter, why: clean(&why) },
            Outcome::NotNow(why) => {
                let again = now + pause_after(tried.tries);
                if again.since(self.queued) > GIVE_UP_AFTER {
                    DispatchFact::GivenUp { letter, why: format!("given up after 24 h: {}", clean(&why)) }
                } else {
                    DispatchFact::Failed { letter, why: clean(&why), again }
                }
            }
        })
    }
}

/// The pause after a try that failed, when `before` had failed before it.
fn pause_after(before: u32) -> Duration {
    let factor = 1_u32.checked_shl(before.min(16)).unwrap_or(u32::MAX);
    FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
}
