//! The members that an analysis has heard of, by number: the sums look nobody up by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Arm, Seen, Tick};
use crate::name::MemberName;

/// More members than this are not heard.
const MOST: usize = 20_000;

/// A member by its number in the roster.
pub(crate) type Number = usize;

/// What is remembered of a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Its name.
    pub(crate) name: MemberName,
    /// When it was suspected, in milliseconds of the judge's clock: since then its evidence is left out.
    pub(crate) suspected: Option<u64>,
    /// Whether it was away since it was suspected.
    gone: bool,
    /// How often it was suspected.
    pub(crate) suspicions: u32,
}

/// A member that takes part in a tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Present<'a> {
    /// Its number.
    pub(crate) number: Number,
    /// What was seen of it.
    pub(crate) seen: &'a Seen,
    /// Whether it is old enough, and not suspected.
    pub(crate) compared: bool,
    /// Whether it is suspected.
    pub(crate) suspected: bool,
}

/// Every member that was ever heard.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Roster {
    members: Vec<Member>,
    numbers: BTreeMap<MemberName, Number>,
}

impl Roster {
    /// A member by its number.
    pub(crate) fn member(&self, number: Number) -> Option<&Member> {
        self.members.get(number)
    }

    /// All members in the order in which they were first heard.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Leaves a member's evidence out from now on.
    pub(crate) fn suspect(&mut self, number: Number, now: u64) {
        if let Some(member) = self.members.get_mut(number) {
            member.suspected = Some(now);
            member.gone = false;
            member.suspicions += 1;
        }
    }

    /// All who take part in a tick, in the order of their names.
    ///
    /// A suspect that was away and comes back on a process that began after the suspicion is a member like any other.
    pub(crate) fn attend<'a>(&mut self, tick: &'a Tick, warmup_ms: u128, now: u64) -> Vec<Present<'a>> {
        for member in self.members.iter_mut().filter(|member| member.suspected.is_some()) {
            member.gone |= !tick.members.contains_key(&member.name);
        }
        let mut present = Vec::with_capacity(tick.members.len());
        for (name, seen) in &tick.members {
            let Some(number) = self.number(name) else { continue };
            let member = &mut self.members[number];
            let began_later = |since: u64| {
                seen.age.is_some_and(|age| age.as_millis() < u128::from(now.saturating_sub(since)))
            };
            if member
                .suspected
                .is_some_and(|since| member.gone && (seen.arm == Arm::Control || began_later(since)))
            {
                member.suspected = None;
            }
            let suspected = member.suspected.is_some();
            let young = seen.age.is_some_and(|age| age.as_millis() < warmup_ms);
            present.push(Present { number, seen, compared: !suspected && !young, suspected });
        }
        present
    }

    fn number(&mut self, name: &MemberName) -> Option<Number> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        let number = self.members.len();
        if number >= MOST {
            return None;
        }
        self.members.push(Member { name: name.clone(), suspected: None, gone: false, suspicions: 0 });
        self.numbers.insert(name.clone(), number);
        Some(number)
    }
}
