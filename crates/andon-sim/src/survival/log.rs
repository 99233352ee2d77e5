//! What happened in a story, in lines that people read and whose digest says whether two runs were the same.

use std::sync::{Mutex, MutexGuard, PoisonError};

use andon_core::digest::Digest;

use super::clock;

/// The lines of one story.
#[derive(Debug, Default)]
pub struct Log {
    lines: Mutex<Vec<(f64, String)>>,
}

impl Log {
    fn lines(&self) -> MutexGuard<'_, Vec<(f64, String)>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened now.
    pub fn say(&self, what: impl Into<String>) {
        let at = clock::told();
        self.lines().push((at, what.into()));
    }

    /// All lines, each with its moment in seconds.
    pub fn told(&self) -> Vec<String> {
        let lines = self.lines();
        lines.iter().map(|(at, what)| format!("{:9.3} s  {what}", at)).collect()
    }

    /// The digest of all lines and of `more`.
    pub fn digest(&self, more: &str) -> Digest {
        let mut text = self.told().join("\n");
        text.push_str(more);
        Digest::of(text.as_bytes())
    }
}
