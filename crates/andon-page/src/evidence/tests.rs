//! What is shown of a deployment that moved, was paused, and hurt.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_chart::traffic::EventMark;
use andon_core::analysis::{
    Arm, Baseline, Entry, Judge, Measure, Metric, Reading, Role, Seen, Spec, Tick, Verdict,
};
use andon_core::deployment::{Ask, HostState, PauseReason, Phase, Request, State};
use andon_core::name::{HostName, MemberName, MetricName};
use andon_core::person::Person;

use super::*;
use crate::samples::{NOON, frame, keep, release, summary};

fn at(second: i64) -> Time {
    Time(NOON.0 + second * 1_000)
}

fn metric(name: &str, worse: Worse, role: Role) -> Metric {
    Metric {
        name: MetricName::new(name).unwrap(),
        measure: Measure::Rate,
        worse,
        role,
        weight: 1.0,
        critical: true,
        margin: 1.1,
        harm: 2.0,
        negligible: 0.0,
    }
}

fn header() -> Header {
    let metrics =
        vec![metric("errors", Worse::Higher, Role::Errors), metric("orders", Worse::Lower, Role::Other)];
    Header::new(Spec::new(metrics), Baseline::default())
}

/// Ten minutes in which new hosts fail ten times as often.
fn entries() -> Vec<Entry> {
    let seen = |arm, errors, of| Seen {
        arm,
        age: Some(Duration::from_secs(600)),
        readings: vec![Reading::Count { events: errors, of }, Reading::Count { events: of / 10, of }],
        alarms: Vec::new(),
    };
    let tick = |n: i64| {
        let moved = u64::try_from(n).unwrap().min(400);
        let members = BTreeMap::from([
            (MemberName::new("new").unwrap(), seen(Arm::Canary, moved / 20, moved)),
            (MemberName::new("old").unwrap(), seen(Arm::Control, 2, 500 - moved)),
        ]);
        Entry::Tick(Tick { at: at(30 + n), over: Duration::from_secs(1), members, silent: Vec::new() })
    };
    (0..570).map(tick).collect()
}

fn deployment() -> Deployment {
    let row = summary(1, "www", 1, "succeeded", 0);
    let release = andon_core::release::Release {
        id: release(1),
        digest: andon_core::digest::Digest::of(b"1"),
        packing: andon_core::release::Packing::TarGz,
        packed: andon_core::quantity::ByteSize(1),
        unpacked: andon_core::quantity::ByteSize(1),
        revision: row.revision,
        signed: None,
    };
    let request = Request {
        scope: row.scope,
        kind: row.kind,
        release,
        by: person("ana"),
        why: None,
        fixes: None,
        allow_bad: None,
        take_over: false,
        passes: andon_core::guard::Passes::default(),
    };
    let mut deployment = Deployment::new(row.id, request, at(0));
    deployment.started = Some(at(0));
    deployment.ended = Some(at(600));
    deployment
}

fn person(name: &str) -> Person {
    Person { name: name.into(), at: "desk".into() }
}

fn facts(standing: &Standing) -> Vec<(Time, Fact)> {
    let entered = |second, state| (at(second), Fact::Entered { state });
    let wave = |n| State::Running { phase: Phase::Wave(n) };
    let asked = |second, ask| (at(second), Fact::Asked { ask, by: person("<b>ana"), why: None });
    let judged = Standing { verdict: Some(Verdict::Fail), ..standing.clone() };
    vec![
        entered(5, wave(0)),
        (at(20), Fact::Host { host: HostName::new("web1").unwrap(), state: HostState::Succeeded }),
        entered(30, State::Running { phase: Phase::Judge { wave: 0, since: at(30) } }),
        entered(200, wave(1)),
        asked(260, Ask::Pause),
        entered(260, State::Paused { reason: PauseReason::Manual, at: Phase::Wave(1) }),
        asked(300, Ask::Resume),
        entered(300, wave(1)),
        (at(590), Fact::Judged { standing: Box::new(judged) }),
        entered(599, State::Aborted { superseded_by: None }),
    ]
}

fn evidence() -> Evidence {
    let (header, entries) = (header(), entries());
    let mut judge = Judge::new(header.spec.clone(), header.baseline.clone());
    let mut flow = Flow::new(&header, at(0), at(600));
    for entry in &entries {
        judge.apply(entry);
        flow.add(entry);
    }
    let standing = judge.standing();
    let facts = facts(&standing);
    let facts = facts.iter().map(|(at, fact)| (*at, fact));
    Evidence::of(&deployment(), facts, Some(&header), flow, Some(&standing), at(700))
}

#[test]
fn traffic_moves_under_the_events_of_the_deployment() {
    let traffic = evidence().traffic.unwrap();
    assert_eq!((traffic.from, traffic.to), (at(0), at(600)));
    let told: Vec<(&str, EventMark)> =
        traffic.events.iter().map(|event| (event.name.as_str(), event.mark)).collect();
    assert_eq!(
        told,
        [
            ("wave 1 of 1", EventMark::Step),
            ("comparing", EventMark::Step),
            ("wave 2 of 2", EventMark::Step),
            ("paused by <b>ana", EventMark::Pause),
            ("resumed by <b>ana", EventMark::Pause),
            ("wave 2 of 2", EventMark::Step),
            ("verdict: failed", EventMark::Against),
            ("aborted", EventMark::Pause),
        ]
    );
    assert!((100..=242).contains(&traffic.new.len()), "thinned: {}", traffic.new.len());
    let last = traffic.new.last().unwrap();
    assert!((last.1 - 400.0).abs() < 1.0, "{last:?}");
    assert!((traffic.old[0].1 - 499.0).abs() < 3.0, "{:?}", traffic.old[0]);
}

#[test]
fn metrics_have_their_harm_line_on_the_side_that_hurts() {
    let rows = evidence().rows.unwrap().rows;
    assert_eq!(rows[0].harm, (Some(2.0), None));
    assert_eq!(rows[1].harm, (None, Some(0.5)));
    assert_eq!(rows[0].says(), andon_chart::ratio::Says::Harm);
}

#[test]
fn both_charts_are_one_part_of_a_page_and_nothing_is_none() {
    let markup = render(&evidence(), &frame(at(700))).unwrap();
    assert!(markup.0.contains("Traffic of new and old hosts") && !markup.0.contains("<b>ana"));
    keep("evidence", &frame(at(700)).page("Evidence", &markup));
    let nothing = Evidence::of(&deployment(), std::iter::empty(), None, Flow::default(), None, at(9));
    assert_eq!(nothing, Evidence { traffic: None, rows: None });
    assert!(render(&nothing, &frame(at(9))).is_none());
}

#[test]
fn what_was_heard_under_another_clock_is_left_out() {
    let header = header();
    let mut flow = Flow::new(&header, at(0), at(10));
    let Entry::Tick(tick) = entries().remove(100) else { panic!() };
    for (when, over) in [(i64::MIN, 1), (i64::MAX, 1), (NOON.0 - 1, 1), (NOON.0 + 500, 0)] {
        flow.add(&Entry::Tick(Tick { at: Time(when), over: Duration::from_secs(over), ..tick.clone() }));
    }
    assert_eq!(flow.lines(), (Vec::new(), Vec::new()));
}
