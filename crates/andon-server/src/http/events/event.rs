//! One event: a record of the ledger, or how a deployment stands, written as it is sent.

use andon_core::cord::{CordFact, STREAM};
use andon_core::deployment::{Deployment, DeploymentId, Fact, Summary, story};
use andon_core::name::ServiceName;
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use andon_store::Record;
use axum::body::Bytes;
use serde_json::{Value, json};

use crate::answers::{AnalysisAnswer, LineAnswer};
use crate::driver::Progress;
use crate::http::outlet::frame;
use crate::records::{Records, RecordsError};

/// Deployments whose scope is remembered.
const REMEMBERED: usize = 1000;

/// An event, written once for all who hear it.
#[derive(Debug)]
pub(super) struct Event {
    /// The position of its record; none of what is not in the ledger.
    pub(super) position: Option<u64>,
    /// The deployment that it is about.
    pub(super) deployment: Option<u64>,
    /// The service that it is about.
    pub(super) service: Option<ServiceName>,
    /// Whether it is about the line, which concerns everybody.
    pub(super) of_the_line: bool,
    /// As it is sent.
    pub(super) frame: Bytes,
}

/// Makes events of records, and remembers what records of the same stream do not repeat.
#[derive(Debug)]
pub(super) struct Teller {
    records: Records,
    scopes: std::collections::BTreeMap<u64, ScopeName>,
}

impl Teller {
    pub(super) fn new(records: Records) -> Self {
        Self { records, scopes: std::collections::BTreeMap::new() }
    }

    /// The event of a record. Of one that a newer Andon wrote it is only told that it is there.
    pub(super) async fn tell(&mut self, record: &Record) -> Event {
        let told = self.told(record).await;
        told.unwrap_or_else(|_| event("record", record, None, json!({})))
    }

    async fn told(&mut self, record: &Record) -> Result<Event, RecordsError> {
        let number = record.stream.strip_prefix("deployment/").and_then(|number| number.parse::<u64>().ok());
        if let Some(number) = number
            && let Ok(fact) = serde_json::from_value::<Fact>(record.fact.clone())
        {
            let scope = self.scope(number, &fact).await?;
            return Ok(of_deployment(record, number, scope.as_ref(), &fact));
        }
        if record.stream == STREAM
            && let Ok(fact) = serde_json::from_value::<CordFact>(record.fact.clone())
        {
            let cord = self.records.cord().await?.value;
            let more = json!({ "what": fact, "line": LineAnswer::from(&cord) });
            return Ok(Event { of_the_line: true, ..event("line", record, None, more) });
        }
        let mut names = record.stream.splitn(3, '/');
        Ok(match (names.next(), names.next(), names.next()) {
            (Some("scope"), Some(service), Some(environment)) => {
                let more = json!({ "service": service, "environment": environment, "what": record.fact });
                event("scope", record, ServiceName::new(service).ok(), more)
            }
            (Some("telling"), ..) => event("message", record, None, json!({})),
            _ => event("record", record, None, json!({})),
        })
    }

    /// Where a deployment happens: its first fact says so, and its row does later.
    async fn scope(&mut self, number: u64, fact: &Fact) -> Result<Option<ScopeName>, RecordsError> {
        let found = match (fact, self.scopes.get(&number)) {
            (Fact::Accepted { request }, _) => Some(request.scope.clone()),
            (_, Some(known)) => return Ok(Some(known.clone())),
            (_, None) => {
                let row = self.records.ledger().view("deployment", &number.to_string()).await?;
                row.and_then(|body| serde_json::from_value::<Summary>(body).ok()).map(|row| row.scope)
            }
        };
        if let Some(scope) = &found {
            self.scopes.insert(number, scope.clone());
            if self.scopes.len() > REMEMBERED {
                self.scopes.pop_first();
            }
        }
        Ok(found)
    }
}

fn of_deployment(record: &Record, number: u64, scope: Option<&ScopeName>, fact: &Fact) -> Event {
    let mut more = json!({
        "deployment": number,
        "service": scope.map(|scope| &scope.service),
        "environment": scope.map(|scope| &scope.environment),
        "what": story::tell(fact),
    });
    // The name of a fact is the only key of what is recorded of it.
    more["fact"] = match &record.fact {
        Value::Object(fields) => json!(fields.keys().next()),
        other => other.clone(),
    };
    match fact {
        Fact::Entered { state } => more["state"] = json!(state.name()),
        Fact::Host { host, state } => {
            more["host"] = json!(host);
            more["host_state"] = json!(state.name());
        }
        _ => {}
    }
    let service = scope.map(|scope| scope.service.clone());
    Event { deployment: Some(number), ..event("deployment", record, service, more) }
}

fn event(name: &str, record: &Record, service: Option<ServiceName>, mut more: Value) -> Event {
    more["position"] = json!(record.position);
    more["stream"] = json!(record.stream);
    more["seq"] = json!(record.seq);
    more["at"] = json!(record.at.iso());
    more["by"] = json!(record.by);
    let frame = frame(name, Some(record.position), &more.to_string());
    Event { position: Some(record.position), deployment: None, service, of_the_line: false, frame }
}

/// How a deployment that is driven here stands at `now`, as one line of JSON.
pub(super) fn progress(id: DeploymentId, progress: &Progress, now: Time) -> (ServiceName, String) {
    let deployment: &Deployment = &progress.deployment;
    let scope = &deployment.request.scope;
    let data = json!({
        "deployment": id.0,
        "service": scope.service,
        "environment": scope.environment,
        "state": deployment.state.name(),
        "waiting_for": deployment.waiting(now),
        "behind": progress.behind.map(|(id, _)| id.0),
        "hosts": deployment.host_counts(),
        "analysis": progress.standing.as_deref().map(AnalysisAnswer::from),
    });
    (scope.service.clone(), data.to_string())
}
