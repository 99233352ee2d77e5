//! A fleet that is made up: how many requests each member gets in a tick and how many fail, from a seed.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::analysis::{
    Alarm, Arm, Baseline, Entry, Judge, Measure, Metric, MetricBaseline, Reading, Role, Seen, Spec, Tick,
    Worse,
};
use andon_core::name::{MemberName, MetricName};
use andon_core::time::Time;

/// Deterministic numbers (Steele, Lea & Flood 2014: SplitMix64).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A Poisson number, by counting.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        let (mut count, mut product) = (0, self.uniform());
        while product > (-mean).exp() && count < 10_000 {
            product *= self.uniform();
            count += 1;
        }
        count
    }
}

pub(crate) fn metric(name: &str, role: Role) -> Metric {
    Metric {
        name: MetricName::new(name).unwrap(),
        measure: Measure::Rate,
        worse: Worse::Higher,
        role,
        weight: 1.0,
        critical: true,
        margin: 1.1,
        negligible: 0.0,
        harm: 2.0,
    }
}

pub(crate) fn member(name: &str) -> MemberName {
    MemberName::new(name).unwrap()
}

/// What history knows of a metric with this rate, when it knows enough.
pub(crate) fn known(rate: f64) -> MetricBaseline {
    MetricBaseline { rate: Some(rate), thin: false, ..MetricBaseline::default() }
}

/// A fleet and its judge.
pub(crate) struct World {
    pub(crate) judge: Judge,
    pub(crate) chance: Chance,
    pub(crate) at: i64,
    /// Milliseconds between ticks.
    pub(crate) tick: i64,
    /// Requests a second of each member.
    pub(crate) load: f64,
    /// Failures of each request on the old release.
    pub(crate) rate: f64,
    pub(crate) canaries: Vec<String>,
    pub(crate) controls: Vec<String>,
    /// How long canaries have served; `None` for ever.
    pub(crate) age: Option<Duration>,
    pub(crate) entries: Vec<Entry>,
}

impl World {
    pub(crate) fn new(spec: Spec, baseline: Baseline, canaries: usize, controls: usize) -> Self {
        let names = |from: usize, count: usize| (from..from + count).map(|n| format!("web{n}")).collect();
        Self {
            judge: Judge::new(spec, baseline),
            chance: Chance(7),
            at: 1_700_000_000_000,
            tick: 5_000,
            load: 50.0,
            rate: 0.001,
            canaries: names(1, canaries),
            controls: names(canaries + 1, controls),
            age: None,
            entries: Vec::new(),
        }
    }

    /// Errors alone, with a known rate of one in a thousand.
    pub(crate) fn errors(canaries: usize, controls: usize) -> Self {
        let spec = Spec::new(vec![metric("errors", Role::Errors)]);
        let baseline = Baseline { metrics: vec![known(0.001)], ..Baseline::default() };
        Self::new(spec, baseline, canaries, controls)
    }

    /// One tick as it comes, with the failure rate of each member by its name and arm.
    pub(crate) fn make(&mut self, rate: impl Fn(&str, Arm) -> f64) -> Tick {
        self.at += self.tick;
        let mut members = BTreeMap::new();
        let arms = self.canaries.iter().map(|n| (n, Arm::Canary));
        for (name, arm) in arms.chain(self.controls.iter().map(|n| (n, Arm::Control))) {
            let requests = self.load * self.tick as f64 / 1000.0;
            let failed = self.chance.poisson(requests * rate(name, arm)).min(requests as u64);
            let readings = vec![Reading::Count { events: failed, of: requests as u64 }];
            let age = if arm == Arm::Canary { self.age } else { None };
            members.insert(member(name), Seen { arm, age, readings, alarms: Vec::new() });
        }
        if let Some(age) = &mut self.age {
            *age += Duration::from_millis(self.tick.unsigned_abs());
        }
        let over = Duration::from_millis(self.tick.unsigned_abs());
        Tick { at: Time(self.at), over, members, silent: Vec::new() }
    }

    pub(crate) fn hear(&mut self, tick: Tick) {
        let entry = Entry::Tick(tick);
        self.judge.apply(&entry);
        self.entries.push(entry);
    }

    /// So many seconds in which the new release fails `times` as often as the old one; until there is a verdict.
    /// Returns the seconds.
    pub(crate) fn run(&mut self, seconds: i64, times: f64) -> i64 {
        let rate = self.rate;
        self.run_with(seconds, |_, arm| if arm == Arm::Canary { rate * times } else { rate })
    }

    pub(crate) fn run_with(&mut self, seconds: i64, rate: impl Fn(&str, Arm) -> f64) -> i64 {
        let begin = self.at;
        while self.at - begin < seconds * 1000 && self.judge.verdict().is_none() {
            let tick = self.make(&rate);
            self.hear(tick);
        }
        (self.at - begin) / 1000
    }

    pub(crate) fn sentence(&self) -> String {
        self.judge.standing().sentence
    }

    pub(crate) fn alarm(tick: &mut Tick, name: &str, alarm: Alarm) {
        tick.members.get_mut(name).unwrap().alarms.push(alarm);
    }
}
