//! The loop of an evaluation that gets its numbers itself.

use std::sync::Arc;

use andon_core::analysis::Entry;

use super::Evaluations;
use super::evaluation::Evaluation;

/// What is asked, and of whom.
#[derive(Debug)]
pub(super) struct Asking;

impl Asking {
    /// `None` for one that is told its numbers.
    pub(super) fn new(evaluation: &Evaluation, _entries: &[Entry]) -> Option<Self> {
        evaluation.request.is_asked().then_some(Self)
    }

    /// Looks, tick by tick, until there is a verdict.
    pub(super) async fn run(self, _evaluations: Evaluations, evaluation: Arc<Evaluation>) {
        let _ = evaluation.spec().tick;
    }
}
