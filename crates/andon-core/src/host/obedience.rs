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
    // A take-over is one act; what is remembered is only the new holder.
    let next = Authority { take_over: false, ..asking.clone() };
    match holder {
        Some(holder) if !admits(holder, asking) => Obedience::Refused(holder.clone()),
        Some(holder) if *holder == next => Obedience::AsBefore,
        _ => Obedience::From(next),
    }
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
    fn taking_over_does_not_lower_a_fence_of_the_same_ledger() {
        let holder = authority("ours", 5, false);
        assert_eq!(obey(Some(&holder), &authority("ours", 4, true)), Obedience::Refused(holder.clone()));
    }
}
