//! Finds few troubles that are enough for a violation: delta debugging (Zeller and Hildebrandt, 2002) over a story's
//! troubles, each of which keeps its number.

use std::collections::BTreeSet;

use super::invariant::Invariant;
use super::play::{Played, play};
use super::sabotage::Sabotage;
use super::story::Story;

/// The most stories that are played for one failure.
const MOST_PLAYS: usize = 200;

/// A failure, and what is enough for it.
#[derive(Debug, Clone)]
pub struct Minimal {
    /// The numbers of the troubles that are needed.
    pub only: BTreeSet<usize>,
    /// How many troubles the story has.
    pub of: usize,
    /// How the small story went.
    pub played: Played,
}

/// The smallest set of troubles that was found to violate the invariant that the whole story violates. `None` when the
/// whole story violates nothing.
pub fn minimise(seed: u64, sabotage: Option<Sabotage>) -> Option<Minimal> {
    let of = Story::of(seed).troubles.len();
    let whole = play(seed, None, sabotage);
    let invariant = whole.violation.as_ref()?.invariant;
    let mut search = Search { seed, sabotage, invariant, plays: 0 };
    let (mut only, mut played) = ((0..of).collect::<Vec<usize>>(), whole);
    let mut parts = 2;
    while !only.is_empty() {
        let size = only.len().div_ceil(parts);
        let without = (0..only.len()).step_by(size.max(1)).find_map(|start| {
            let end = (start + size).min(only.len());
            let rest: Vec<usize> = [&only[..start], &only[end..]].concat();
            search.violates(&rest).map(|played| (rest, played))
        });
        match without {
            Some((rest, smaller)) => {
                (only, played) = (rest, smaller);
                parts = parts.saturating_sub(1).max(2).min(only.len().max(1));
            }
            None if size <= 1 => break,
            None => parts = (parts * 2).min(only.len()),
        }
    }
    Some(Minimal { only: only.into_iter().collect(), of, played })
}

struct Search {
    seed: u64,
    sabotage: Option<Sabotage>,
    invariant: Invariant,
    plays: usize,
}

impl Search {
    fn violates(&mut self, numbers: &[usize]) -> Option<Played> {
        self.plays += 1;
        if self.plays > MOST_PLAYS {
            return None;
        }
        let only: BTreeSet<usize> = numbers.iter().copied().collect();
        let played = play(self.seed, Some(&only), self.sabotage);
        let same = played.violation.as_ref().is_some_and(|violation| violation.invariant == self.invariant);
        same.then_some(played)
    }
}

impl Minimal {
    /// The command that plays it again.
    pub fn command(&self, sabotage: Option<Sabotage>) -> String {
        let only: Vec<String> = self.only.iter().map(ToString::to_string).collect();
        let only = if only.len() == self.of { String::new() } else { format!(" --only {}", list(&only)) };
        let broken = sabotage.map(|sabotage| format!(" --sabotage {}", sabotage.name())).unwrap_or_default();
        format!("cargo xtask sim --seed {}{only}{broken}", self.played.seed)
    }
}

fn list(numbers: &[String]) -> String {
    if numbers.is_empty() { "none".to_owned() } else { numbers.join(",") }
}
