//! What programs read: small, stable objects with times in ISO 8601 and spans in seconds.

use andon_core::analysis::{Standing, Verdict};
use andon_core::cord::Cord;
use andon_core::deployment::{Deployment, Summary};
use andon_core::time::Time;
use serde_json::{Value, json};

use crate::when;

/// One row of `history`.
pub(crate) fn summary(summary: &Summary) -> Value {
    json!({
        "deployment": summary.id.0,
        "service": summary.scope.service,
        "environment": summary.scope.environment,
        "kind": summary.kind,
        "release": summary.release,
        "from": summary.from,
        "revision": summary.revision,
        "by": summary.by,
        "why": summary.why,
        "state": summary.state,
        "reason": summary.reason,
        "accepted": when::iso(summary.accepted),
        "started": summary.started.map(when::iso),
        "ended": summary.ended.map(when::iso),
        "seconds": seconds(summary),
        "hosts": summary.hosts,
    })
}

/// What the analysis said last.
fn analysis(standing: &Standing) -> Value {
    json!({
        "verdict": standing.verdict.map(Verdict::name),
        "status": standing.status.name(),
        "sentence": standing.sentence,
        "at": when::iso(standing.at),
        "suspects": standing.suspects,
        "metrics": standing.metrics,
    })
}

fn seconds(summary: &Summary) -> Option<f64> {
    Some(when::seconds(summary.ended?.since(summary.started.unwrap_or(summary.accepted))))
}

/// One deployment with its hosts.
pub(crate) fn deployment(deployment: &Deployment, now: Time) -> Value {
    let hosts: Vec<Value> = deployment
        .hosts
        .iter()
        .map(|(name, run)| {
            json!({
                "host": name,
                "state": run.state.name(),
                "since": when::iso(run.since),
                "wave": deployment.wave_of(name).map(|wave| wave + 1),
                "changed": run.touched,
                "serving": run.serving,
                "why": run.trouble(),
            })
        })
        .collect();
    let mut value = summary(&deployment.summary());
    value["passes"] = json!(deployment.request.passes);
    if let Value::Object(fields) = &mut value {
        fields.insert("host_runs".to_owned(), Value::Array(hosts));
        fields.insert("analysis".to_owned(), json!(deployment.analysis().map(analysis)));
        fields.insert("waiting_for".to_owned(), json!(deployment.waiting(now)));
        fields.insert("ending".to_owned(), json!(deployment.ending().map(|ending| ending.headline)));
    }
    value
}

/// The line. What `reason`, `by` and `since` tell is the oldest stop; `stops` has all.
pub(crate) fn cord(cord: &Cord) -> Value {
    let stops: Vec<Value> = cord
        .stops()
        .iter()
        .map(|stop| {
            json!({
                "by": stop.by.to_string(),
                "reason": stop.reason,
                "since": when::iso(stop.since),
                "deployment": stop.deployment(),
                "service": stop.scope().map(|scope| &scope.service),
                "environment": stop.scope().map(|scope| &scope.environment),
            })
        })
        .collect();
    let first = cord.stops().first();
    let changes = cord.changes().map(|change| json!({ "at": when::iso(change.at), "what": change.fact }));
    json!({
        "state": if cord.is_stopped() { "stopped" } else { "running" },
        "reason": first.map(|stop| &stop.reason),
        "by": first.map(|stop| stop.by.to_string()),
        "since": cord.since().map(when::iso),
        "stops": stops,
        "changes": changes.collect::<Vec<Value>>(),
    })
}
