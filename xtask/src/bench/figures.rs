//! What a bench of one of the crates has measured, in a process of its own: its last line is an object of numbers.

use serde_json::Value;

use super::table::{Peer, Row};
use crate::failure::Failure;
use crate::program::{cargo, text};

/// A figure of a bench, what to call it, and the most that it may be; `None` when it is for information.
pub(super) type Budget = (&'static str, &'static str, Option<f64>);

/// The figures of one run.
pub(super) struct Figures(Value);

impl Figures {
    /// Runs the bench called `bench` of `package` with these words.
    pub(super) fn of(package: &str, bench: &str, words: &[&str]) -> Result<Self, Failure> {
        let mut command = cargo();
        command.args(["bench", "--quiet", "--package", package, "--bench", bench]);
        if !words.is_empty() {
            command.arg("--").args(words);
        }
        let printed = text(&mut command)?;
        let figures = printed.lines().last().and_then(|line| serde_json::from_str(line).ok());
        figures
            .map(Self)
            .ok_or_else(|| Failure::Found(format!("the bench {bench} of {package} printed no figures")))
    }

    /// One of them.
    pub(super) fn get(&self, name: &str) -> Peer {
        self.0[name]
            .as_f64()
            .map_or_else(|| Peer::NotMeasured(format!("the bench printed no {name}")), Peer::Measured)
    }

    /// A row for each budget.
    pub(super) fn rows(&self, budgets: &[Budget]) -> Vec<Row> {
        budgets.iter().map(|(name, title, most)| Row::within(title, self.get(name), *most)).collect()
    }
}
