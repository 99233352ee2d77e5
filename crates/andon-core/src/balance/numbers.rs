//! The numbers of every instance: what balancers of all kinds have counted, as one stream of samples.
//!
//! Readings in, samples out. A source that begins anew, a log that is rotated and a balancer that is silent for a
//! while cost at most what was counted in between; nothing is ever counted twice. Only the recent past is kept.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Counters, Meter, Server, ServerSight, ServerState};
use crate::name::{HostName, ServerName};
use crate::plan::{PlannedPool, Sights};
use crate::time::Time;

pub use flow::{Flow, Rates};

mod flow;

/// How far back single seconds are kept.
const FINE: Duration = Duration::from_secs(30);
/// The length of what is kept beyond that.
const COARSE: Duration = Duration::from_secs(15);
/// How far back anything is kept.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);

/// One running copy of a service, however its balancers call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// Where it runs.
    pub host: HostName,
    /// The port that it listens on.
    pub port: u16,
}

/// What one balancer said of one server in one reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When it was read.
    pub at: Time,
    /// The pool, as people call it.
    pub pool: String,
    /// The server's name in it.
    pub server: ServerName,
    /// The instance behind it.
    pub spot: Spot,
    /// Whether it gets traffic.
    pub state: ServerState,
    /// Its share in hundredths of its full weight.
    pub weight: u8,
    /// Sessions or requests under way; `None` where this balancer cannot tell.
    pub sessions: Option<u64>,
    /// Requests that wait for it.
    pub queued: u64,
    /// What was counted since the reading before; `None` in the first one, and where nothing is counted.
    pub added: Option<Added>,
}

/// What was counted between two readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Added {
    /// What.
    pub counters: Counters,
    /// The time between them: longer than usual when the balancer was silent, and nought when the clock was set
    /// back.
    pub over: Duration,
}

/// The numbers of all instances of a service.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    series: BTreeMap<(String, ServerName), Series>,
    /// Time as the sum of all steps forward: a clock that is set back ages nothing and hurts nothing.
    elapsed: Duration,
    last: Option<Time>,
}

/// One server in one pool.
#[derive(Debug, Clone)]
struct Series {
    meter: Meter,
    /// When it counted last.
    counted: Option<Duration>,
    latest: Sample,
    fine: VecDeque<Slot>,
    coarse: VecDeque<Slot>,
}

/// What was counted in a stretch of time.
#[derive(Debug, Clone)]
struct Slot {
    end: Duration,
    added: Added,
}

impl Numbers {
    /// Takes in what all `pools` said at `at`. A pool that did not answer gives no sample; the next one says how long
    /// it was silent. Servers that are in none of the pools any more are forgotten.
    pub fn read(&mut self, at: Time, pools: &[PlannedPool], sights: &Sights) -> Vec<Sample> {
        self.elapsed += self.last.map_or(Duration::ZERO, |last| at.since(last));
        self.last = Some(at);
        let mut kept = BTreeMap::new();
        let mut samples = Vec::new();
        for planned in pools {
            let name = planned.pool.name();
            let sight = sights.get(&name).and_then(|sight| sight.as_ref().ok());
            for server in &planned.pool.servers {
                let key = (name.clone(), server.name.clone());
                let known = self.series.remove(&key);
                let seen = sight.and_then(|sight| sight.servers.get(&server.name));
                let series = match (known, seen) {
                    (known, Some(seen)) => {
                        let series =
                            Series::after(known, self.elapsed, sample(at, &name, server, seen), seen);
                        samples.push(series.latest.clone());
                        series
                    }
                    (Some(silent), None) => silent,
                    (None, None) => continue,
                };
                kept.insert(key, series);
            }
        }
        self.series = kept;
        samples
    }

    /// The newest sample of every server in every pool; one whose pool is silent keeps its last.
    pub fn latest(&self) -> impl Iterator<Item = &Sample> {
        self.series.values().map(|series| &series.latest)
    }

    /// All that was counted of the wanted instances since their first readings: it only grows.
    pub fn total(&self, wanted: impl Fn(&Spot) -> bool) -> Counters {
        let mut total = Counters::default();
        for series in self.series.values().filter(|series| wanted(&series.latest.spot)) {
            total.merge(series.meter.total());
        }
        total
    }

    /// The same for every host, with all of its instances.
    pub fn totals(&self) -> BTreeMap<HostName, Counters> {
        let mut totals: BTreeMap<HostName, Counters> = BTreeMap::new();
        for series in self.series.values().filter(|series| series.counted.is_some()) {
            totals.entry(series.latest.spot.host.clone()).or_default().merge(series.meter.total());
        }
        totals
    }

    /// What went through the wanted instances in the last `span`, summed over all pools; at most [`WINDOW`] back.
    /// `None` where nothing was counted in it: that is not the same as no traffic.
    pub fn flow(&self, span: Duration, wanted: impl Fn(&Spot) -> bool) -> Option<Flow> {
        let mut flows = self.flows(span).into_iter().filter(|(spot, _)| wanted(spot)).map(|(_, flow)| flow);
        let mut sum = flows.next()?;
        flows.for_each(|flow| sum.merge(&flow));
        Some(sum)
    }

    /// The same for each instance by itself; those are absent of which nothing was counted.
    pub fn flows(&self, span: Duration) -> BTreeMap<Spot, Flow> {
        let since = self.elapsed.saturating_sub(span);
        let mut flows: BTreeMap<Spot, Flow> = BTreeMap::new();
        for series in self.series.values() {
            if let Some(flow) = series.flow(since) {
                flows.entry(series.latest.spot.clone()).or_default().merge(&flow);
            }
        }
        flows
    }
}

fn sample(at: Time, pool: &str, server: &Server, seen: &ServerSight) -> Sample {
    Sample {
        at,
        pool: pool.to_owned(),
        server: server.name.clone(),
        spot: Spot { host: server.host.clone(), port: server.port },
        state: seen.state.clone(),
        weight: seen.weight,
        sessions: seen.sessions,
        queued: seen.queued,
        added: None,
    }
}

impl Series {
    /// `known` with one more sample at the moment `now`.
    fn after(known: Option<Self>, now: Duration, latest: Sample, seen: &ServerSight) -> Self {
        let mut series = match known {
            Some(series) => Self { latest, ..series },
            None => Self {
                meter: Meter::default(),
                counted: None,
                latest,
                fine: VecDeque::new(),
                coarse: VecDeque::new(),
            },
        };
        if let Some(reading) = &seen.counters {
            let counters = series.meter.read(reading.clone());
            if let Some(before) = series.counted.replace(now) {
                let added = Added { counters, over: now.saturating_sub(before) };
                series.latest.added = Some(added.clone());
                add(&mut series.fine, Duration::from_secs(1), Slot { end: now, added });
            }
        }
        series.age(now);
        series
    }

    fn age(&mut self, now: Duration) {
        let old = |slots: &VecDeque<Slot>, age| slots.front().is_some_and(|slot| slot.end + age <= now);
        while old(&self.fine, FINE) {
            if let Some(slot) = self.fine.pop_front() {
                add(&mut self.coarse, COARSE, slot);
            }
        }
        while old(&self.coarse, WINDOW) {
            self.coarse.pop_front();
        }
    }

    fn flow(&self, since: Duration) -> Option<Flow> {
        let mut slots =
            self.coarse.iter().chain(&self.fine).filter(|slot| slot.end > since).map(|slot| &slot.added);
        let mut sum = slots.next()?.clone();
        for added in slots {
            sum.counters.merge(&added.counters);
            sum.over += added.over;
        }
        Some(Flow::of(sum))
    }
}

/// Adds a slot to those before it. Within the same stretch of `length` the two become one.
fn add(slots: &mut VecDeque<Slot>, length: Duration, slot: Slot) {
    let stretch = |end: Duration| end.as_millis() / length.as_millis().max(1);
    match slots.back_mut() {
        Some(last) if stretch(last.end) == stretch(slot.end) => {
            last.end = slot.end;
            last.added.over += slot.added.over;
            last.added.counters.merge(&slot.added.counters);
        }
        _ => slots.push_back(slot),
    }
}

#[cfg(test)]
mod tests;
