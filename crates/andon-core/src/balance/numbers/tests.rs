//! Whatever sources do, nothing is counted twice and nothing is taken back.

use proptest::prelude::*;

use super::*;
use crate::balance::{BalancerFailure, FailureKind, Histogram, Pool, PoolSight};
use crate::line::{BalancerKind, Host, Transport};
use crate::name::ServiceName;

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

/// The servers `web1` to `webN` behind a balancer on `lb`.
fn pool(lb: &str, hosts: usize) -> PlannedPool {
    let server = |n: usize| Server {
        name: ServerName::new(format!("web{n}")).unwrap(),
        host: host(&format!("web{n}")),
        address: "127.0.0.1".into(),
        port: 8080,
    };
    let balancer = BalancerKind::Proxy { control: "/run/proxy.sock".into(), pool: "www".into() };
    let pool = Pool {
        service: ServiceName::new("www").unwrap(),
        host: host(lb),
        balancer,
        servers: (1..=hosts).map(server).collect(),
        root: ".andon".into(),
    };
    PlannedPool { at: Host::new(host(lb), Transport::Local), pool }
}

fn counted(requests: u64) -> Counters {
    Counters { requests, responses: [0, 0, requests, 0, 0, 0], ..Counters::default() }
}

fn sight(counters: Option<Counters>) -> PoolSight {
    let seen = ServerSight { state: ServerState::Up, weight: 100, sessions: Some(2), queued: 1, counters };
    PoolSight { servers: [(ServerName::new("web1").unwrap(), seen)].into(), ..PoolSight::default() }
}

fn silent() -> BalancerFailure {
    BalancerFailure { kind: FailureKind::Unreachable, reason: "no answer".into(), details: String::new() }
}

/// What `lb` said.
fn says(lb: &PlannedPool, counters: Counters) -> Sights {
    [(lb.pool.name(), Ok(sight(Some(counters))))].into()
}

fn everyone(_: &Spot) -> bool {
    true
}

#[test]
fn a_silence_is_a_gap_and_the_next_sample_says_how_long_it_was() {
    let (lb, mut numbers) = (pool("lb1", 1), Numbers::default());
    let pools = [lb.clone()];
    let first = numbers.read(Time(1000), &pools, &says(&lb, counted(100)));
    assert_eq!((first.len(), &first[0].added), (1, &None), "what was counted before is nobody's business");
    let failure: Sights = [(lb.pool.name(), Err(silent()))].into();
    assert!(numbers.read(Time(2000), &pools, &failure).is_empty());
    assert_eq!(numbers.latest().count(), 1, "what was seen last is not forgotten");
    let next = numbers.read(Time(5000), &pools, &says(&lb, counted(140)));
    let added = next[0].added.as_ref().unwrap();
    assert_eq!((added.counters.requests, added.over), (40, Duration::from_secs(4)));
    let flow = numbers.flow(Duration::from_secs(10), everyone).unwrap();
    assert_eq!((flow.rates.requests, flow.rates.responses[2], flow.counters.requests), (10.0, 10.0, 40));
}

#[test]
fn rates_add_up_over_the_balancers_of_a_host_and_not_over_their_times() {
    let (one, two, mut numbers) = (pool("lb1", 1), pool("lb2", 1), Numbers::default());
    let pools = [one.clone(), two.clone()];
    for second in 0..5 {
        let mut sights = says(&one, counted(10 * second));
        sights.extend(says(&two, counted(30 * second)));
        numbers.read(Time(1000 * second as i64), &pools, &sights);
    }
    let flow = numbers.flow(Duration::from_secs(3), |spot| spot.host.as_str() == "web1").unwrap();
    assert_eq!(flow.rates.requests, 40.0);
    assert_eq!(flow.over, Duration::from_secs(3));
    assert_eq!(numbers.flow(Duration::from_secs(3), |spot| spot.host.as_str() == "web2"), None);
    // A pool that is not asked any more is forgotten.
    numbers.read(Time(5000), &pools[..1], &says(&one, counted(50)));
    assert_eq!(numbers.latest().count(), 1);
}

#[test]
fn a_clock_that_is_set_back_harms_no_number_and_stops_no_window() {
    let (lb, mut numbers) = (pool("lb1", 1), Numbers::default());
    let pools = [lb.clone()];
    let mut clock = 10_000_000;
    for n in 0..100u64 {
        clock += if n == 50 { -5_000_000 } else { 1000 };
        numbers.read(Time(clock), &pools, &says(&lb, counted(10 * n)));
    }
    assert_eq!(numbers.total(everyone).requests, 990);
    let flow = numbers.flow(Duration::from_secs(10), everyone).unwrap();
    assert_eq!((flow.rates.requests, flow.counters.requests), (10.0, 100));
}

#[test]
fn the_past_is_kept_in_few_pieces_and_no_longer_than_the_window() {
    let (lb, mut numbers) = (pool("lb1", 1), Numbers::default());
    let pools = [lb.clone()];
    // Half an hour of five readings a second.
    for n in 0..9000u64 {
        numbers.read(Time(200 * n as i64), &pools, &says(&lb, counted(n)));
    }
    let pieces: usize = numbers.series.values().map(|series| series.fine.len() + series.coarse.len()).sum();
    assert!(pieces <= 95, "{pieces}");
    let flow = numbers.flow(Duration::MAX, everyone).unwrap();
    assert!((flow.rates.requests - 5.0).abs() < 1e-9, "{flow:?}");
    assert!(flow.over <= WINDOW + COARSE, "{:?}", flow.over);
    assert_eq!(numbers.total(everyone).requests, 8999);
}

#[test]
fn times_are_a_quantile_where_they_are_known_and_else_a_mean_weighed_by_requests() {
    let (one, two, mut numbers) = (pool("lb1", 1), pool("lb2", 1), Numbers::default());
    let pools = [one.clone(), two.clone()];
    for n in [0, 1] {
        let mean = |requests, us| Counters { mean_latency_us: Some(us), ..counted(requests) };
        let mut sights = says(&one, mean(30 * n, 1000));
        sights.extend(says(&two, mean(10 * n, 5000)));
        numbers.read(Time(1000 * n as i64), &pools, &sights);
    }
    let flow = numbers.flow(Duration::from_secs(1), everyone).unwrap();
    assert_eq!((flow.mean_us(), flow.quantile_us(0.5)), (Some(2000.0), None));
    assert_eq!(Flow::default().mean_us(), None);
}

/// What happens to a source between and at its readings.
#[derive(Debug, Clone)]
enum Event {
    Serves { class: usize, us: u64, times: u64 },
    BeginsAnew,
    IsRead,
    IsSilent,
    IsReadWithoutTimes,
    ClockMoves(i64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..6usize, 1..10_000_000u64, 1..50u64)
            .prop_map(|(class, us, times)| Event::Serves { class, us, times }),
        2 => Just(Event::BeginsAnew),
        6 => Just(Event::IsRead),
        1 => Just(Event::IsSilent),
        1 => Just(Event::IsReadWithoutTimes),
        4 => (-100_000..100_000i64).prop_map(Event::ClockMoves),
    ]
}

fn serve(counters: &mut Counters, class: usize, us: u64, times: u64) {
    counters.requests += times;
    counters.responses[class] += times;
    let latency = counters.latency.get_or_insert_default();
    (0..times).for_each(|_| latency.add(us));
}

fn responses(counters: &Counters) -> u64 {
    counters.latency.as_ref().map_or(0, Histogram::count)
}

proptest! {
    #[test]
    fn totals_never_shrink_and_never_exceed_what_the_source_really_counted(
        events in prop::collection::vec(event(), 0..120)
    ) {
        let (lb, mut numbers) = (pool("lb1", 1), Numbers::default());
        let pools = [lb.clone()];
        let (mut says_now, mut truth) = (Counters::default(), Counters::default());
        let (mut clock, mut last) = (1_000_000_000i64, Counters::default());
        let (mut anew, mut timeless) = (false, false);
        // What was counted before the first reading is not ours.
        numbers.read(Time(clock), &pools, &says(&lb, says_now.clone()));
        for event in events {
            let read = match event {
                Event::Serves { class, us, times } => {
                    serve(&mut says_now, class, us, times);
                    serve(&mut truth, class, us, times);
                    None
                }
                Event::BeginsAnew => {
                    anew = true;
                    says_now = Counters::default();
                    None
                }
                Event::ClockMoves(by) => {
                    clock += by;
                    None
                }
                Event::IsRead => Some(says(&lb, says_now.clone())),
                Event::IsReadWithoutTimes => {
                    timeless = true;
                    Some(says(&lb, Counters { latency: None, ..says_now.clone() }))
                }
                Event::IsSilent => Some([(lb.pool.name(), Err(silent()))].into()),
            };
            if let Some(sights) = read {
                numbers.read(Time(clock), &pools, &sights);
            }
            let total = numbers.total(everyone);
            prop_assert!(total.since(&last).is_some(), "it shrank");
            prop_assert!(total.requests <= truth.requests);
            prop_assert!(total.responses.iter().zip(truth.responses).all(|(own, true_one)| *own <= true_one));
            prop_assert!(responses(&total) <= responses(&truth));
            if let Some(flow) = numbers.flow(Duration::MAX, everyone) {
                prop_assert!(flow.counters.requests <= total.requests);
                prop_assert!(flow.rates.requests.is_finite());
            }
            last = total;
        }
        numbers.read(Time(clock), &pools, &says(&lb, says_now));
        if !anew {
            prop_assert_eq!(numbers.total(everyone).requests, truth.requests, "nothing was lost");
            prop_assert!(timeless || responses(&numbers.total(everyone)) == responses(&truth));
        }
    }
}
