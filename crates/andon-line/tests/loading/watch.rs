//! What a line says about watching becomes the types of the core.

use std::path::Path;
use std::time::Duration;

use andon_core::analysis::{Measure, Policy, Role, Worse};
use andon_core::line::{Source, Watch, WatchRules};
use andon_line::load_source;

fn watch_of(arguments: &str) -> Option<Watch> {
    let text = format!(
        "service(\"a\", hosts = host(\"h\"), release = directory(\"a\"), run = systemd(unit = \"a.service\", \
         ports = [80]){arguments})"
    );
    load_source("line.star", &text, Path::new(".")).unwrap().line.services["a"].watch.clone()
}

const BALANCED: &str = ", balancer = haproxy(group(\"lb\", [\"lb1\"]))";

#[test]
fn what_is_not_said_is_what_the_balancers_count() {
    assert_eq!(watch_of(""), None);
    assert_eq!(watch_of(", balancer = []"), None);
    let nothing = Watch { metrics: Vec::new(), vitals: false, rules: WatchRules::default() };
    assert_eq!(watch_of(&format!("{BALANCED}, watch = []")), Some(nothing.clone()));
    let usual = watch_of(BALANCED).unwrap();
    assert_eq!(watch_of(&format!("{BALANCED}, judge = judge()")).as_ref(), Some(&usual));
    let same = watch_of(&format!("{BALANCED}, watch = [vitals(), errors(), latency()], judge = judge()"));
    assert_eq!(Some(&usual), same.as_ref(), "the usual numbers are those of the bare words");
    let vitals = Some(Watch { vitals: true, ..nothing });
    assert_eq!(watch_of(", judge = judge()"), vitals);
    for blind in ["agent_check()", "[agent_check(), nginx(host(\"lb\"), access_log = None)]"] {
        assert_eq!(watch_of(&format!(", balancer = {blind}")), vitals, "{blind} counts nothing");
    }
    let one_counts = ", balancer = [agent_check(), nginx(host(\"lb\"))]";
    assert_eq!(watch_of(one_counts).as_ref(), Some(&usual));
    let named: Vec<(&str, bool, f64, f64)> = usual
        .metrics
        .iter()
        .map(|one| (one.metric.name.as_str(), one.metric.critical, one.metric.margin, one.metric.harm))
        .collect();
    assert_eq!(
        named,
        [("errors", true, 1.1, 2.0), ("slow-p90", false, 1.1, 1.5), ("slow-p99", false, 1.1, 1.5)]
    );
    let roles: Vec<Role> = usual.metrics.iter().map(|one| one.metric.role).collect();
    assert_eq!(roles, [Role::Errors, Role::Slow, Role::Slow]);
}

#[test]
fn numbers_from_elsewhere_keep_what_they_were_told() {
    let watch = watch_of(
        ", watch = [prometheus(\"orders\", query = \"sum by (pod) (orders_total{{members}})\", url = \
         \"https://prom.example.com/base/\", label = \"pod\", value = \"{host}-0\", worse = \"lower\", \
         critical = True, harm = 3, weight = 2.5, token_file = \"keys/prom\", every = \"1m\"), pushed(\"heap\", kind = \"level\", \
         worse = \"either\"), counted(\"mails\", \"bin/mails --all 'a b'\", timeout = \"2s\")]",
    );
    let metrics = watch.unwrap().metrics;
    let Source::Prometheus(orders) = &metrics[0].source else { panic!("{metrics:?}") };
    assert_eq!(
        (orders.url.as_str(), orders.label.as_str(), orders.value.as_str(), orders.of.as_deref()),
        ("https://prom.example.com/base", "pod", "{host}-0", None)
    );
    assert_eq!(orders.query, "sum by (pod) (orders_total{{members}})");
    assert_eq!(orders.token_file.as_deref(), Some(Path::new("keys/prom")));
    assert_eq!(orders.every, Duration::from_secs(60));
    let metric = &metrics[0].metric;
    assert_eq!((metric.worse, metric.critical, metric.harm, metric.weight), (Worse::Lower, true, 3.0, 2.5));
    let heap = &metrics[1];
    assert_eq!((heap.metric.measure, heap.metric.worse), (Measure::Level, Worse::Either));
    assert_eq!(heap.source, Source::Pushed { name: "heap".into(), of: None, every: Duration::from_secs(5) });
    let command = ["bin/mails", "--all", "a b"].map(str::to_owned).to_vec();
    assert_eq!(
        metrics[2].source,
        Source::Script { command, timeout: Duration::from_secs(2), every: Duration::from_secs(15) }
    );
}

#[test]
fn the_rules_of_the_schema_are_those_of_the_core() {
    let rules = |judge: &str| watch_of(&format!(", watch = [vitals()]{judge}")).unwrap().rules;
    assert_eq!(rules(""), WatchRules::default());
    assert_eq!(rules(", judge = judge()"), WatchRules::default());
    let said = ", judge = judge(false_alarm_in = 200, tick = \"3s\", warmup = \"0s\", observe = \"1m\", window = \"5m\", \
                extensions = 2, inconclusive = \"rollback\", no_data = \"proceed\", holdback = \"0s\")";
    let expected = WatchRules {
        false_alarm_in: 200,
        tick: Some(Duration::from_secs(3)),
        warmup: Duration::ZERO,
        observe: Duration::from_secs(60),
        window: Duration::from_secs(300),
        extensions: 2,
        inconclusive: Some(Policy::RollBack),
        no_data: Policy::Proceed,
        holdback: Duration::ZERO,
    };
    assert_eq!(rules(said), expected);
}

#[test]
fn every_number_knows_where_it_was_written() {
    let text = "service(\"a\", hosts = host(\"h\"), release = directory(\"a\"), run = process(exec = \"a\"),\n    \
                watch = [vitals(),\n    pushed(\"b\", worse = \"lower\")], judge = judge(window = \"9m\"))";
    let loaded = load_source("line.star", text, Path::new(".")).unwrap();
    let at = |key: &str| loaded.origins.get(key).map(|origin| (origin.line, origin.column));
    assert_eq!(at("a.watch"), Some((2, 13)));
    assert_eq!(at("a.watch[1].worse"), Some((3, 25)));
    assert_eq!(at("a.judge.window"), Some((3, 59)));
}
