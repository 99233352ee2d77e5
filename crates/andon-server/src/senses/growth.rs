//! What counters have grown by between two readings. Pure.
//!
//! A counter that shrank has begun anew, and so may only one of several that are summed behind it: how much of its
//! value is new is not known, so that reading is left out. A counter that was missing is treated the same way. What is
//! counted twice would accuse the innocent; what is left out once costs a few seconds.

use std::collections::BTreeMap;

use andon_core::name::MemberName;

/// One value of a source.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    /// Whose.
    pub(super) member: MemberName,
    /// What tells it from the member's other values.
    pub(super) series: String,
    /// Finite.
    pub(super) value: f64,
}

/// The counters of one number, for all members.
#[derive(Debug, Default)]
pub(super) struct Growth {
    last: BTreeMap<(MemberName, String), f64>,
    /// What is less than one whole event yet.
    fractions: BTreeMap<MemberName, f64>,
}

impl Growth {
    /// Takes a reading in. The growth of each member in whole events since the reading before; `None` for those that
    /// have just begun, or begun anew. Members without a value are absent.
    pub(super) fn read(&mut self, values: Vec<Value>) -> BTreeMap<MemberName, Option<u64>> {
        let mut grown: BTreeMap<MemberName, Option<(f64, bool)>> = BTreeMap::new();
        let mut next = BTreeMap::new();
        for Value { member, series, value } in values {
            let sum = grown.entry(member.clone()).or_insert(Some((0.0, false)));
            let key = (member, series);
            match self.last.get(&key) {
                _ if value < 0.0 => *sum = None,
                Some(last) if value < *last => *sum = None,
                Some(last) => *sum = sum.map(|(sum, _)| (sum + (value - last), true)),
                // The first value of a series that is new beside others tells nothing.
                None => {}
            }
            next.insert(key, value);
        }
        self.last = next;
        self.fractions.retain(|member, _| grown.contains_key(member));
        let mut whole = |member: &MemberName, grown: f64| {
            let fraction = self.fractions.entry(member.clone()).or_default();
            let events = (*fraction + grown).floor();
            *fraction += grown - events;
            whole_number(events)
        };
        grown
            .into_iter()
            .map(|(member, sum)| {
                let events = sum.filter(|(_, known)| *known).map(|(sum, _)| whole(&member, sum));
                (member, events)
            })
            .collect()
    }

    /// Forgets all marks: the next reading begins anew.
    pub(super) fn forget(&mut self) {
        self.last.clear();
        self.fractions.clear();
    }
}

/// The nearest whole number; nought for what is none.
fn whole_number(number: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is meant")]
    let whole = number.max(0.0) as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str) -> MemberName {
        MemberName::new(name).unwrap()
    }

    fn values(all: &[(&str, &str, f64)]) -> Vec<Value> {
        let value = |(name, series, value): &(&str, &str, f64)| Value {
            member: member(name),
            series: (*series).to_owned(),
            value: *value,
        };
        all.iter().map(value).collect()
    }

    #[test]
    fn growth_is_taken_and_every_doubt_leaves_a_reading_out() {
        let mut growth = Growth::default();
        let mut read = |all: &[(&str, &str, f64)]| growth.read(values(all)).get(&member("web1")).copied();
        assert_eq!(read(&[("web1", "a", 1000.0)]), Some(None), "what was before is nobody's business");
        assert_eq!(read(&[("web1", "a", 1007.0)]), Some(Some(7)));
        assert_eq!(read(&[("web1", "a", 1008.0), ("web1", "b", 500.0)]), Some(Some(1)), "b has just begun");
        assert_eq!(read(&[("web1", "a", 1008.0), ("web1", "b", 502.0)]), Some(Some(2)));
        assert_eq!(read(&[("web1", "a", 9.0), ("web1", "b", 503.0)]), Some(None), "a began anew");
        assert_eq!(read(&[("web1", "a", 12.0), ("web1", "b", 503.0)]), Some(Some(3)));
        assert_eq!(read(&[]), None, "absent is not nought");
        assert_eq!(read(&[("web1", "a", 90.0)]), Some(None));
        assert_eq!(read(&[("web1", "a", -1.0)]), Some(None));
    }

    #[test]
    fn fractions_add_up_to_whole_events() {
        let mut growth = Growth::default();
        let mut total = 0;
        for n in 0..=1000 {
            let grown = growth.read(values(&[("web1", "", 0.3 * f64::from(n))]));
            total += grown[&member("web1")].unwrap_or(0);
        }
        assert!((299..=300).contains(&total), "{total}");
        assert_eq!(whole_number(f64::NAN), 0);
        growth.forget();
        assert_eq!(growth.read(values(&[("web1", "", 1e9)]))[&member("web1")], None);
    }
}
