//! Sentences in which moments stand. Terminals and pages say the same words, and each shows the moments in the way and in
//! the zone of its reader.

use crate::legible::neutral;
use crate::time::Time;

/// A part of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Words, harmless to a terminal.
    Words(String),
    /// A moment, said as people say it: `12 min ago`, `at 14:03`.
    Ago(Time),
}

/// A sentence, without a full stop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sentence(Vec<Part>);

impl Sentence {
    /// A sentence that begins with these words.
    pub fn of(words: &str) -> Self {
        Self::default().say(words)
    }

    /// Adds words. What could act on a terminal is made visible.
    #[must_use]
    pub fn say(mut self, words: &str) -> Self {
        let words = neutral(words.as_bytes());
        match self.0.last_mut() {
            Some(Part::Words(before)) => before.push_str(&words),
            _ => self.0.push(Part::Words(words)),
        }
        self
    }

    /// Adds a moment.
    #[must_use]
    pub fn ago(mut self, moment: Time) -> Self {
        self.0.push(Part::Ago(moment));
        self
    }

    /// Adds another sentence.
    #[must_use]
    pub fn then(self, other: Sentence) -> Self {
        other.0.into_iter().fold(self, |all, part| match part {
            Part::Words(words) => all.say(&words),
            Part::Ago(moment) => all.ago(moment),
        })
    }

    /// Its parts, in their order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The whole as text, with moments as `ago` says them.
    pub fn text(&self, ago: impl Fn(Time) -> String) -> String {
        let said = self.0.iter().map(|part| match part {
            Part::Words(words) => words.clone(),
            Part::Ago(moment) => ago(*moment),
        });
        said.collect()
    }
}
