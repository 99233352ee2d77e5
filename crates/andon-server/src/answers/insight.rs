//! What is known of deployments and hosts as a whole.

use andon_core::chronicle::dna::{Runs, Standing, Strand, Strip};
use andon_core::chronicle::dora::{Measures, Spread};
use andon_core::chronicle::{OutcomeCounts, Span};
use andon_core::name::HostName;
use andon_core::time::Time;
use serde::Serialize;
use utoipa::ToSchema;

/// Some durations.
#[derive(Debug, Serialize, ToSchema)]
pub struct DurationSpread {
    /// How many there were.
    pub count: u32,
    /// Half of them took no longer, in seconds.
    pub median: f64,
    /// Nine of ten took no longer, in seconds.
    pub p90: f64,
}

/// The four keys of DORA over one span.
#[derive(Debug, Serialize, ToSchema)]
pub struct FourKeys {
    /// The beginning of the span.
    #[schema(format = DateTime)]
    pub from: String,
    /// Its end.
    #[schema(format = DateTime)]
    pub until: String,
    /// Deployments that succeeded.
    pub deployments: u32,
    /// Lead time for changes; absent where none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_time: Option<DurationSpread>,
    /// Releases that served, of which no commit is known.
    pub lead_time_unknown: u32,
    /// Deployments that users met.
    pub met_by_users: u32,
    /// Failures that went further than the first wave.
    pub failures: u32,
    /// Failures that the first wave caught.
    pub failures_caught: u32,
    /// Failures that no user met.
    pub failures_unmet: u32,
    /// The share of `failures` in `met_by_users`, 0 to 1; absent where users met nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_rate: Option<f64>,
    /// How long failures lasted that went further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<DurationSpread>,
    /// How long those lasted that the first wave caught.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_caught: Option<DurationSpread>,
    /// Failures that nothing has put right yet.
    pub open: u32,
}

/// The four keys of one service.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceKeys {
    /// The service.
    pub service: String,
    /// Its keys.
    pub keys: FourKeys,
}

/// What one of the keys means.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyDefinition {
    /// Its name.
    pub name: String,
    /// What is counted.
    pub definition: String,
}

/// The four keys of DORA.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoraAnswer {
    /// The environment that is measured; absent for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The service that is measured; absent for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Over the span.
    pub now: FourKeys,
    /// Over the span before, which is as long.
    pub before: FourKeys,
    /// The span in equal parts, the oldest first.
    pub parts: Vec<FourKeys>,
    /// Service by service.
    pub services: Vec<ServiceKeys>,
    /// What is counted.
    pub definitions: Vec<KeyDefinition>,
}

/// How the deployments of one day came out.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayAnswer {
    /// When the day begins.
    #[schema(format = DateTime)]
    pub from: String,
    /// When the next one begins.
    #[schema(format = DateTime)]
    pub until: String,
    /// They succeeded.
    pub succeeded: u32,
    /// They were put back.
    pub rolled_back: u32,
    /// They failed, and were not put back everywhere.
    pub failed: u32,
    /// A person stopped them.
    pub aborted: u32,
    /// They ended before anything was touched.
    pub cancelled: u32,
    /// They have not ended.
    pub under_way: u32,
    /// This program does not know how they ended.
    pub unknown: u32,
}

/// Hosts that run the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct StrandAnswer {
    /// The releases that they run; none where nothing runs or nothing is known, several where their instances differ.
    pub releases: Vec<String>,
    /// `ahead`, `current`, `behind`, `strange`, `mixed`, `nothing`, `empty` or `unknown`.
    pub standing: String,
    /// Releases that came after it, up to the current one.
    pub steps_behind: u32,
    /// The deployment that first brought the release here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<u64>,
    /// When that was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// The commit of the release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The hosts, in the order of the line.
    pub hosts: Vec<String>,
}

/// What the hosts of one service in one environment really run.
#[derive(Debug, Serialize, ToSchema)]
pub struct StripAnswer {
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// What they should run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// When they were asked; absent when they were not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub asked: Option<String>,
    /// The newest release first, then what has no age, then the unknown.
    pub strands: Vec<StrandAnswer>,
}

/// One service on a host.
#[derive(Debug, Serialize, ToSchema)]
pub struct HostService {
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The releases that run, as in [`StrandAnswer`].
    pub releases: Vec<String>,
    /// How that stands to what should run, as in [`StrandAnswer`].
    pub standing: String,
    /// Instances that run and are healthy; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<usize>,
    /// All instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<usize>,
    /// Why it is out of traffic; absent where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
}

/// One host.
#[derive(Debug, Serialize, ToSchema)]
pub struct HostAnswer {
    /// Its name.
    pub host: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// When it answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub answered: Option<String>,
    /// Why it did not answer when it was asked last; absent when it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<String>,
    /// What it runs.
    pub services: Vec<HostService>,
}

impl FourKeys {
    /// The keys of a span.
    pub fn of(span: Span, measures: &Measures) -> Self {
        Self {
            from: span.from.iso(),
            until: span.until.iso(),
            deployments: measures.deployments,
            lead_time: measures.lead.map(DurationSpread::from),
            lead_time_unknown: measures.lead_unknown,
            met_by_users: measures.met,
            failures: measures.failed,
            failures_caught: measures.caught,
            failures_unmet: measures.unmet,
            failure_rate: measures.failure_rate(),
            restore: measures.restore.map(DurationSpread::from),
            restore_caught: measures.restore_caught.map(DurationSpread::from),
            open: measures.open,
        }
    }
}

impl From<Spread> for DurationSpread {
    fn from(spread: Spread) -> Self {
        Self { count: spread.count, median: spread.median.as_secs_f64(), p90: spread.p90.as_secs_f64() }
    }
}

impl DayAnswer {
    /// The counts of a day.
    pub fn of(from: Time, until: Time, counts: &OutcomeCounts) -> Self {
        Self {
            from: from.iso(),
            until: until.iso(),
            succeeded: counts.succeeded,
            rolled_back: counts.rolled_back,
            failed: counts.failed,
            aborted: counts.aborted,
            cancelled: counts.cancelled,
            under_way: counts.under_way,
            unknown: counts.unknown,
        }
    }
}

impl StripAnswer {
    /// What the hosts of a scope said at that moment.
    pub fn of(strip: &Strip, asked: Option<Time>) -> Self {
        Self {
            service: strip.scope.service.to_string(),
            environment: strip.scope.environment.to_string(),
            current: strip.current.as_ref().map(ToString::to_string),
            asked: asked.map(Time::iso),
            strands: strip.strands.iter().map(StrandAnswer::from).collect(),
        }
    }
}

impl From<&Strand> for StrandAnswer {
    fn from(strand: &Strand) -> Self {
        Self {
            releases: releases(&strand.runs),
            standing: standing(strand.standing),
            steps_behind: strand.steps_behind,
            deployment: strand.since.map(|(id, _)| id.0),
            since: strand.since.map(|(_, at)| at.iso()),
            commit: strand.revision.as_ref().map(|revision| revision.commit.clone()),
            hosts: strand.hosts.iter().map(HostName::to_string).collect(),
        }
    }
}

/// The releases of what runs.
pub(crate) fn releases(runs: &Runs) -> Vec<String> {
    match runs {
        Runs::Release(release) => vec![release.to_string()],
        Runs::Mixed(releases) => releases.iter().map(ToString::to_string).collect(),
        Runs::Foreign | Runs::Nothing | Runs::Unknown => Vec::new(),
    }
}

/// A standing as a word for programs.
pub(crate) fn standing(standing: Standing) -> String {
    standing.slug().to_owned()
}
