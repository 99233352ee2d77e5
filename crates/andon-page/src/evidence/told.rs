//! What happened to a deployment, as events on an axis of time: each in a few words.

use andon_chart::traffic::{Event, EventMark, MOST_EVENTS};
use andon_core::analysis::Verdict;
use andon_core::deployment::{Ask, Fact, HostState, PauseReason, Phase, State};
use andon_core::time::Time;

/// Failures of single hosts that are told of.
const MOST_FAILURES: usize = 8;

/// The events, the oldest first. Where there are too many, steps are left out first, then the oldest.
pub(super) fn events<'a>(facts: impl Iterator<Item = (Time, &'a Fact)>, waves: usize) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut failures = 0;
    for (at, fact) in facts {
        let told = match fact {
            Fact::Host { host, state: HostState::Failed(_) } if failures < MOST_FAILURES => {
                failures += 1;
                Some((format!("{host} failed"), EventMark::Against))
            }
            Fact::Entered { state } => entered(state, waves),
            Fact::Judged { standing } => standing.verdict.map(judged),
            Fact::Suspected { host, .. } => Some((format!("{host} is suspected"), EventMark::Against)),
            Fact::Asked { ask, by, .. } => Some((asked(ask, &by.name), EventMark::Pause)),
            Fact::Accepted { .. }
            | Fact::Planned { .. }
            | Fact::InCharge { .. }
            | Fact::Host { .. }
            | Fact::Drained { .. }
            | Fact::Shared { .. }
            | Fact::Serving { .. }
            | Fact::Site { .. } => None,
        };
        let Some((name, mark)) = told else { continue };
        if events.last().is_none_or(|last| last.name != name) {
            events.push(Event { at, name, mark });
        }
    }
    if events.len() > MOST_EVENTS {
        events.retain(|event| event.mark != EventMark::Step);
    }
    let from = events.len().saturating_sub(MOST_EVENTS);
    events.split_off(from)
}

fn entered(state: &State, waves: usize) -> Option<(String, EventMark)> {
    let (name, mark) = match state {
        State::Running { phase } => return running(phase, waves),
        State::Paused { reason: PauseReason::Manual, .. } | State::Pending { .. } => return None,
        State::Paused { reason, .. } => (format!("paused: {reason}"), EventMark::Pause),
        State::Baking { .. } => ("bake".to_owned(), EventMark::Step),
        State::Aborting { .. } => ("aborting".to_owned(), EventMark::Pause),
        State::RollingBack { .. } => ("rolling back".to_owned(), EventMark::Against),
        State::Succeeded => ("succeeded".to_owned(), EventMark::For),
        State::Failed { .. } => ("failed".to_owned(), EventMark::Against),
        State::Aborted { .. } => ("aborted".to_owned(), EventMark::Pause),
        State::RolledBack { .. } => ("rolled back".to_owned(), EventMark::Against),
        State::RollbackFailed { .. } => ("rollback failed".to_owned(), EventMark::Against),
        State::Cancelled { .. } => ("cancelled".to_owned(), EventMark::Pause),
    };
    Some((name, mark))
}

fn running(phase: &Phase, waves: usize) -> Option<(String, EventMark)> {
    let name = match phase {
        Phase::Prepare => "prepare".to_owned(),
        Phase::Wave(wave) => {
            format!("wave {} of {}", wave.saturating_add(1), waves.max(wave.saturating_add(1)))
        }
        Phase::Judge { .. } => "comparing".to_owned(),
        Phase::Switch { .. } => "traffic moves".to_owned(),
        Phase::Bake { .. } => return None,
    };
    Some((name, EventMark::Step))
}

fn judged(verdict: Verdict) -> (String, EventMark) {
    let mark = match verdict {
        Verdict::Pass => EventMark::For,
        Verdict::Fail => EventMark::Against,
        Verdict::Inconclusive | Verdict::None => EventMark::Pause,
    };
    (format!("verdict: {}", verdict.in_words()), mark)
}

fn asked(ask: &Ask, by: &str) -> String {
    match ask {
        Ask::Pause => format!("paused by {by}"),
        Ask::Resume => format!("resumed by {by}"),
        Ask::Abort { rollback: false } => format!("aborted by {by}"),
        Ask::Abort { rollback: true } => format!("put back by {by}"),
        Ask::Supersede { by: newer } => format!("{newer} takes over"),
    }
}
