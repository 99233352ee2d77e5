//! The line: whether it runs, and what it stands for.

use andon_core::cord::{Cord, CordFact, Stop};
use andon_core::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The line. What `reason`, `by` and `since` tell is the oldest stop; `stops` has all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LineAnswer {
    /// `running` or `stopped`.
    pub state: String,
    /// What it stands for.
    pub reason: Option<String>,
    /// Who stopped it.
    pub by: Option<String>,
    /// Since when it is in that state; null when it has never stood.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// Everything that it stands for, the oldest first.
    pub stops: Vec<StopRow>,
    /// What happened to it, the newest first.
    pub changes: Vec<LineChange>,
}

/// One reason for which the line stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StopRow {
    /// Who stopped it.
    pub by: String,
    /// One sentence.
    pub reason: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub since: String,
    /// The deployment that stopped it, where one did.
    pub deployment: Option<u64>,
    /// Its service.
    pub service: Option<String>,
    /// Its environment.
    pub environment: Option<String>,
}

/// One thing that happened to the line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LineChange {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// What: the fact as it is recorded.
    #[schema(value_type = Object)]
    pub what: CordFact,
}

impl From<&Cord> for LineAnswer {
    fn from(cord: &Cord) -> Self {
        let first = cord.stops().first();
        let changes =
            cord.changes().map(|change| LineChange { at: change.at.iso(), what: change.fact.clone() });
        Self {
            state: if cord.is_stopped() { "stopped" } else { "running" }.to_owned(),
            reason: first.map(|stop| stop.reason.clone()),
            by: first.map(|stop| stop.by.to_string()),
            since: cord.since().map(Time::iso),
            stops: cord.stops().iter().map(StopRow::from).collect(),
            changes: changes.collect(),
        }
    }
}

impl From<&Stop> for StopRow {
    fn from(stop: &Stop) -> Self {
        Self {
            by: stop.by.to_string(),
            reason: stop.reason.clone(),
            since: stop.since.iso(),
            deployment: stop.deployment().map(|id| id.0),
            service: stop.scope().map(|scope| scope.service.to_string()),
            environment: stop.scope().map(|scope| scope.environment.to_string()),
        }
    }
}
