//! What a host says of a step, and what it does when one is asked for, given what its journal holds.
//!
//! Decides only: looking at the disk, and telling an error from an absence, is for whoever asks.

use super::{Outcome, Token, TokenStatus};

/// What became of a step, by what is found of it: whether it was accepted, its result, and whether somebody holds its
/// lock. A step that ended while it was looked at may look interrupted: its result is to be looked for once more.
pub fn fate(accepted: bool, result: Option<Outcome>, held: bool) -> TokenStatus {
    match (accepted, result) {
        (false, _) => TokenStatus::NeverStarted,
        (true, Some(outcome)) => TokenStatus::Finished(outcome),
        (true, None) if held => TokenStatus::Running,
        (true, None) => TokenStatus::Interrupted,
    }
}

/// What is done when a step is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// It was begun before, however that ended: its fate is shown and nothing is done.
    Attach,
    /// Another step of the service is at work.
    Busy(Token),
    /// It is accepted and begun.
    Begin,
}

/// What is done when a step with this `fate` is asked for, while `at_work` is at work. For a step that never started,
/// to be asked under the service's lock and after its authority was found to be obeyed.
pub fn start(fate: &TokenStatus, at_work: Option<Token>) -> Start {
    match (fate, at_work) {
        (TokenStatus::Running | TokenStatus::Finished(_) | TokenStatus::Interrupted, _) => Start::Attach,
        (TokenStatus::NeverStarted, Some(busy)) => Start::Busy(busy),
        (TokenStatus::NeverStarted, None) => Start::Begin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_in_one_of_four_states_and_begun_in_one_of_them() {
        let done = Outcome::Succeeded;
        let token = Token::try_from("d1.f1.web1.activate.1".to_owned()).unwrap();
        assert_eq!(fate(false, None, false), TokenStatus::NeverStarted);
        assert_eq!(fate(true, None, true), TokenStatus::Running);
        assert_eq!(fate(true, None, false), TokenStatus::Interrupted);
        assert_eq!(fate(true, Some(done.clone()), true), TokenStatus::Finished(done.clone()));
        for begun in [TokenStatus::Running, TokenStatus::Interrupted, TokenStatus::Finished(done)] {
            assert_eq!(start(&begun, Some(token.clone())), Start::Attach);
        }
        assert_eq!(start(&TokenStatus::NeverStarted, Some(token.clone())), Start::Busy(token));
        assert_eq!(start(&TokenStatus::NeverStarted, None), Start::Begin);
    }
}
