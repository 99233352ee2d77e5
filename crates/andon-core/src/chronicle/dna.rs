//! Version DNA: for each service, what its hosts really run, ordered by age. What was deployed tells how old a release is;
//! what runs is what the hosts say. A host that does not answer is unknown, whatever it ran before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Chronicle, Outcome};
use crate::deployment::{DeploymentId, Kind};
use crate::host::{HostFacts, InstanceState};
use crate::name::HostName;
use crate::release::{ReleaseId, Revision};
use crate::scope::ScopeName;
use crate::time::Time;
use crate::vitals::{HostVitals, Room};

/// What one host said of one service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sighting {
    /// Its last answer, and when it came.
    pub answer: Option<(Time, HostFacts)>,
    /// How the host was found then, apart from the service.
    pub condition: Option<Condition>,
    /// Why it did not answer when it was asked last, and when that was; `None` when it did.
    pub silence: Option<(Time, String)>,
}

impl Sighting {
    /// What it runs now, as far as that is known.
    pub fn runs(&self) -> Runs {
        match (&self.silence, &self.answer) {
            (None, Some((_, facts))) => Runs::of(facts),
            _ => Runs::Unknown,
        }
    }
}

/// How a host is, whatever runs on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// Since its boot.
    pub uptime: Duration,
    /// Where the service lies.
    pub disk: Option<Room>,
    /// Its memory.
    pub memory: Option<Room>,
    /// Processes that run or want to, as a mean over the last minute.
    pub load: Option<f64>,
    /// Its processors; 0 when unknown.
    pub processors: u32,
}

impl Condition {
    /// What vitals say of the host itself.
    pub fn of(vitals: &HostVitals) -> Self {
        Self {
            uptime: vitals.uptime,
            disk: vitals.disk,
            memory: vitals.memory,
            load: vitals.load,
            processors: vitals.processors,
        }
    }
}

/// What a host runs of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runs {
    /// All of its instances run this release.
    Release(ReleaseId),
    /// Its instances run different ones, or some run nothing. In the order of their names.
    Mixed(Vec<ReleaseId>),
    /// Something runs that is not known to be a release.
    Foreign,
    /// Nothing runs.
    Nothing,
    /// It does not answer, or was not asked yet.
    Unknown,
}

impl Runs {
    fn of(facts: &HostFacts) -> Self {
        let mut releases: Vec<ReleaseId> =
            facts.instances.iter().filter_map(|instance| instance.release.clone()).collect();
        releases.sort();
        releases.dedup();
        let all_known = facts.instances.iter().all(|instance| instance.release.is_some());
        let any_runs = facts.instances.iter().any(|instance| instance.state == InstanceState::Running);
        match (releases.len(), all_known) {
            (1, true) => releases.pop().map_or(Self::Nothing, Self::Release),
            (0, _) if any_runs => Self::Foreign,
            (0, _) => Self::Nothing,
            _ => Self::Mixed(releases),
        }
    }
}

/// How a part of the hosts stands to what they should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// On a release that came after the one they should run: a deployment is under way, or was left there.
    Ahead,
    /// On what they should run.
    Current,
    /// On an older one.
    Behind,
    /// On a release of which no deployment here tells.
    Strange,
    /// On several at once.
    Mixed,
    /// Nothing runs.
    Nothing,
    /// Nothing runs, and nothing should: no deployment ended well here.
    Empty,
    /// They do not answer.
    Unknown,
}

impl Standing {
    /// Whether nobody has to look at it.
    pub fn is_well(self) -> bool {
        matches!(self, Self::Current | Self::Ahead | Self::Empty)
    }

    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ahead => "newer",
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Strange => "never deployed here",
            Self::Mixed => "instances differ",
            Self::Nothing => "nothing runs",
            Self::Empty => "not deployed yet",
            Self::Unknown => "unknown",
        }
    }

    /// What tells it apart without colour.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Current => "✔",
            Self::Ahead => "◐",
            Self::Behind | Self::Strange | Self::Mixed | Self::Nothing => "✘",
            Self::Empty => "○",
            Self::Unknown => "?",
        }
    }

    /// For style sheets.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Strange => "strange",
            Self::Mixed => "mixed",
            Self::Nothing => "nothing",
            Self::Empty => "empty",
            Self::Unknown => "unknown",
        }
    }
}

/// Hosts that run the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Strand {
    /// What they run.
    pub runs: Runs,
    /// How that stands to what they should run.
    pub standing: Standing,
    /// The deployment that first brought the release here, and when it was accepted.
    pub since: Option<(DeploymentId, Time)>,
    /// The commit of the release.
    pub revision: Option<Revision>,
    /// Releases that came after it here, up to the current one; 0 for the current one.
    pub steps_behind: u32,
    /// The hosts, in the order of the line.
    pub hosts: Vec<HostName>,
}

/// What the hosts of one service in one environment run.
#[derive(Debug, Clone, PartialEq)]
pub struct Strip {
    /// Where.
    pub scope: ScopeName,
    /// What they should run.
    pub current: Option<ReleaseId>,
    /// The newest release first, then what has no age, then the unknown.
    pub strands: Vec<Strand>,
}

impl Strip {
    /// All hosts.
    pub fn hosts(&self) -> usize {
        self.strands.iter().map(|strand| strand.hosts.len()).sum()
    }

    /// Hosts that stand like this.
    pub fn standing(&self, standing: Standing) -> usize {
        let alike = self.strands.iter().filter(|strand| strand.standing == standing);
        alike.map(|strand| strand.hosts.len()).sum()
    }

    /// How many different releases run.
    pub fn releases(&self) -> usize {
        self.strands.iter().filter(|strand| matches!(strand.runs, Runs::Release(_))).count()
    }

    /// Whether nothing was ever brought to any of its hosts.
    pub fn was_never_deployed(&self) -> bool {
        !self.strands.is_empty() && self.strands.iter().all(|strand| strand.standing == Standing::Empty)
    }

    /// Whether every host runs what it should.
    pub fn is_uniform(&self) -> bool {
        self.strands.iter().all(|strand| strand.standing == Standing::Current)
    }
}

/// When each release came to a scope first.
#[derive(Debug, Clone, Default)]
pub struct Ages {
    scopes: BTreeMap<ScopeName, BTreeMap<u64, Age>>,
}

#[derive(Debug, Clone)]
struct Age {
    /// Grows with every release that is new here.
    ordinal: u32,
    first: (DeploymentId, Time),
    revision: Option<Arc<Revision>>,
}

impl Ages {
    /// What a chronicle tells of the releases of each scope.
    pub fn of(chronicle: &Chronicle) -> Self {
        let mut places: Vec<(Option<&ScopeName>, BTreeMap<u64, Age>)> = Vec::new();
        for row in chronicle.rows() {
            if row.kind() != Kind::Deploy || row.outcome() == Outcome::Cancelled {
                continue;
            }
            if places.len() <= row.place() {
                places.resize_with(row.place() + 1, || (None, BTreeMap::new()));
            }
            let Some((scope, ages)) = places.get_mut(row.place()) else { continue };
            scope.get_or_insert(row.scope());
            let ordinal = u32::try_from(ages.len()).unwrap_or(u32::MAX);
            ages.entry(row.release_number()).or_insert_with(|| Age {
                ordinal,
                first: (row.id(), row.accepted()),
                revision: row.shared_revision(),
            });
        }
        let named = places.into_iter().filter_map(|(scope, ages)| Some((scope?.clone(), ages)));
        Self { scopes: named.collect() }
    }

    fn age(&self, scope: &ScopeName, release: &ReleaseId) -> Option<&Age> {
        self.scopes.get(scope)?.get(&release.number())
    }
}

/// The strip of one service: `hosts` in the order of the line, with what each said.
pub fn strip<'a>(
    ages: &Ages,
    scope: &ScopeName,
    current: Option<&ReleaseId>,
    hosts: impl IntoIterator<Item = (&'a HostName, Option<&'a Sighting>)>,
) -> Strip {
    let mut alike: BTreeMap<Runs, Vec<HostName>> = BTreeMap::new();
    for (host, sighting) in hosts {
        let runs = sighting.map_or(Runs::Unknown, Sighting::runs);
        alike.entry(runs).or_default().push(host.clone());
    }
    let now = current.and_then(|release| ages.age(scope, release));
    let mut strands: Vec<(u32, Strand)> = alike
        .into_iter()
        .map(|(runs, hosts)| {
            let age = match &runs {
                Runs::Release(release) => ages.age(scope, release),
                _ => None,
            };
            let standing = standing(&runs, current, age, now);
            let behind = now.zip(age).map_or(0, |(now, age)| now.ordinal.saturating_sub(age.ordinal));
            let strand = Strand {
                standing,
                since: age.map(|age| age.first),
                revision: age.and_then(|age| age.revision.as_deref().cloned()),
                steps_behind: if standing == Standing::Behind { behind } else { 0 },
                runs,
                hosts,
            };
            (age.map_or(0, |age| age.ordinal), strand)
        })
        .collect();
    let undated = |strand: &Strand| match strand.standing {
        Standing::Ahead | Standing::Current | Standing::Behind => 0,
        other => 1 + other as u8,
    };
    strands.sort_by(|(a, left), (b, right)| {
        undated(left).cmp(&undated(right)).then(b.cmp(a)).then_with(|| left.runs.cmp(&right.runs))
    });
    let strands = strands.into_iter().map(|(_, strand)| strand).collect();
    Strip { scope: scope.clone(), current: current.cloned(), strands }
}

fn standing(runs: &Runs, current: Option<&ReleaseId>, age: Option<&Age>, now: Option<&Age>) -> Standing {
    match runs {
        Runs::Release(release) if Some(release) == current => Standing::Current,
        Runs::Release(_) => match (age, now) {
            (Some(age), Some(now)) if age.ordinal > now.ordinal => Standing::Ahead,
            (Some(_), Some(_)) => Standing::Behind,
            // Nothing says what should run here: the first deployment is under way.
            (Some(_), None) if current.is_none() => Standing::Ahead,
            _ => Standing::Strange,
        },
        Runs::Mixed(_) => Standing::Mixed,
        Runs::Foreign => Standing::Strange,
        Runs::Nothing if current.is_none() => Standing::Empty,
        Runs::Nothing => Standing::Nothing,
        Runs::Unknown => Standing::Unknown,
    }
}

#[cfg(test)]
mod tests;
