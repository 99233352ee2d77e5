//! What a well-formed configuration may still get wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use andon_core::suggest::nearest;
use http::HeaderName;

use super::{Config, PoolConfig};

/// A sentence for each mistake, with its place.
pub(super) fn of(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    if config.workers.is_some_and(|workers| !(1..=1024).contains(&workers)) {
        found.push("`workers` must be from 1 to 1024; leave it out for one for each core".to_owned());
    }
    listeners(config, &mut found);
    limits(config, &mut found);
    if config.pools.is_empty() {
        found.push("there is no pool; add one, like `[pools.www]` with its `servers`".to_owned());
    }
    for (name, pool) in &config.pools {
        self::pool(&format!("pools.{name}"), pool, &mut found);
    }
    found
}

/// All mistakes as one text.
pub(super) fn listed(mistakes: &[String]) -> String {
    match mistakes {
        [one] => format!("the configuration has a mistake: {one}"),
        many => format!("the configuration has {} mistakes:\n- {}", many.len(), many.join("\n- ")),
    }
}

fn listeners(config: &Config, found: &mut Vec<String>) {
    if config.listen.is_empty() {
        found.push("nothing listens; add `[[listen]]` with an `address` and a `pool`".to_owned());
    }
    let mut seen = BTreeSet::new();
    for (number, listen) in config.listen.iter().enumerate() {
        let place = format!("`listen` number {}", number + 1);
        if listen.address.port() != 0 && !seen.insert(listen.address) {
            found.push(format!("{place}: another one has the address {} already", listen.address));
        }
        if !config.pools.contains_key(&listen.pool) {
            let hint = nearest(&listen.pool, config.pools.keys().map(String::as_str))
                .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            found.push(format!("{place}: there is no pool {:?}{hint}", listen.pool));
        }
    }
}

fn limits(config: &Config, found: &mut Vec<String>) {
    let limits = &config.limits;
    let mut within = |name: &str, value: usize, least: usize, most: usize| {
        if !(least..=most).contains(&value) {
            found.push(format!("`limits.{name}` must be from {least} to {most}, got {value}"));
        }
    };
    within("connections", limits.connections, 1, 1_000_000);
    within("header_bytes", limits.header_bytes, 1024, 256 * 1024);
    within("headers", limits.headers, 8, 1000);
    within("uri_bytes", limits.uri_bytes, 64, 64 * 1024);
    within("streams", limits.streams as usize, 1, 10_000);
    let timeouts = &config.timeouts;
    for (name, span) in [
        ("head", timeouts.head),
        ("idle", timeouts.idle),
        ("body", timeouts.body),
        ("write", timeouts.write),
        ("connect", timeouts.connect),
        ("response", timeouts.response),
        ("tunnel", timeouts.tunnel),
    ] {
        at_least_a_millisecond(&format!("timeouts.{name}"), span, found);
    }
}

fn at_least_a_millisecond(place: &str, span: Duration, found: &mut Vec<String>) {
    if span.is_zero() {
        found.push(format!("`{place}` must be longer than nothing"));
    }
}

fn pool(place: &str, pool: &PoolConfig, found: &mut Vec<String>) {
    if pool.servers.is_empty() {
        found.push(format!("`{place}.servers` is empty; a pool needs a server at least"));
    }
    let mut names = BTreeSet::new();
    for server in &pool.servers {
        let name = &server.name;
        if !names.insert(name) {
            found.push(format!("`{place}.servers`: two are called {name}"));
        }
        if !is_host_and_port(&server.address) {
            found.push(format!(
                "`{place}.servers`: the address of {name} must be like \"10.0.0.5:8080\", got {:?}",
                server.address
            ));
        }
        if !(1..=1000).contains(&server.weight) {
            found.push(format!("`{place}.servers`: the weight of {name} must be from 1 to 1000"));
        }
    }
    if let Some(check) = &pool.health_check {
        if !check.path.starts_with('/') || check.path.bytes().any(|byte| !byte.is_ascii_graphic()) {
            found
                .push(format!("`{place}.health_check.path` must be like \"/healthz\", got {:?}", check.path));
        }
        if check.host.as_ref().is_some_and(|host| !is_token_like(host)) {
            found.push(format!("`{place}.health_check.host` is not the name of a host"));
        }
        at_least_a_millisecond(&format!("{place}.health_check.interval"), check.interval, found);
        at_least_a_millisecond(&format!("{place}.health_check.timeout"), check.timeout, found);
        if check.healthy_after == 0 || check.unhealthy_after == 0 {
            found.push(format!("`{place}.health_check`: `healthy_after` and `unhealthy_after` begin at 1"));
        }
    }
    if pool.ejection.errors_percent > 100 {
        found.push(format!("`{place}.ejection.errors_percent` is at most 100"));
    }
    if pool.retries > 10 {
        found.push(format!("`{place}.retries` is at most 10"));
    }
    marks(place, pool, found);
}

fn marks(place: &str, pool: &PoolConfig, found: &mut Vec<String>) {
    if pool.sticky.as_ref().is_some_and(|sticky| !is_cookie_name(&sticky.cookie)) {
        found.push(format!("`{place}.sticky.cookie` is not the name of a cookie"));
    }
    let Some(canary) = &pool.canary else { return };
    match (&canary.header, &canary.cookie) {
        (Some(header), None) if HeaderName::from_bytes(header.as_bytes()).is_err() => {
            found.push(format!("`{place}.canary.header` is not the name of a header"));
        }
        (None, Some(cookie)) if !is_cookie_name(cookie) => {
            found.push(format!("`{place}.canary.cookie` is not the name of a cookie"));
        }
        (Some(_), None) | (None, Some(_)) => {}
        _ => found.push(format!("`{place}.canary` needs either a `header` or a `cookie`")),
    }
    if !pool.servers.iter().any(|server| server.canary) {
        found.push(format!("`{place}.canary` can pick nothing: no server says `canary = true`"));
    }
}

fn is_host_and_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        port.parse::<u16>().is_ok_and(|port| port != 0) && is_token_like(host)
    })
}

fn is_token_like(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A token of RFC 9110, which the names of cookies are.
fn is_cookie_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
