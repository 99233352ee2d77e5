//! The moment, for programs: rates in each second, times in milliseconds, shares in hundredths.

use andon_core::balance::numbers::Flow;
use andon_core::balance::{BalancerFailure, ServerSight, ServerState};
use andon_core::scope::ScopeName;
use andon_server::clock;
use serde_json::{Value, json};

use super::{Moment, Row, table};
use crate::when;

pub(super) fn moment(scope: &ScopeName, moment: &Moment) -> Value {
    let silent: Vec<Value> =
        moment.silent.iter().map(|(pool, why)| json!({ "pool": pool, "why": why })).collect();
    json!({
        "service": scope.service,
        "environment": scope.environment,
        "at": when::iso(clock::now()),
        "seconds": when::seconds(moment.over),
        "instances": moment.rows.iter().map(instance).collect::<Vec<_>>(),
        "sum": table::sum(&moment.rows).flow.as_ref().map(numbers),
        "silent": silent,
    })
}

fn instance(row: &Row) -> Value {
    json!({
        "host": row.spot.as_ref().map(|spot| &spot.host),
        "port": row.spot.as_ref().map(|spot| spot.port),
        "in_traffic": row.in_traffic,
        "well": row.well,
        "why": row.why,
        "sessions": row.sessions(),
        "queued": row.queued(),
        "balancers": row.sight.pools.iter().map(|(pool, seen)| balancer(pool, seen)).collect::<Vec<_>>(),
        "traffic": row.flow.as_ref().map(numbers),
    })
}

fn balancer(pool: &str, seen: &Result<Vec<ServerSight>, BalancerFailure>) -> Value {
    let server = match seen {
        Err(failure) => {
            return json!({ "pool": pool, "state": "unknown", "why": failure.to_string() });
        }
        Ok(servers) => servers.first(),
    };
    let (state, why) = match server.map(|server| &server.state) {
        Some(ServerState::Up) => ("up", None),
        Some(ServerState::Down { why }) => ("down", Some(why)),
        Some(ServerState::Out) => ("out", None),
        None => ("unknown", None),
    };
    json!({
        "pool": pool,
        "state": state,
        "why": why,
        "share": server.map(|server| server.weight),
        "sessions": server.and_then(|server| server.sessions),
        "queued": server.map(|server| server.queued),
    })
}

fn numbers(flow: &Flow) -> Value {
    let round = |number: f64| (number * 1000.0).round() / 1000.0;
    let millis = |us: Option<f64>| us.map(|us| round(us / 1000.0));
    let rates = &flow.rates;
    json!({
        "requests": round(rates.requests),
        "responses": {
            "none": round(rates.responses[0]),
            "1xx": round(rates.responses[1]),
            "2xx": round(rates.responses[2]),
            "3xx": round(rates.responses[3]),
            "4xx": round(rates.responses[4]),
            "5xx": round(rates.responses[5]),
        },
        "retries": round(rates.retries),
        "connect_failures": round(rates.connect_failures),
        "response_failures": round(rates.response_failures),
        "bytes": round(rates.bytes),
        "p50_ms": millis(flow.quantile_us(0.5)),
        "p99_ms": millis(flow.quantile_us(0.99)),
        "mean_ms": millis(flow.mean_us()),
    })
}
