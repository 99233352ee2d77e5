//! The four keys of DORA, of what a chronicle knows. What each counts stands in [`Key::definition`], once, for pages and
//! programs; the reasons are in `docs/design/measures.md`.
//!
//! A safer line sees more failures early: what its first wave caught is counted apart from what went further, else it would
//! look worse than one that does not look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Chronicle, Outcome, Row, Span};
use crate::deployment::{DeploymentId, Kind};
use crate::name::{EnvironmentName, ServiceName};
use crate::scope::ScopeName;
use crate::time::Time;

/// One of the four keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// How often a change reaches its users.
    Frequency,
    /// How long a change takes to get there.
    LeadTime,
    /// How many changes hurt.
    FailureRate,
    /// How long it hurts.
    Restore,
}

impl Key {
    /// All of them, in their usual order.
    pub const ALL: [Self; 4] = [Self::Frequency, Self::LeadTime, Self::FailureRate, Self::Restore];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frequency => "Deployment frequency",
            Self::LeadTime => "Lead time for changes",
            Self::FailureRate => "Change failure rate",
            Self::Restore => "Time to restore",
        }
    }

    /// What is counted here.
    pub fn definition(self) -> &'static str {
        match self {
            Self::Frequency => {
                "Deployments of kind deploy that succeeded, by the moment at which they ended, divided by the days of the \
                 span. Rollbacks are not counted."
            }
            Self::LeadTime => {
                "From the time of the commit that a release was made of to the moment at which it served on every host that \
                 it was meant for. Of deployments that succeeded, the first of each release in each environment; those \
                 whose commit is not known are left out, and their number is said."
            }
            Self::FailureRate => {
                "Of the deployments of kind deploy that users met, the share that had to be put right: rolled back, failed, \
                 undone by a rollback that somebody asked for, or mended by a later deployment that says --fixes. Failures \
                 that the first wave caught are counted apart; those that no user met are in neither number."
            }
            Self::Restore => {
                "From the moment at which a failure was seen (its verdict, or the order to go back) to the moment at which \
                 every touched host ran a good release again. What the first wave caught is counted apart; failures whose \
                 beginning is not recorded are left out, and their number is said."
            }
        }
    }
}

/// How far a failure got before it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// No user met it: its tests failed while the hosts had no traffic.
    NoUser,
    /// Only hosts of the first wave, and there were further ones.
    FirstWave,
    /// Further; also where it is not recorded how far.
    Further,
}

#[derive(Debug, Clone)]
struct Served {
    scope: Arc<ScopeName>,
    at: Time,
    /// Only the first time that the release served there.
    first: bool,
    lead: Option<Duration>,
}

#[derive(Debug, Clone)]
struct Tried {
    id: DeploymentId,
    scope: Arc<ScopeName>,
    at: Time,
    failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy)]
struct Failure {
    reach: Reach,
    seen: Option<Time>,
    restored: Option<Time>,
}

/// All that the four keys are computed from: made once of a chronicle, then asked for as many spans as are wanted.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    served: Vec<Served>,
    tried: Vec<Tried>,
}

/// The middle of some durations, and what nine of ten do not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// How many there were.
    pub count: u32,
    /// Half of them took no longer.
    pub median: Duration,
    /// Nine of ten took no longer.
    pub p90: Duration,
}

/// The four keys over one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measures {
    /// Deployments that succeeded.
    pub deployments: u32,
    /// Lead times; `None` where none is known.
    pub lead: Option<Spread>,
    /// Releases that served, of which no commit is known.
    pub lead_unknown: u32,
    /// Deployments that users met.
    pub met: u32,
    /// Failures that went further than the first wave.
    pub failed: u32,
    /// Failures that the first wave caught.
    pub caught: u32,
    /// Failures that no user met.
    pub unmet: u32,
    /// How long failures lasted that went further; `None` where there was none that ended.
    pub restore: Option<Spread>,
    /// How long those lasted that the first wave caught.
    pub restore_caught: Option<Spread>,
    /// Failures of which it is not recorded when they were seen.
    pub restore_unknown: u32,
    /// Failures that nothing has put right yet.
    pub open: u32,
}

impl Measures {
    /// The share of failures that went further, 0 to 1; `None` where users met nothing.
    pub fn failure_rate(&self) -> Option<f64> {
        (self.met > 0).then(|| f64::from(self.failed) / f64::from(self.met))
    }

    /// The share of those that the first wave caught.
    pub fn caught_rate(&self) -> Option<f64> {
        (self.met > 0).then(|| f64::from(self.caught) / f64::from(self.met))
    }
}

impl Changes {
    /// What the deployments of a chronicle did, in one environment or in all.
    pub fn of(chronicle: &Chronicle, environment: Option<&EnvironmentName>) -> Self {
        let mut changes = Self::default();
        let mut places: Vec<Option<Place>> = Vec::new();
        for row in chronicle.rows() {
            if places.len() <= row.place() {
                places.resize_with(row.place() + 1, || None);
            }
            if environment.is_some_and(|name| row.scope().environment != *name) {
                continue;
            }
            if let Some(place) = places.get_mut(row.place()) {
                changes.hear(place.get_or_insert_default(), row);
            }
        }
        changes
    }

    fn hear(&mut self, place: &mut Place, row: &Row) {
        let good = row.outcome() == Outcome::Succeeded;
        let course = row.course();
        if let Some(mended) = course.fixes {
            self.put_right(mended, row, place);
        }
        if row.kind() == Kind::Rollback && row.outcome() != Outcome::Cancelled {
            // What somebody goes back from needed it; what was put back already is left as it is.
            let undone = place.newest.take_if(|newest| newest.release != row.release_number());
            if let Some(undone) = undone {
                self.put_right(undone.id, row, place);
            }
        }
        let whole = course.everywhere.or(row.ended()).filter(|_| good);
        if let Some(whole) = whole {
            for open in place.open.drain(..) {
                if let Some(Tried { failure: Some(failure), .. }) = self.tried.get_mut(open) {
                    failure.restored.get_or_insert(whole);
                }
            }
        }
        let Some(ended) = row.ended().filter(|_| row.kind() == Kind::Deploy) else { return };
        if let Some(whole) = whole {
            self.served.push(Served {
                scope: row.shared_scope(),
                at: ended,
                first: place.served.insert(row.release_number()),
                lead: row.revision().map(|revision| whole.since(revision.at)),
            });
        }
        if row.hosts().changed > 0 {
            self.try_out(place, row, ended);
        }
    }

    /// A deployment that changed hosts, and has ended.
    fn try_out(&mut self, place: &mut Place, row: &Row, ended: Time) {
        let course = row.course();
        let failure = row.outcome().is_error().then(|| Failure {
            reach: reach(row),
            seen: course.trouble,
            restored: (row.outcome() == Outcome::RolledBack).then_some(ended),
        });
        if course.exposed == Some(0) && failure.is_none() {
            return;
        }
        if failure.is_some_and(|failure| failure.restored.is_none()) {
            place.open.push(self.tried.len());
        }
        match row.outcome() {
            Outcome::RolledBack => {}
            Outcome::Failed => place.newest = None,
            _ => place.newest = Some(Undoable { id: row.id(), release: row.release_number() }),
        }
        self.tried.push(Tried { id: row.id(), scope: row.shared_scope(), at: ended, failure });
    }

    /// A deployment that went well until somebody went back from it, or mended it with `by`.
    fn put_right(&mut self, id: DeploymentId, by: &Row, place: &mut Place) {
        let Ok(at) = self.tried.binary_search_by_key(&id, |tried| tried.id) else { return };
        let Some(tried) = self.tried.get_mut(at).filter(|tried| tried.failure.is_none()) else { return };
        tried.failure = Some(Failure { reach: Reach::Further, seen: Some(by.accepted()), restored: None });
        place.open.push(at);
    }

    /// The four keys over a span, of all services.
    pub fn measure(&self, span: Span) -> Measures {
        let mut sum = Sum::default();
        self.served.iter().filter(|served| span.holds(served.at)).for_each(|served| sum.serve(served));
        self.tried.iter().filter(|tried| span.holds(tried.at)).for_each(|tried| sum.try_out(tried));
        sum.measures()
    }

    /// The same changes, of one service only.
    pub fn of_service(&self, service: &ServiceName) -> Self {
        let served = self.served.iter().filter(|served| served.scope.service == *service);
        let tried = self.tried.iter().filter(|tried| tried.scope.service == *service);
        Self { served: served.cloned().collect(), tried: tried.cloned().collect() }
    }

    /// The four keys over a span, service by service; one with nothing in the span is left out.
    pub fn by_service(&self, span: Span) -> BTreeMap<ServiceName, Measures> {
        let mut sums: BTreeMap<&ServiceName, Sum> = BTreeMap::new();
        for served in self.served.iter().filter(|served| span.holds(served.at)) {
            sums.entry(&served.scope.service).or_default().serve(served);
        }
        for tried in self.tried.iter().filter(|tried| span.holds(tried.at)) {
            sums.entry(&tried.scope.service).or_default().try_out(tried);
        }
        sums.into_iter().map(|(service, sum)| (service.clone(), sum.measures())).collect()
    }
}

/// How far a failure got.
fn reach(row: &Row) -> Reach {
    let (course, hosts) = (row.course(), row.hosts());
    match (course.exposed, course.canary) {
        (Some(0), _) => Reach::NoUser,
        (_, Some(canary)) if hosts.changed <= canary && canary + hosts.skipped < hosts.total => {
            Reach::FirstWave
        }
        _ => Reach::Further,
    }
}

/// What is kept of a scope while its deployments are gone through, the oldest first.
#[derive(Debug, Default)]
struct Place {
    /// Releases that served there.
    served: BTreeSet<u64>,
    /// The newest deployment that somebody could go back from.
    newest: Option<Undoable>,
    /// Failures that nothing has put right yet, by their place among all that was tried.
    open: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Undoable {
    id: DeploymentId,
    release: u64,
}

/// Measures in the making.
#[derive(Debug, Default)]
struct Sum {
    measures: Measures,
    leads: Vec<Duration>,
    restores: Vec<Duration>,
    caught: Vec<Duration>,
}

impl Sum {
    fn serve(&mut self, served: &Served) {
        self.measures.deployments += 1;
        match served.lead {
            Some(lead) if served.first => self.leads.push(lead),
            None if served.first => self.measures.lead_unknown += 1,
            _ => {}
        }
    }

    fn try_out(&mut self, tried: &Tried) {
        let measures = &mut self.measures;
        let Some(failure) = tried.failure else {
            measures.met += 1;
            return;
        };
        let times = match failure.reach {
            Reach::NoUser => {
                measures.unmet += 1;
                return;
            }
            Reach::FirstWave => {
                measures.caught += 1;
                &mut self.caught
            }
            Reach::Further => {
                measures.failed += 1;
                &mut self.restores
            }
        };
        measures.met += 1;
        match (failure.seen, failure.restored) {
            (Some(seen), Some(restored)) => times.push(restored.since(seen)),
            (None, Some(_)) => measures.restore_unknown += 1,
            (_, None) => measures.open += 1,
        }
    }

    fn measures(self) -> Measures {
        Measures {
            lead: spread(self.leads),
            restore: spread(self.restores),
            restore_caught: spread(self.caught),
            ..self.measures
        }
    }
}

/// Nearest ranks: both are durations that really occurred.
fn spread(mut durations: Vec<Duration>) -> Option<Spread> {
    durations.sort_unstable();
    let rank =
        |tenths: usize| durations.get((durations.len() * tenths).div_ceil(10).checked_sub(1)?).copied();
    Some(Spread {
        count: u32::try_from(durations.len()).unwrap_or(u32::MAX),
        median: rank(5)?,
        p90: rank(9)?,
    })
}

#[cfg(test)]
mod tests;
