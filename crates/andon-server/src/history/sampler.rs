//! The sampler: asks the balancers of services every few seconds, and keeps what they count as history.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use andon_core::analysis::Reading;
use andon_core::balance::numbers::{Numbers, Sample};
use andon_core::balance::{Counters, FailureKind};
use andon_core::name::{HostName, MemberName, MetricName};
use andon_core::plan::{PlannedPool, Sights};
use andon_core::scope::ScopeName;
use andon_core::time::Time;

use super::row::Row;
use super::{Grain, History, HistoryError};
use crate::clock::Clock;
use crate::controller::Controller;

/// The time between two rounds.
pub const PERIOD: Duration = Duration::from_secs(5);
/// How history calls failed requests out of all requests.
pub const ERRORS: &str = "errors";
const MINUTE: i64 = 60_000;

/// Which balancers to ask for a scope.
#[derive(Debug, Clone)]
pub struct Sampled {
    /// Whose history it is.
    pub scope: ScopeName,
    /// The balancers before its hosts.
    pub pools: Vec<PlannedPool>,
}

/// Keeps the history of scopes.
#[derive(Debug)]
pub struct Sampler {
    scopes: Vec<Gathering>,
}

/// One scope.
#[derive(Debug)]
struct Gathering {
    sampled: Sampled,
    history: History,
    numbers: Numbers,
    last: Option<Time>,
    /// What was gathered of the present minute.
    minute: BTreeMap<HostName, Row>,
    complaint: Option<String>,
}

impl Sampler {
    /// A sampler for some scopes, whose history lies below `data`.
    pub fn new(data: &Path, scopes: Vec<Sampled>) -> Self {
        let gathering = |sampled: Sampled| Gathering {
            history: History::of(data, &sampled.scope),
            sampled,
            numbers: Numbers::default(),
            last: None,
            minute: BTreeMap::new(),
            complaint: None,
        };
        Self { scopes: scopes.into_iter().map(gathering).collect() }
    }

    /// Follows a line that was changed: scopes that are new begin, those that are gone end, and those that stay go on
    /// with their new balancers.
    pub fn follow(&mut self, data: &Path, scopes: Vec<Sampled>) {
        let mut known: BTreeMap<String, Gathering> = std::mem::take(&mut self.scopes)
            .into_iter()
            .map(|gathering| (gathering.sampled.scope.stream(), gathering))
            .collect();
        for sampled in scopes {
            match known.remove(&sampled.scope.stream()) {
                Some(gathering) => self.scopes.push(Gathering { sampled, ..gathering }),
                None => self.scopes.extend(Self::new(data, vec![sampled]).scopes),
            }
        }
    }

    /// Asks for ever. Dropping it ends it; the present minute is lost.
    pub async fn run(mut self, controller: Controller, clock: Clock, mut told: impl FnMut(&str)) {
        let mut pace = tokio::time::interval(PERIOD);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            for sentence in self.round(&controller, clock).await {
                told(&sentence);
            }
        }
    }

    /// Asks all balancers once. What could not be kept is said once, until it changes.
    pub async fn round(&mut self, controller: &Controller, clock: Clock) -> Vec<String> {
        let mut asked = tokio::task::JoinSet::new();
        for (index, gathering) in self.scopes.iter().enumerate() {
            let (controller, pools) = (controller.clone(), gathering.sampled.pools.clone());
            asked.spawn(async move {
                let sights = controller.look(&pools).await;
                (index, clock(), sights)
            });
        }
        let mut told = Vec::new();
        while let Some(answered) = asked.join_next().await {
            let Ok((index, at, sights)) = answered else { continue };
            let Some(gathering) = self.scopes.get_mut(index) else { continue };
            let complaint = gathering.take(at, &sights).err().map(|error| error.to_string());
            if complaint != gathering.complaint {
                told.extend(complaint.clone());
                gathering.complaint = complaint;
            }
        }
        told
    }
}

impl Gathering {
    /// Takes in one look at all balancers.
    fn take(&mut self, at: Time, sights: &Sights) -> Result<(), HistoryError> {
        let samples = self.numbers.read(at, &self.sampled.pools, sights);
        let last = self.last.replace(at);
        let whole = sights.values().all(|sight| match sight {
            Ok(_) => true,
            // A pool that nobody set up yet has nothing to say.
            Err(failure) => failure.kind != FailureKind::Unreachable,
        });
        // Half of a host's balancers would make it look idle.
        if !whole {
            return Ok(());
        }
        let rows = rows(at, &samples);
        self.history.append(Grain::Seconds, &rows)?;
        if last.is_some_and(|last| minute(last) != minute(at)) {
            let full: Vec<Row> = std::mem::take(&mut self.minute).into_values().collect();
            self.history.append(Grain::Minutes, &full)?;
        }
        for row in rows {
            let Ok(host) = HostName::new(row.member.as_str()) else { continue };
            match self.minute.get_mut(&host) {
                Some(known) => known.extend(&row),
                None => drop(self.minute.insert(host, row)),
            }
        }
        Ok(())
    }
}

fn minute(time: Time) -> i64 {
    time.0.div_euclid(MINUTE)
}

/// What one look added for each host, over all of its instances and balancers.
pub(super) fn rows(at: Time, samples: &[Sample]) -> Vec<Row> {
    let mut hosts: BTreeMap<&HostName, (Counters, Duration)> = BTreeMap::new();
    for sample in samples {
        let Some(added) = &sample.added else { continue };
        let sum = hosts.entry(&sample.spot.host).or_default();
        sum.0.merge(&added.counters);
        sum.1 = sum.1.max(added.over);
    }
    let Ok(errors) = MetricName::new(ERRORS) else { return Vec::new() };
    let row = |(host, (counters, over)): (&HostName, (Counters, Duration))| {
        let mut row = Row::new(at, over, MemberName::from(host));
        let reading = Reading::Count { events: counters.failed(), of: counters.tried() };
        row.readings.insert(errors.clone(), reading);
        row.latency = counters.latency;
        row
    };
    hosts.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests;
