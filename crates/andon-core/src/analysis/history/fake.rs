//! Fake canaries: recordings in which nothing was released, to see how often the judge would be wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::recording::{Header, Recording};
use super::super::{Arm, Entry, Seen, Spec, Tick};
use super::{Row, estimate};
use crate::name::MemberName;
use crate::time::Time;

/// Which fake canaries are made of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FakeCanaries {
    /// How many.
    pub count: u32,
    /// How many members are called canaries in each.
    pub canaries: usize,
    /// How long each is.
    #[serde(with = "crate::time::millis")]
    pub window: Duration,
    /// The same seed makes the same ones.
    pub seed: u64,
}

impl FakeCanaries {
    /// Makes them: the earlier half of the rows is what history knew, the later half is judged. None where there are
    /// too few rows or members.
    pub fn make<'a>(self, spec: &'a Spec, rows: &'a [Row]) -> impl Iterator<Item = Recording> + 'a {
        let mut ticks: BTreeMap<Time, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            ticks.entry(row.at).or_default().push(row);
        }
        let first = ticks.keys().next().copied().unwrap_or_default();
        let last = ticks.keys().next_back().copied().unwrap_or_default();
        let middle = first + last.since(first) / 2;
        let baseline = estimate(&spec.metrics, rows, middle);
        let mut names: Vec<&MemberName> = rows.iter().map(|row| &row.member).collect();
        names.sort_unstable();
        names.dedup();
        let room = last.since(middle).saturating_sub(self.window);
        let possible = names.len() > self.canaries && self.canaries > 0 && ticks.len() > 2;
        let mut chance = SplitMix(self.seed);
        (0..if possible { self.count } else { 0 }).map(move |_| {
            let room = u64::try_from(room.as_millis()).unwrap_or(0) + 1;
            let begin = middle + Duration::from_millis(chance.next() % room);
            let canaries = chance.choose(&names, self.canaries);
            let judged = ticks.range(begin..=begin + self.window);
            let mut entries = vec![Entry::Stage { at: begin }];
            entries.extend(judged.map(|(at, rows)| Entry::Tick(tick(*at, rows, &canaries))));
            let header = Header::new(spec.clone(), baseline.clone());
            Recording { header, entries }
        })
    }
}

fn tick(at: Time, rows: &[&Row], canaries: &[&MemberName]) -> Tick {
    let seen = |row: &&Row| {
        let arm = if canaries.contains(&&row.member) { Arm::Canary } else { Arm::Control };
        let seen = Seen { arm, age: None, readings: row.readings.clone(), alarms: Vec::new() };
        (row.member.clone(), seen)
    };
    let over = rows.iter().map(|row| row.over).max().unwrap_or_default();
    Tick { at, over, members: rows.iter().map(seen).collect(), silent: Vec::new() }
}

/// Numbers from a seed (Steele, Lea & Flood 2014, *Fast splittable pseudorandom number generators*).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// So many of all, each as likely as any other.
    fn choose<'a>(&mut self, all: &[&'a MemberName], count: usize) -> Vec<&'a MemberName> {
        let mut rest = all.to_vec();
        (0..count.min(all.len()))
            .map(|_| {
                let index = usize::try_from(self.next() % rest.len() as u64).unwrap_or(0);
                rest.swap_remove(index)
            })
            .collect()
    }
}
