//! A real Prometheus: counters that grow and begin anew, series that are absent or renamed, a server that is slow or
//! dead.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use andon_core::analysis::{Measure, Reading};
use andon_core::line::{PrometheusQuery, Source, Watched};
use andon_core::name::{HostName, MemberName};
use andon_server::senses::{Arms, Look, Matchers, Prometheus, Senses};
use andon_testbed::{Exposition, PrometheusServer};

use super::{arms, member, orders};

const LIMIT: Duration = Duration::from_secs(60);

/// A page of a shop: orders that were taken, requests, memory.
fn page(orders: f64, requests: u64, memory: &str) -> String {
    format!(
        "# TYPE orders_total counter\norders_total{{shop=\"nl\"}} {orders}\norders_total{{shop=\"be\"}} 5\n\
         # TYPE requests_total counter\nrequests_total {requests}\n# TYPE memory gauge\nmemory {memory}\n"
    )
}

fn watched(url: &str, query: &str, of: Option<&str>, measure: Measure) -> Watched {
    let query = PrometheusQuery {
        url: url.to_owned(),
        query: query.to_owned(),
        of: of.map(str::to_owned),
        label: "instance".into(),
        value: "{host}".into(),
        token_file: None,
        every: Duration::from_secs(1),
    };
    orders(measure, Source::Prometheus(query))
}

fn senses(watched: Watched) -> Senses {
    Senses::new(&[watched], Path::new("/nowhere"), Path::new("/nowhere"))
}

/// Looks until `enough` says so. The sum of all counts by member, and the last look.
async fn look_until(
    senses: &mut Senses,
    requests: Option<u64>,
    mut enough: impl FnMut(&BTreeMap<MemberName, (u64, u64)>, &Look) -> bool,
) -> (BTreeMap<MemberName, (u64, u64)>, Look) {
    let mut sums: BTreeMap<MemberName, (u64, u64)> = BTreeMap::new();
    let end = tokio::time::Instant::now() + LIMIT;
    let requests = requests.map(|count| {
        ["web1", "web2"]
            .map(|host| (HostName::new(host).unwrap(), count))
            .into_iter()
            .collect::<BTreeMap<_, _>>()
    });
    loop {
        let look = senses.look(&arms(), requests.as_ref()).await;
        for (member, reading) in &look.readings[0] {
            if let Reading::Count { events, of } = reading {
                let sum = sums.entry(member.clone()).or_default();
                *sum = (sum.0 + events, sum.1 + of);
            }
        }
        if enough(&sums, &look) {
            return (sums, look);
        }
        assert!(tokio::time::Instant::now() < end, "{sums:?} {look:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn counters_grow_begin_anew_vanish_and_are_never_counted_twice() {
    let (web1, web2) = (
        Exposition::start(&page(1000.0, 9000, "7")).unwrap(),
        Exposition::start(&page(50.0, 100, "NaN")).unwrap(),
    );
    let server = PrometheusServer::start(&[
        ("web1:9100", web1.address()),
        ("web2:9100", web2.address()),
        ("web10:9100", web2.address()),
    ])
    .unwrap();
    let query = "sum by (instance) (orders_total{{members}})";
    let mut senses = senses(watched(&server.url(), query, Some("requests_total{{members}}"), Measure::Rate));
    // Both are known, and nothing that was before counts.
    let both = |look: &Look| look.readings[0].len() == 2 && look.silent.is_empty();
    let (sums, _) = look_until(&mut senses, None, |_, look| both(look)).await;
    assert!(sums.values().all(|sum| *sum == (0, 0)), "{sums:?}");
    web1.say(&page(1012.0, 9100, "8"));
    web2.say(&page(57.0, 150, "NaN"));
    let grown = |sums: &BTreeMap<_, (u64, u64)>| sums.len() == 2 && sums.values().all(|sum| sum.0 > 0);
    let (sums, _) = look_until(&mut senses, None, |sums, _| grown(sums)).await;
    assert_eq!((sums[&member("web1")], sums[&member("web2")]), ((12, 100), (7, 50)));
    // One begins anew: that reading is left out, what follows counts.
    let scraped = web1.scrapes();
    web1.say(&page(3.0, 20, "8"));
    web2.say(&page(58.0, 160, "NaN"));
    let (_, look) =
        look_until(&mut senses, None, |sums, _| sums.get(&member("web2")).is_some_and(|sum| sum.0 == 1))
            .await;
    assert!(!matches!(look.reading(0, &member("web1")), Reading::Count { events: 1.., .. }), "{look:?}");
    assert!(andon_testbed::deadline::wait_until(LIMIT, || web1.scrapes() > scraped + 2));
    let (sums, _) = look_until(&mut senses, None, |_, look| both(look)).await;
    assert_eq!(sums.get(&member("web1")).map_or(0, |sum| sum.0), 0, "a new beginning is no growth");
    web1.say(&page(5.0, 40, "8"));
    let (sums, _) =
        look_until(&mut senses, None, |sums, _| sums.get(&member("web1")).is_some_and(|sum| sum.0 > 0)).await;
    assert_eq!(sums[&member("web1")], (2, 20));
    // The metric is renamed on one of them: that is not nought.
    web1.say("# TYPE orders_taken_total counter\norders_taken_total 9\nrequests_total 60\n");
    let (_, look) =
        look_until(&mut senses, None, |_, look| !look.readings[0].contains_key(&member("web1"))).await;
    assert_eq!(look.reading(0, &member("web1")), Reading::Missing);
    assert!(matches!(look.reading(0, &member("web2")), Reading::Count { .. }), "{look:?}");
    web2.say("# nothing any more\n");
    let (_, look) = look_until(&mut senses, None, |_, look| look.readings[0].is_empty()).await;
    assert_eq!(look.silent, ["orders: its source knows none of the hosts"]);
}

#[tokio::test]
async fn requests_of_balancers_are_what_counts_are_parts_of_and_levels_come_as_they_are() {
    let (web1, web2) =
        (Exposition::start(&page(0.0, 0, "7.5")).unwrap(), Exposition::start(&page(0.0, 0, "NaN")).unwrap());
    let targets = [("web1", web1.address()), ("web2", web2.address())];
    let server = PrometheusServer::start(&targets).unwrap();
    let url = server.url();
    let mut memory = senses(watched(&url, "memory{{members}}", None, Measure::Level));
    let (_, look) = look_until(&mut memory, None, |_, look| !look.readings[0].is_empty()).await;
    assert_eq!(look.reading(0, &member("web1")), Reading::Level(7.5));
    assert_eq!(look.reading(0, &member("web2")), Reading::Missing, "NaN is no level");

    let by_requests =
        || senses(watched(&url, "sum by (instance) (orders_total{{members}})", None, Measure::Rate));
    let mut beside_requests = by_requests();
    look_until(&mut beside_requests, Some(10), |_, look| look.readings[0].len() == 2).await;
    web1.say(&page(4.0, 0, "7.5"));
    let (sums, _) = look_until(&mut beside_requests, Some(10), |sums, _| {
        sums.get(&member("web1")).is_some_and(|sum| sum.0 > 0)
    })
    .await;
    assert_eq!(sums[&member("web1")].0, 4);
    assert!(sums[&member("web1")].1 >= 10 && sums[&member("web1")].1 % 10 == 0, "{sums:?}");
    let mut beside_time = by_requests();
    let (sums, _) =
        look_until(&mut beside_time, None, |sums, _| sums.get(&member("web2")).is_some_and(|sum| sum.1 > 0))
            .await;
    assert!(sums[&member("web2")].1 >= 1000, "{sums:?}");

    let total = senses(watched(&url, "sum(orders_total)", None, Measure::Rate));
    let (_, look) = look_until(&mut { total }, None, |_, look| !look.silent.is_empty()).await;
    assert!(look.silent[0].contains("has no label \"instance\" that tells hosts apart"), "{look:?}");
    let wrong = senses(watched(&url, "sum(", None, Measure::Rate));
    let (_, look) = look_until(&mut { wrong }, None, |_, look| !look.silent.is_empty()).await;
    assert!(look.silent[0].contains("answered 400: ") && look.silent[0].contains("parse error"), "{look:?}");

    let matchers = |host: &str| Matchers::new(&format!("instance=\"{host}\"")).unwrap();
    let labels = Arms::Labels { canary: matchers("web1"), control: matchers("web2") };
    let mut by_labels = senses(watched(&url, "memory{{members}}", None, Measure::Level));
    let look = by_labels.look(&labels, None).await;
    assert_eq!(look.reading(0, &member("canary")), Reading::Level(7.5), "{look:?}");
    assert_eq!(look.reading(0, &member("control")), Reading::Missing);
}

#[tokio::test]
async fn a_server_that_is_slow_or_dead_costs_its_own_numbers_and_no_time() {
    let web = Exposition::start(&page(0.0, 0, "7")).unwrap();
    let targets = [("web1", web.address()), ("web2", web.address())];
    let mut server = PrometheusServer::start(&targets).unwrap();
    let query = "sum by (instance) (orders_total{{members}})";
    let mut senses = senses(watched(&server.url(), query, None, Measure::Rate));
    look_until(&mut senses, None, |_, look| look.readings[0].len() == 2).await;
    server.pause();
    let (_, look) = look_until(&mut senses, None, |_, look| !look.silent.is_empty()).await;
    assert!(look.silent[0].contains("did not answer within 5 s"), "{look:?}");
    assert_eq!(look.reading(0, &member("web1")), Reading::Missing);
    server.resume();
    look_until(&mut senses, None, |_, look| look.readings[0].len() == 2 && look.silent.is_empty()).await;
    server.kill();
    let (_, look) = look_until(&mut senses, None, |_, look| !look.silent.is_empty()).await;
    assert!(
        look.silent[0].contains("nothing listens at") || look.silent[0].contains("could not be asked"),
        "{look:?}"
    );
    let asked = Prometheus::new(&server.url(), Some("/nowhere/token".into())).query("up", None).await;
    assert!(asked.unwrap_err().to_string().starts_with("the token in /nowhere/token cannot be read"));
    server.restart().unwrap();
    look_until(&mut senses, None, |_, look| look.readings[0].len() == 2 && look.silent.is_empty()).await;
}
