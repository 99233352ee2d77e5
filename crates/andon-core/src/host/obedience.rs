//! Whom a host obeys: one ledger per service, or per pool of a balancer, and never a lower fence than the highest seen.
//!
//! Decides only. Whoever asks holds the lock of what it is about, and writes a new holder down, durably, before
//! anything is done for it.

use super::Authority;

/// What comes of an authority that asks to be obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obedience {
    /// This one is obeyed instead.
    Refused(Authority),
    /// It is the one that is obeyed already: there is nothing to write down.
    AsBefore,
    /// It is obeyed from now on, once this is written down.
    From(Authority),
}

/// Whether `asking` is obeyed where `holder` was obeyed last; nobody was, if there is none.
pub fn obey(holder: Option<&Authority>, asking: &Authority) -> Obedience {
    // A take-over is one act, and a round passes; what is remembered is only the new holder.
    let next = Authority { take_over: false, round: 0, ..asking.clone() };
    match holder {
        Some(holder) if !admits(holder, asking) => Obedience::Refused(holder.clone()),
        Some(holder) if *holder == next => Obedience::AsBefore,
        _ => Obedience::From(next),
    }
}

/// Whether `asking`, which is obeyed, comes late: something else was wished in `newest`, a later round of the same fence.
/// It may come from a connection that its sender has given up, and would undo what was wished since.
pub fn is_late(newest: Option<&Authority>, asking: &Authority) -> bool {
    newest.is_some_and(|newest| {
        newest.ledger == asking.ledger && newest.fence == asking.fence && asking.round < newest.round
    })
}

fn admits(holder: &Authority, asking: &Authority) -> bool {
    if holder.ledger == asking.ledger { asking.fence >= holder.fence } else { asking.take_over }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Fence;

    fn authority(ledger: &str, fence: u64, take_over: bool) -> Authority {
        Authority {
            ledger: ledger.into(),
            fence: Fence(fence),
            deployment: 7,
            by: "ada".into(),
            at: "desk".into(),
            since: None,
            take_over,
            round: 0,
        }
    }

    #[test]
    fn only_the_same_ledger_with_at_least_the_same_fence_is_obeyed() {
        let holder = authority("ours", 5, false);
        let next = authority("ours", 6, false);
        assert_eq!(obey(None, &next), Obedience::From(next.clone()));
        assert_eq!(obey(Some(&holder), &holder), Obedience::AsBefore);
        assert_eq!(obey(Some(&holder), &next), Obedience::From(next.clone()));
        assert_eq!(obey(Some(&holder), &authority("ours", 4, false)), Obedience::Refused(holder.clone()));
        assert_eq!(obey(Some(&holder), &authority("theirs", 99, false)), Obedience::Refused(holder.clone()));
        let taken = Obedience::From(authority("theirs", 1, false));
        assert_eq!(obey(Some(&holder), &authority("theirs", 1, true)), taken);
    }

    #[test]
    fn of_two_rounds_under_one_fence_the_earlier_comes_late() {
        let of = |fence, round| Authority { round, ..authority("ours", fence, false) };
        assert!(is_late(Some(&of(5, 8)), &of(5, 7)));
        assert!(!is_late(Some(&of(5, 8)), &of(5, 8)));
        assert!(!is_late(Some(&of(5, 8)), &of(6, 1)), "a new fence counts anew");
        assert!(!is_late(None, &of(5, 1)));
        assert_eq!(obey(Some(&of(5, 0)), &of(5, 9)), Obedience::AsBefore, "a round is no new holder");
    }

    #[test]
    fn taking_over_does_not_lower_a_fence_of_the_same_ledger() {
        let holder = authority("ours", 5, false);
        assert_eq!(obey(Some(&holder), &authority("ours", 4, true)), Obedience::Refused(holder.clone()));
    }
}
