//! The table of a few hosts, of a thousand, and in forty columns.

use std::time::Duration;

use andon_core::balance::numbers::{Numbers, Spot};
use andon_core::balance::{Counters, Histogram, Pool, PoolSight, Server, ServerSight, ServerState};
use andon_core::line::{BalancerKind, Host, Transport};
use andon_core::name::{EnvironmentName, HostName, ServerName, ServiceName};
use andon_core::plan::{PlannedPool, Sights};
use andon_core::time::Time;

use super::*;

const PLAIN: Paint = Paint { colour: false, unicode: true, live: false };

fn scope() -> ScopeName {
    ScopeName {
        service: ServiceName::new("www").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
    }
}

fn pool(hosts: usize) -> PlannedPool {
    let lb = Host::new(HostName::new("lb1").unwrap(), Transport::Local);
    let server = |n| Server {
        name: ServerName::new(format!("web{n}")).unwrap(),
        host: HostName::new(format!("web{n}")).unwrap(),
        address: "127.0.0.1".into(),
        port: 8080,
    };
    let pool = Pool {
        service: scope().service,
        host: lb.name.clone(),
        balancer: BalancerKind::Proxy { control: "/run/proxy.sock".into(), pool: "www".into() },
        servers: (1..=hosts).map(server).collect(),
        root: ".andon".into(),
    };
    PlannedPool { at: lb, pool }
}

/// `hosts` instances with ten times their number of requests in a second; `odd` are in the given state, with so many
/// responses of 500.
fn moment(hosts: usize, odd: &[(usize, ServerState, u64)], times: bool) -> Moment {
    let (pool, mut numbers) = (pool(hosts), Numbers::default());
    let pools = [pool];
    let sights = |second: u64| -> Sights {
        let mut sight = PoolSight::default();
        for n in 1..=hosts {
            let found = odd.iter().find(|(which, ..)| *which == n);
            let mut latency = Histogram::default();
            (0..second * 10).for_each(|_| latency.add(12_000));
            let failed = found.map_or(0, |(.., failed)| *failed * second);
            let counters = Counters {
                requests: second * 10 * n as u64,
                responses: [0, 0, 0, 0, 0, failed],
                latency: times.then_some(latency),
                mean_latency_us: Some(3_000),
                ..Counters::default()
            };
            let seen = ServerSight {
                state: found.map_or(ServerState::Up, |(_, state, _)| state.clone()),
                weight: 100,
                sessions: Some(2),
                queued: 0,
                counters: Some(counters),
            };
            sight.servers.insert(ServerName::new(format!("web{n}")).unwrap(), seen);
        }
        [(pools[0].pool.name(), Ok(sight))].into()
    };
    numbers.read(Time(0), &pools, &sights(0));
    numbers.read(Time(1000), &pools, &sights(1));
    let each = HostSight::of_each(&pools, &sights(1));
    let mut flows = numbers.flows(Duration::from_secs(10));
    let rows = each.into_iter().map(|(spot, sight): (Spot, _)| {
        let flow = flows.remove(&spot);
        super::super::row(spot.host.to_string(), &spot, sight, None, flow)
    });
    Moment { rows: rows.collect(), over: Duration::from_secs(1), silent: Vec::new() }
}

#[test]
fn a_few_instances_have_a_row_each_and_say_why_one_is_out() {
    let down = ServerState::Down { why: "L7STS/503".into() };
    let lines = lines(&scope(), &moment(3, &[(2, down, 0)], true), PLAIN, usize::MAX, TALL);
    let text = lines.join("\n");
    assert!(text.contains("✔ web1  up        10      0      0  13 ms  13 ms"), "{text}");
    assert!(text.contains("✘ web2  down"), "{text}");
    assert!(text.contains("\n    no traffic: proxy www on lb1 has it down: L7STS/503\n"), "{text}");
    assert!(text.contains("  all "), "{text}");
    assert!(lines.last().unwrap().contains(" 60 "), "the sum of 10, 20 and 30: {text}");
}

#[test]
fn a_thousand_instances_are_a_few_rows_and_the_sick_ones_are_among_them() {
    let odd = [(7, ServerState::Up, 3), (500, ServerState::Out, 0)];
    let lines = lines(&scope(), &moment(1000, &odd, true), PLAIN, 100, TALL);
    let text = lines.join("\n");
    assert!(lines.len() < 12, "{text}");
    assert!(text.contains("✘ web500") && text.contains("◐ web7 "), "{text}");
    assert!(text.contains("998 instances up"), "{text}");
    assert!(text.contains("each between 10 and 10,000 requests/s"), "{text}");
    assert!(text.contains("5,005,000"), "{text}");
    let all_sick: Vec<_> = (1..=1000).map(|n| (n, ServerState::Out, 0)).collect();
    let lines = super::lines(&scope(), &moment(1000, &all_sick, true), PLAIN, 100, 24);
    assert!(lines.len() <= 24 && lines.join("\n").contains("more like these"), "{}", lines.join("\n"));
}

#[test]
fn a_narrow_terminal_keeps_what_matters_most_and_no_line_is_too_long() {
    for width in [40, 50, 60, 80, 120] {
        let down = ServerState::Down { why: "L7STS/503".into() };
        let lines = lines(&scope(), &moment(4, &[(2, down, 0)], true), PLAIN, width, TALL);
        for line in &lines {
            assert!(console::measure_text_width(line) <= width, "{width}: {line}");
        }
        let head = lines.iter().find(|line| line.contains("state")).unwrap();
        assert!(head.contains("req/s") && head.contains("5xx/s"), "{width}: {head}");
    }
}

#[test]
fn a_mean_is_called_one_and_not_a_quantile() {
    let lines = lines(&scope(), &moment(1, &[], false), PLAIN, usize::MAX, TALL);
    let text = lines.join("\n");
    assert!(text.contains("  mean  ") && text.contains("3.0 ms") && !text.contains("p99"), "{text}");
}

#[test]
fn numbers_are_rounded_and_never_to_nought() {
    let cases =
        [(0.0, "0"), (0.01, "<0.1"), (0.34, "0.3"), (9.96, "10"), (1204.4, "1,204"), (1e6, "1,000,000")];
    for (value, text) in cases {
        assert_eq!(number(value), text);
    }
    for (us, text) in [(400.0, "0.4 ms"), (12_000.0, "12 ms"), (1_200_000.0, "1.2 s")] {
        assert_eq!(millis(us), text);
    }
}
