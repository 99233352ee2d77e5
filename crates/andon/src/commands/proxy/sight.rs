//! What the proxy sees of its servers, in words and as JSON.

use andon_core::balance::{PoolSight, ServerSight, ServerState, Traffic};
use andon_core::name::ServerName;
use andon_proxy::control::Identity;
use serde_json::{Value, json};

use crate::paint::Paint;
use crate::screen::legible;
use crate::when;

/// The proxy and its pools, a line for each server.
pub(super) fn text(identity: &Identity, pools: &[(String, PoolSight)]) -> String {
    let paint = Paint::stdout();
    let mut lines = vec![format!(
        "proxy {}, process {}, serving for {}",
        identity.version,
        identity.pid,
        when::span(identity.serving)
    )];
    let names = pools.iter().flat_map(|(_, sight)| sight.servers.keys());
    let widest = names.map(|name| name.as_str().len()).max().unwrap_or(0);
    for (pool, sight) in pools {
        let up = sight.servers.values().filter(|server| server.state == ServerState::Up).count();
        lines.push(format!("{}  {up} of {} servers in traffic", paint.strong(pool), sight.servers.len()));
        for (name, server) in &sight.servers {
            let sign = match server.state {
                ServerState::Up if server.weight < 100 => paint.half(),
                ServerState::Up => paint.tick(),
                ServerState::Down { .. } => paint.cross(),
                ServerState::Out => paint.dot(),
            };
            lines.push(format!("  {sign} {:<widest$}  {}", name.as_str(), server_text(server)));
        }
    }
    lines.join("\n")
}

fn server_text(server: &ServerSight) -> String {
    let mut parts = vec![match &server.state {
        ServerState::Up if server.weight < 100 => format!("in traffic with {} % of its share", server.weight),
        ServerState::Up => "in traffic".to_owned(),
        ServerState::Down { why } => format!("down: {}", legible(why)),
        ServerState::Out => "taken out".to_owned(),
    }];
    parts.push(format!("{} under way", server.sessions.unwrap_or(0)));
    if let Some(counters) = server.counters.as_ref().filter(|counters| counters.requests > 0) {
        parts.push(format!("{} requests", counters.requests));
        let failed = counters.responses[5] + counters.responses[0];
        if failed > 0 {
            parts.push(format!("{failed} failed"));
        }
        if counters.connect_failures > 0 {
            parts.push(format!("{} connections refused", counters.connect_failures));
        }
        if let Some(p99) = counters.latency.as_ref().and_then(|latency| latency.quantile_us(0.99)) {
            parts.push(format!("99 % within {:.1} ms", p99 / 1e3));
        }
    }
    parts.join(", ")
}

/// What was done, and what is seen now.
pub(super) fn told(pool: &str, name: &ServerName, traffic: Traffic, server: &ServerSight) -> String {
    let under_way = server.sessions.unwrap_or(0);
    let state = match &server.state {
        ServerState::Down { why } => format!("; it is down now: {}", legible(why)),
        ServerState::Up | ServerState::Out => String::new(),
    };
    match traffic {
        Traffic::Out => format!("{name} of {pool} gets nothing new; {under_way} under way there"),
        Traffic::Cut => {
            format!("{name} of {pool} gets nothing new; what was under way is cut, {under_way} left")
        }
        Traffic::In(share @ 0..100) => format!("{name} of {pool} gets {share} % of its share{state}"),
        Traffic::In(_) => format!("{name} of {pool} gets its full share{state}"),
    }
}

/// For programs.
pub(super) fn json(identity: &Identity, pools: &[(String, PoolSight)]) -> Value {
    let pools: serde_json::Map<String, Value> =
        pools.iter().map(|(pool, sight)| (pool.clone(), json!(sight.servers))).collect();
    json!({
        "version": identity.version,
        "pid": identity.pid,
        "seconds": when::seconds(identity.serving),
        "pools": pools,
    })
}
