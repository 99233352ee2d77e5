//! Many stories, one after another on every core, and what they came to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::play::{Played, play};
use super::sabotage::Sabotage;

/// What many stories came to.
#[derive(Debug, Default, Clone)]
pub struct Summary {
    /// How many were played.
    pub stories: u64,
    /// The seeds of those that violated something, with its name, in order.
    pub failed: BTreeMap<u64, String>,
    /// What has truly struck: in how many stories, and how often.
    pub struck: BTreeMap<&'static str, (u64, u64)>,
    /// How deployments ended, and how often.
    pub ends: BTreeMap<String, u64>,
    /// How much time was simulated.
    pub simulated: Duration,
}

impl Summary {
    fn add(&mut self, played: &Played) {
        self.stories += 1;
        if let Some(violation) = &played.violation {
            self.failed.insert(played.seed, violation.invariant.to_string());
        }
        for (what, count) in &played.struck {
            let entry = self.struck.entry(what).or_default();
            entry.0 += 1;
            entry.1 += count;
        }
        for (end, count) in &played.ends {
            *self.ends.entry(end.clone()).or_default() += count;
        }
        self.simulated += played.simulated;
    }
}

/// Which stories are played.
pub struct Campaign<'a> {
    /// The first seed.
    pub from: u64,
    /// How many threads play.
    pub threads: usize,
    /// What is broken on purpose.
    pub sabotage: Option<Sabotage>,
    /// Whether another story is played, given how many have begun and how many have failed.
    pub goes_on: &'a (dyn Fn(u64, usize) -> bool + Sync),
    /// Hears of every story.
    pub heard: &'a (dyn Fn(&Played, &Summary) + Sync),
}

impl Campaign<'_> {
    /// Plays until it is not to go on.
    pub fn run(&self) -> Summary {
        let (next, summary) = (AtomicU64::new(0), Mutex::new(Summary::default()));
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    loop {
                        let begun = next.fetch_add(1, Ordering::SeqCst);
                        let failed = summary.lock().unwrap_or_else(PoisonError::into_inner).failed.len();
                        if !(self.goes_on)(begun, failed) {
                            return;
                        }
                        let played = play(self.from.wrapping_add(begun), None, self.sabotage);
                        let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                        summary.add(&played);
                        (self.heard)(&played, &summary);
                    }
                });
            }
        });
        summary.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
