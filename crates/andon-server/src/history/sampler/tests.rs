//! What balancers count becomes rows of hosts: whole minutes, and never half of a host.

use andon_core::balance::{BalancerFailure, Pool, PoolSight, Server, ServerSight, ServerState};
use andon_core::line::{BalancerKind, Host, Transport};
use andon_core::name::{EnvironmentName, ServerName, ServiceName};

use super::*;

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

/// A balancer on `lb` before two instances on one host.
fn pool(lb: &str) -> PlannedPool {
    let server = |port: u16| Server {
        name: ServerName::new(format!("web1-{port}")).unwrap(),
        host: host("web1"),
        address: "127.0.0.1".into(),
        port,
    };
    let pool = Pool {
        service: ServiceName::new("www").unwrap(),
        host: host(lb),
        balancer: BalancerKind::Proxy { control: "/run/proxy.sock".into(), pool: "www".into() },
        servers: vec![server(8080), server(8081)],
        root: ".andon".into(),
    };
    PlannedPool { at: Host::new(host(lb), Transport::Local), pool }
}

/// Each instance has had so many requests, a tenth of them failed.
fn sight(requests: u64) -> PoolSight {
    let counters = Counters {
        requests,
        responses: [0, 0, requests - requests / 10, 0, 0, requests / 10],
        ..Counters::default()
    };
    let seen = ServerSight {
        state: ServerState::Up,
        weight: 100,
        sessions: Some(0),
        queued: 0,
        counters: Some(counters),
    };
    let servers = [8080, 8081].map(|port| (ServerName::new(format!("web1-{port}")).unwrap(), seen.clone()));
    PoolSight { servers: servers.into(), ..PoolSight::default() }
}

#[test]
fn minutes_are_the_sums_of_their_rounds_over_all_instances_and_balancers() {
    let data = tempfile::tempdir().unwrap();
    let scope = ScopeName {
        service: ServiceName::new("www").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
    };
    let pools = vec![pool("lb1"), pool("lb2")];
    let names: Vec<String> = pools.iter().map(|planned| planned.pool.name()).collect();
    let sampled = Sampled { scope: scope.clone(), pools };
    let mut sampler = Sampler::new(data.path(), vec![sampled.clone()]);
    let silent = BalancerFailure {
        kind: FailureKind::Unreachable,
        reason: "no answer".into(),
        details: String::new(),
    };
    for n in 0..40u64 {
        let lb1 = Ok(sight(100 * n));
        // One of the balancers is silent for a while: half of the host is not the host.
        let lb2 = if (30..33).contains(&n) { Err(silent.clone()) } else { Ok(sight(100 * n)) };
        let sights: Sights = [(names[0].clone(), lb1), (names[1].clone(), lb2)].into();
        let at = Time(1_700_000_040_000 + 5_000 * i64::try_from(n).unwrap());
        sampler.scopes[0].take(at, &sights).unwrap();
    }
    sampler.follow(data.path(), vec![sampled]);
    let history = History::of(data.path(), &scope);
    let ever = Time(0)..Time(i64::MAX / 2);
    let minutes = history.rows(Grain::Minutes, ever.clone()).unwrap().rows;
    let errors = MetricName::new(ERRORS).unwrap();
    let read: Vec<Reading> = minutes.iter().map(|row| row.reading(&errors)).collect();
    // The first round only sets the marks. Two instances before two balancers: 400 requests a round.
    let count = |rounds: u64| Reading::Count { events: 40 * rounds, of: 400 * rounds };
    assert_eq!(read[..2], [count(11), count(12)]);
    assert_eq!(minutes[1].over, Duration::from_secs(60));
    assert_eq!(minutes[0].member.as_str(), "web1");
    let rounds = history.rows(Grain::Seconds, ever).unwrap().rows.len();
    assert_eq!(rounds, 36, "the first round, and three of half a host, are none");
    assert_eq!(sampler.scopes.len(), 1);
    sampler.follow(data.path(), Vec::new());
    assert!(sampler.scopes.is_empty());
}
