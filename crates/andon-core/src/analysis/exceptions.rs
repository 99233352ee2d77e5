//! Exceptions that neither history nor the old release knows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::evidence::{Beat, Mixture, Trial, gains};
use super::roster::{Number, Present};
use super::{Alarm, Arm};

/// So many are told apart; later ones have next to no weight.
const MOST: usize = 64;

/// Longer fingerprints are not heard.
const LONGEST: usize = 256;

/// How much more often than old a new one must have seen it.
const MARGIN: f64 = 1.5;

/// One exception.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Found {
    /// Its place among all that were found, from 1.
    order: u32,
    sample: String,
    times: u64,
    on_control: bool,
    members: BTreeSet<Number>,
    bursts: u32,
    last_burst: Option<u32>,
    bets: Mixture,
}

/// All that were found in this analysis, on either arm.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Exceptions {
    found: BTreeMap<String, Found>,
    /// How many were ever found, those of pulled members included.
    ever: u32,
}

/// The exception that speaks loudest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Loudest {
    /// One occurrence.
    pub(crate) sample: String,
    /// How often it was seen.
    pub(crate) times: u64,
    /// Where.
    pub(crate) members: Vec<Number>,
}

impl Exceptions {
    /// Takes in a tick in which the arms were exposed so much.
    ///
    /// One that is new is as likely to show first on either arm as the arm is exposed. A member counts once in a tick,
    /// however often it cried: what one client makes a hundred times is one thing that happened.
    pub(crate) fn hear(&mut self, present: &[Present<'_>], beat: Beat, exposure: (f64, f64)) {
        let mut cries: BTreeMap<&str, f64> = BTreeMap::new();
        for member in present.iter().filter(|member| member.compared) {
            for alarm in &member.seen.alarms {
                let Alarm::NewException { fingerprint, sample, times } = alarm else { continue };
                if !self.found.contains_key(fingerprint) {
                    if self.found.len() >= MOST || fingerprint.len() > LONGEST {
                        continue;
                    }
                    self.ever = self.ever.saturating_add(1);
                }
                let order = self.ever;
                let found = self.found.entry(fingerprint.clone()).or_insert_with(|| Found {
                    order,
                    sample: sample.chars().take(200).collect(),
                    times: 0,
                    on_control: false,
                    members: BTreeSet::new(),
                    bursts: 0,
                    last_burst: None,
                    bets: Mixture::default(),
                });
                match member.seen.arm {
                    Arm::Control => found.on_control = true,
                    Arm::Canary => {
                        found.times = found.times.saturating_add(u64::from(*times));
                        found.members.insert(member.number);
                        if found.last_burst != Some(beat.burst) {
                            found.last_burst = Some(beat.burst);
                            found.bursts = found.bursts.saturating_add(1);
                        }
                        *cries.entry(fingerprint.as_str()).or_default() += 1.0;
                    }
                }
            }
        }
        for (fingerprint, found) in &mut self.found {
            let x = cries.get(fingerprint.as_str()).copied().unwrap_or(0.0);
            let trial = Trial { a: exposure.0, b: exposure.1, x, y: 0.0 };
            if let Some(gains) = gains(&trial, MARGIN, 1.0) {
                found.bets.add(beat, &gains);
            }
        }
    }

    /// The logarithm of the evidence, without what only one member has seen. The `j`-th exception has the share
    /// `6 / (π² j²)` of the capital, so that all that may yet come have some; one that the old release knows as well
    /// has lost its share.
    pub(crate) fn ln_worse(&self, without: Option<Number>) -> f64 {
        let mut sum = 0.0;
        let mut unused = 1.0;
        for found in self.found.values() {
            let share = 6.0 / (std::f64::consts::PI * f64::from(found.order)).powi(2);
            unused -= share;
            if found.on_control {
                continue;
            }
            let capital = found.bets.ln_capital().min(600.0).exp();
            sum += share * if found.is_told(without) { capital } else { capital.min(1.0) };
        }
        (sum + f64::max(unused, 0.0)).max(f64::MIN_POSITIVE).ln()
    }

    /// The one with the most evidence, when there is any.
    pub(crate) fn loudest(&self) -> Option<Loudest> {
        let told = self.found.values().filter(|found| !found.on_control && found.is_told(None));
        let loudest = told.max_by(|a, b| a.bets.ln_capital().total_cmp(&b.bets.ln_capital()))?;
        Some(Loudest {
            sample: loudest.sample.clone(),
            times: loudest.times,
            members: loudest.members.iter().copied().collect(),
        })
    }

    /// Forgets what a member has seen.
    pub(crate) fn leave_out(&mut self, number: Number) {
        for found in self.found.values_mut() {
            found.members.remove(&number);
        }
        self.found.retain(|_, found| !found.members.is_empty() || found.on_control);
    }
}

impl Found {
    /// Two members have seen it, or one at three times: not a single client, and not a single accident.
    fn is_told(&self, without: Option<Number>) -> bool {
        let members = self.members.iter().filter(|member| Some(**member) != without).count();
        members >= 2 || (members == 1 && self.bursts >= 3)
    }
}
