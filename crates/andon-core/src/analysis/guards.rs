//! Hard guards: what needs no statistics, from the first second on, also while instances are warming up.
//!
//! They say which members are beyond doubt; whether that is a bad host or a bad release is decided elsewhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::roster::{Number, Present};
use super::{Alarm, Arm, Reading};
use crate::quantity::format_duration;

/// How long the same alarm on the other arm counts against blaming the release.
const SHARED_MS: u64 = 60_000;

/// Restarts from which on it is a loop.
const LOOP: u32 = 2;

/// Requests that must have been seen, or expected, before their outcome is gross.
const REQUESTS: f64 = 20.0;

/// Failed requests that make a gross fault, together with their share: one burst of a single client is not enough.
const FAILURES: f64 = 20.0;

/// Requests a second of the control group from which on "no success at all" means something.
const LIVELY: f64 = 20.0;

/// Kinds of gross trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Kind {
    Restarts,
    Unhealthy,
    OutOfMemory,
    Silent,
    Exhausting,
    Disk,
    Errors,
    NoSuccess,
}

/// A member that is beyond doubt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gross {
    /// Which.
    pub(crate) number: Number,
    /// What was seen, as the end of a sentence that begins with its name.
    pub(crate) why: String,
}

/// Ticks in a row.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Streak {
    ticks: u32,
    ms: u64,
    events: u64,
    of: u64,
    expected: f64,
}

impl Streak {
    /// Counts a tick in which a third of all requests failed, and ends with one in which fewer than a sixth did. Where half
    /// of all fail, and failures come in bursts, chance leaves fewer than half in every other tick; what is between says
    /// nothing.
    fn fail(&mut self, (events, of): (u64, u64), step: u64) {
        if of == 0 {
            return;
        }
        let (events, all) = (events.min(of), u128::from(of));
        if 6 * u128::from(events) < all {
            *self = Self::default();
            return;
        }
        self.ticks = self.ticks.saturating_add(u32::from(3 * u128::from(events) >= all));
        self.ms = self.ms.saturating_add(step);
        self.events = self.events.saturating_add(events);
        self.of = self.of.saturating_add(of);
    }
}

/// What is remembered of a member.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Memory {
    restarts: u32,
    failing: Streak,
    barren: Streak,
    served: bool,
}

/// All that the guards remember.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Guards {
    members: BTreeMap<Number, Memory>,
    /// Alarms of the last minute: the kind, the member, its arm, and when.
    alarms: Vec<(Kind, Number, Arm, u64)>,
    /// Failed and all requests of the control group in this tick and the one before.
    control: [(u64, u64); 2],
    /// Ticks in a row in which most requests to the control group failed.
    control_failing: Streak,
}

/// What the guards know of a tick besides its members.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The judge's clock.
    pub(crate) now: u64,
    /// How long the tick was.
    pub(crate) step: u64,
    /// Which reading is failed requests out of requests.
    pub(crate) errors: Option<usize>,
}

impl Guards {
    /// Takes in a tick; says which canaries are beyond doubt.
    pub(crate) fn hear(&mut self, present: &[Present<'_>], moment: Moment) -> Vec<Gross> {
        self.alarms.retain(|(.., at)| moment.now.saturating_sub(*at) <= SHARED_MS);
        let mut gross = Vec::new();
        let controls = present.iter().filter(|member| member.seen.arm == Arm::Control).count();
        self.hear_control(present, moment);
        let lively = self.liveliness(moment, controls);
        for member in present {
            for alarm in &member.seen.alarms {
                if let Some((kind, why)) = self.weigh(member, alarm) {
                    self.alarms.retain(|(k, n, ..)| (*k, *n) != (kind, member.number));
                    self.alarms.push((kind, member.number, member.seen.arm, moment.now));
                    gross.push((kind, member.number, why));
                }
            }
            if member.seen.arm == Arm::Canary
                && let Some((kind, why)) = self.requests(member, moment, lively)
            {
                gross.push((kind, member.number, why));
            }
        }
        let canaries = present.iter().filter(|member| member.seen.arm == Arm::Canary).count();
        let blamed = |number: Number| {
            present.iter().any(|m| m.number == number && m.seen.arm == Arm::Canary && !m.suspected)
        };
        gross
            .into_iter()
            .filter(|(kind, number, _)| blamed(*number) && !self.is_shared(*kind, canaries, controls))
            .map(|(_, number, why)| Gross { number, why })
            .collect()
    }

    /// Whether the control group has the same trouble, at least half as often: then it is not the release.
    fn is_shared(&self, kind: Kind, canaries: usize, controls: usize) -> bool {
        let count = |arm: Arm| self.alarms.iter().filter(|(k, _, a, _)| (*k, *a) == (kind, arm)).count();
        let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
        let old = share(count(Arm::Control), controls);
        old > 0.0 && old >= 0.5 * share(count(Arm::Canary), canaries).min(1.0)
    }

    /// What an alarm means, when it is gross.
    fn weigh(&mut self, member: &Present<'_>, alarm: &Alarm) -> Option<(Kind, String)> {
        match alarm {
            Alarm::Restarted { times, how } => {
                let memory = self.members.entry(member.number).or_default();
                memory.restarts = memory.restarts.saturating_add(*times);
                let all = memory.restarts;
                (all >= LOOP)
                    .then(|| (Kind::Restarts, format!("ended and was started again {all} times: {how}")))
            }
            Alarm::Unhealthy { why } => Some((Kind::Unhealthy, format!("fails its health check: {why}"))),
            Alarm::OutOfMemory => Some((Kind::OutOfMemory, "was ended by the kernel for its memory".into())),
            Alarm::Silent { span } if span.as_secs() >= 5 => {
                Some((Kind::Silent, format!("has not been heard for {}", format_duration(*span))))
            }
            Alarm::Exhausting { what, within } if within.as_secs() < 600 => Some((
                Kind::Exhausting,
                format!("reaches its limit of {what} in {} at its present growth", format_duration(*within)),
            )),
            Alarm::DiskLow { free_percent } if *free_percent < 5 => {
                Some((Kind::Disk, format!("has {free_percent} % of its disk free")))
            }
            _ => None,
        }
    }

    fn hear_control(&mut self, present: &[Present<'_>], moment: Moment) {
        let mut sum = (0_u64, 0_u64);
        for member in present.iter().filter(|member| member.seen.arm == Arm::Control) {
            if let Some((events, of)) = requests_of(member, moment.errors) {
                sum = (sum.0.saturating_add(events), sum.1.saturating_add(of));
            }
        }
        self.control = [self.control[1], sum];
        lengthen(&mut self.control_failing, sum, moment.step, is_mostly);
    }

    /// Whether most requests to the control group fail: there is nothing to compare with.
    pub(crate) fn control_is_broken(&self) -> Option<(u64, u64)> {
        let streak = self.control_failing;
        (streak.ticks >= 2 && streak.of as f64 >= REQUESTS).then_some((streak.events, streak.of))
    }

    /// Whether half of the control group is sick by what its members say.
    pub(crate) fn sick_controls(&self, controls: usize) -> bool {
        let sick = |kind: &Kind| matches!(kind, Kind::Unhealthy | Kind::Silent | Kind::Restarts);
        let mut numbers: Vec<Number> = self
            .alarms
            .iter()
            .filter(|(kind, _, arm, _)| *arm == Arm::Control && sick(kind))
            .map(|(_, number, ..)| *number)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        controls > 0 && 2 * numbers.len() >= controls
    }

    /// Requests a second of each control, where the control group is lively and healthy.
    fn liveliness(&self, moment: Moment, controls: usize) -> Option<f64> {
        let (failed, of) = self.control[1];
        let rate = (of.saturating_sub(failed)) as f64 * 1000.0 / moment.step.max(1) as f64;
        (rate > LIVELY && controls > 0).then(|| rate / controls as f64)
    }

    /// The failed share of requests to the control group, in this tick and the one before.
    fn control_share(&self) -> f64 {
        let failed = self.control[0].0.saturating_add(self.control[1].0);
        let of = self.control[0].1.saturating_add(self.control[1].1);
        if of == 0 { 0.0 } else { failed as f64 / of as f64 }
    }

    /// Gross trouble in the requests of one canary: most fail, or none succeed.
    fn requests(
        &mut self,
        member: &Present<'_>,
        moment: Moment,
        lively: Option<f64>,
    ) -> Option<(Kind, String)> {
        let (failed, of) = requests_of(member, moment.errors)?;
        let share = self.control_share();
        let memory = self.members.entry(member.number).or_default();
        memory.failing.fail((failed, of), moment.step);
        let barren = of.saturating_sub(failed) == 0;
        match lively {
            Some(rate) if barren => {
                lengthen(&mut memory.barren, (failed, of), moment.step, |_, _| true);
                memory.barren.ticks += u32::from(of == 0);
                memory.barren.ms += if of == 0 { moment.step } else { 0 };
                memory.barren.expected += rate * moment.step as f64 / 1000.0;
            }
            _ => memory.barren = Streak::default(),
        }
        let memory = *memory;
        if !barren && let Some(memory) = self.members.get_mut(&member.number) {
            memory.served = true;
        }
        let Streak { ticks, ms, events, of, .. } = memory.failing;
        let span = |ms| format_duration(std::time::Duration::from_millis(ms));
        if ticks >= 2 && events as f64 >= FAILURES && share < 0.05 {
            let percent = 100.0 * events as f64 / of as f64;
            let why = format!("failed {events} of {of} requests in {} ({percent:.0} %)", span(ms));
            return Some((Kind::Errors, why));
        }
        let barren = memory.barren;
        // Without any request it may be the balancer that keeps away; what has served before and stops has hung.
        let hung = memory.served && member.compared && barren.expected >= REQUESTS;
        let failed = barren.of > 0 && barren.of as f64 >= REQUESTS.min(barren.expected);
        (barren.ticks >= 2 && (hung || failed) && share < 0.05).then(|| {
            let why = format!(
                "has answered none of {} requests in {}, of about {:.0} that an old instance answers",
                barren.of,
                span(barren.ms),
                barren.expected
            );
            (Kind::NoSuccess, why)
        })
    }
}

fn is_mostly(events: u64, of: u64) -> bool {
    events >= of.saturating_sub(events)
}

/// Counts a tick into a streak, or ends it. A tick without opportunities does neither.
fn lengthen(streak: &mut Streak, (events, of): (u64, u64), step: u64, goes_on: fn(u64, u64) -> bool) {
    if of == 0 {
        return;
    }
    if goes_on(events.min(of), of) {
        streak.ticks = streak.ticks.saturating_add(1);
        streak.ms = streak.ms.saturating_add(step);
        streak.events = streak.events.saturating_add(events.min(of));
        streak.of = streak.of.saturating_add(of);
    } else {
        *streak = Streak::default();
    }
}

fn requests_of(member: &Present<'_>, errors: Option<usize>) -> Option<(u64, u64)> {
    match member.seen.readings.get(errors?).copied() {
        Some(Reading::Count { events, of }) => Some((events, of)),
        _ => None,
    }
}
