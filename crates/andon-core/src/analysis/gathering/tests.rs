//! What becomes a tick: differences only, of compared hosts only, and what is missing stays missing.

use super::*;
use crate::balance::{PoolSight, Server, ServerSight, ServerState};
use crate::line::{BalancerKind, Host, Transport, WatchRules, Watched};
use crate::name::{ServerName, ServiceName};
use crate::plan::{PlannedPool, Sights};

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

fn metric(name: &str, role: Role) -> Metric {
    Metric { role, ..vital(MetricName::new(name).unwrap(), Measure::Rate) }
}

fn watch() -> Watch {
    let of = |name: &str, role, source| Watched { metric: metric(name, role), source };
    Watch {
        metrics: vec![
            of("errors", Role::Errors, Source::Errors),
            of("slow-p90", Role::Slow, Source::Latency { quantile: 90 }),
            of("slow-p99", Role::Slow, Source::Latency { quantile: 99 }),
            of(
                "orders",
                Role::Other,
                Source::Pushed { name: "orders".into(), of: None, every: std::time::Duration::from_secs(1) },
            ),
        ],
        vitals: true,
        rules: WatchRules::default(),
    }
}

/// A balancer before `web1` and `web2`, and what it has counted.
struct Scene {
    pool: PlannedPool,
    numbers: Numbers,
    at: Time,
}

impl Scene {
    fn new() -> Self {
        let server = |name: &str| Server {
            name: ServerName::new(name).unwrap(),
            host: host(name),
            address: "127.0.0.1".into(),
            port: 8080,
        };
        let pool = crate::balance::Pool {
            service: ServiceName::new("www").unwrap(),
            host: host("lb1"),
            balancer: BalancerKind::Proxy { control: "/run/proxy.sock".into(), pool: "www".into() },
            servers: vec![server("web1"), server("web2")],
            root: ".andon".into(),
        };
        let pool = PlannedPool { at: Host::new(host("lb1"), Transport::Local), pool };
        Self { pool, numbers: Numbers::default(), at: Time(0) }
    }

    /// Two seconds later, each server has counted so many requests, failures and times in all.
    fn counts(&mut self, requests: u64, failures: u64, times: &[u64]) {
        self.at = self.at + Duration::from_secs(2);
        let mut latency = Histogram::default();
        times.iter().for_each(|us| latency.add(*us));
        let counters = Counters {
            requests,
            responses: [0, 0, requests - failures, 0, 0, failures],
            latency: Some(latency),
            ..Counters::default()
        };
        let seen = ServerSight {
            state: ServerState::Up,
            weight: 100,
            sessions: None,
            queued: 0,
            counters: Some(counters),
        };
        let servers = self.pool.pool.servers.iter().map(|server| (server.name.clone(), seen.clone()));
        let sight = PoolSight { servers: servers.collect(), ..PoolSight::default() };
        let sights = Sights::from([(self.pool.pool.name(), Ok(sight))]);
        self.numbers.read(self.at, std::slice::from_ref(&self.pool), &sights);
    }
}

fn compared() -> BTreeMap<HostName, Standpoint> {
    let canary = Standpoint { arm: Arm::Canary, age: Some(Duration::from_secs(70)) };
    let control = Standpoint { arm: Arm::Control, age: None };
    BTreeMap::from([(host("web1"), canary), (host("web2"), control)])
}

fn readings(tick: &Tick, member: &str) -> Vec<Reading> {
    tick.members[member].readings.clone()
}

#[test]
fn only_differences_between_two_ticks_are_told() {
    let (mut scene, mut gathering) = (Scene::new(), Gathering::new(&watch(), true));
    assert_eq!(gathering.metrics().len(), 7);
    scene.counts(1000, 10, &[500; 100]);
    let first = gathering.tick(scene.at, &compared(), &scene.numbers, &Look::default());
    assert_eq!(readings(&first, "web1"), [Reading::Missing; 7]);
    assert!(Gathering::has_canary(&first));
    gathering.freeze(&Histogram { buckets: [(8, 90), (20, 10)].into(), sum_us: 0 });
    let mut times = vec![500; 100];
    times.extend([400, 400, 900_000]);
    scene.counts(1040, 13, &times);
    let second = gathering.tick(scene.at, &compared(), &scene.numbers, &Look::default());
    assert_eq!(second.over, Duration::from_secs(2));
    let expected = [
        Reading::Count { events: 3, of: 40 },
        Reading::Count { events: 1, of: 3 },
        Reading::Count { events: 1, of: 3 },
        Reading::Missing,
        Reading::Missing,
        Reading::Missing,
        Reading::Missing,
    ];
    assert_eq!(readings(&second, "web1"), expected);
    assert_eq!(second.members["web1"].age, Some(Duration::from_secs(70)));
}

#[test]
fn what_other_sources_say_is_taken_over_and_what_they_do_not_say_is_missing() {
    let (mut scene, mut gathering) = (Scene::new(), Gathering::new(&watch(), true));
    scene.counts(0, 0, &[]);
    assert_eq!(gathering.requests(&Numbers::default()), None, "nothing counts requests");
    gathering.requests(&scene.numbers);
    gathering.tick(scene.at, &compared(), &scene.numbers, &Look::default());
    let orders = Reading::Count { events: 7, of: 50 };
    let heard = HostLook {
        readings: vec![Reading::Missing, Reading::Missing, Reading::Missing, orders],
        memory: Some(1e6),
        log_errors: Some(2),
        ..HostLook::default()
    };
    scene.counts(50, 0, &[]);
    assert_eq!(gathering.requests(&scene.numbers).unwrap()["web1"], 50);
    let silent = vec!["prometheus: no answer after 5 s".to_owned()];
    let look = Look { hosts: [(host("web1"), heard)].into(), silent };
    let tick = gathering.tick(scene.at, &compared(), &scene.numbers, &look);
    assert_eq!(readings(&tick, "web1")[3], orders);
    assert_eq!(readings(&tick, "web1")[5], Reading::Level(1e6));
    assert_eq!(readings(&tick, "web1")[6], Reading::Count { events: 2, of: 50 });
    assert_eq!(readings(&tick, "web2")[3], Reading::Missing, "what was not heard is not nought");
    assert_eq!(tick.silent.len(), 1);
}

#[test]
fn requests_that_come_in_during_a_look_are_told_with_the_next_one() {
    let (mut scene, mut gathering) = (Scene::new(), Gathering::new(&watch(), true));
    scene.counts(0, 0, &[]);
    gathering.requests(&scene.numbers);
    let mut told = 0;
    for look in 1..=3 {
        told += gathering.requests(&scene.numbers).unwrap()["web1"];
        scene.counts(look * 40, 0, &[]);
        gathering.tick(scene.at, &compared(), &scene.numbers, &Look::default());
    }
    told += gathering.requests(&scene.numbers).unwrap()["web1"];
    assert_eq!(told, 120);
}

#[test]
fn what_was_counted_in_neither_arm_is_nobodys_evidence() {
    let (mut scene, mut gathering) = (Scene::new(), Gathering::new(&watch(), true));
    let mut without = compared();
    without.remove("web1");
    for (requests, compared) in [(10, compared()), (500, without), (510, compared())] {
        scene.counts(requests, 0, &[]);
        let tick = gathering.tick(scene.at, &compared, &scene.numbers, &Look::default());
        if requests == 510 {
            assert_eq!(readings(&tick, "web1")[0], Reading::Count { events: 0, of: 10 });
        }
        assert_eq!(tick.members.contains_key("web1"), requests != 500);
    }
}

#[test]
fn a_balancer_without_single_times_gives_one_mean_time() {
    let gathering = Gathering::new(&watch(), false);
    let names: Vec<&str> = gathering.metrics().iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["errors", "slow-p90", "orders", "cpu", "memory", "log-errors"]);
    assert_eq!(gathering.metrics()[1].measure, Measure::Level);
}
