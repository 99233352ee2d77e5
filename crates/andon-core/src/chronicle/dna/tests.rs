//! Hosts that say this and that, and the strip that it makes.

use std::collections::BTreeMap;

use super::super::tests::{release, scope, summary};
use super::*;
use crate::host::{HostFacts, InstanceFacts};
use crate::name::InstanceName;
use crate::quantity::ByteSize;

fn facts(releases: &[Option<u64>]) -> HostFacts {
    let instance = |(at, number): (usize, &Option<u64>)| InstanceFacts {
        name: InstanceName::new(format!("{}", 8080 + at)).unwrap(),
        state: if number.is_some() { InstanceState::Running } else { InstanceState::Stopped },
        release: number.map(release),
        restarts: 0,
        health: None,
    };
    HostFacts {
        boot_id: "b".into(),
        arch: "x86_64".into(),
        free: ByteSize(1),
        current: None,
        releases: Vec::new(),
        marker: None,
        instances: releases.iter().enumerate().map(instance).collect(),
        authority: None,
        obstacles: Vec::new(),
        tokens: BTreeMap::new(),
    }
}

fn says(releases: &[Option<u64>]) -> Sighting {
    Sighting { answer: Some((Time(5), facts(releases))), ..Sighting::default() }
}

/// A line for each strand.
fn written(strip: &Strip) -> String {
    let line = |strand: &Strand| {
        let name = |id: &ReleaseId| (1..50).find(|number| release(*number) == *id).unwrap_or_default();
        let runs = match &strand.runs {
            Runs::Release(id) => format!("{}", name(id)),
            Runs::Mixed(ids) => ids.iter().map(name).map(|it| it.to_string()).collect::<Vec<_>>().join("+"),
            other => format!("{other:?}"),
        };
        let hosts: Vec<&str> = strand.hosts.iter().map(HostName::as_str).collect();
        let since = strand.since.map_or(String::new(), |(id, _)| format!(" since {id}"));
        format!(
            "{} {runs}{since}, {} back: {}\n",
            strand.standing.word(),
            strand.steps_behind,
            hosts.join(" ")
        )
    };
    strip.strands.iter().map(line).collect()
}

fn strip_of(sightings: &[(&str, Option<Sighting>)], current: Option<u64>) -> Strip {
    let mut chronicle = Chronicle::new();
    for id in 1..=5 {
        chronicle.apply(summary(id, scope("www", "production"), "succeeded", 10 * id as i64));
    }
    let mut again = summary(6, scope("www", "production"), "succeeded", 60);
    again.release = release(2);
    chronicle.apply(again);
    chronicle.apply(summary(7, scope("mail", "production"), "succeeded", 70));
    let named: Vec<(HostName, Option<Sighting>)> =
        sightings.iter().map(|(name, it)| (HostName::new(*name).unwrap(), it.clone())).collect();
    let hosts = named.iter().map(|(name, it)| (name, it.as_ref()));
    let current = current.map(release);
    strip(&Ages::of(&chronicle), &scope("www", "production"), current.as_ref(), hosts)
}

#[test]
fn strands_are_ordered_by_age_and_say_who_lags() {
    let silent = Sighting { silence: Some((Time(9), "no answer".into())), ..says(&[Some(4)]) };
    let strip = strip_of(
        &[
            ("web1", Some(says(&[Some(4), Some(4)]))),
            ("web2", Some(says(&[Some(1)]))),
            ("web3", Some(says(&[Some(4)]))),
            ("web4", Some(says(&[Some(5)]))),
            ("web5", Some(says(&[Some(4), Some(3)]))),
            ("web6", Some(says(&[None]))),
            ("web7", Some(says(&[Some(7)]))),
            ("web8", Some(silent)),
            ("web9", None),
            ("web10", Some(says(&[Some(3), None]))),
            ("web11", Some(says(&[Some(2)]))),
        ],
        Some(4),
    );
    insta::assert_snapshot!(written(&strip));
    assert_eq!((strip.hosts(), strip.releases(), strip.is_uniform()), (11, 5, false));
    assert_eq!(strip.standing(Standing::Behind), 2);
}

#[test]
fn a_fleet_without_laggards_is_one_strand() {
    let strip = strip_of(&[("web1", Some(says(&[Some(5)]))), ("web2", Some(says(&[Some(5)])))], Some(5));
    assert!(strip.is_uniform());
    insta::assert_snapshot!(written(&strip));
}

#[test]
fn before_anything_is_current_what_runs_is_ahead_and_what_is_not_asked_is_unknown() {
    let strip = strip_of(&[("web1", Some(says(&[Some(5)]))), ("web2", None)], None);
    insta::assert_snapshot!(written(&strip));
    assert_eq!(strip_of(&[], None).hosts(), 0);
}

#[test]
fn nothing_is_a_fault_only_where_something_should_run() {
    let nothing = [("web1", Some(says(&[None]))), ("web2", Some(says(&[None, None])))];
    let (fresh, lost) = (strip_of(&nothing, None), strip_of(&nothing, Some(5)));
    assert_eq!((fresh.standing(Standing::Empty), fresh.was_never_deployed()), (2, true));
    assert_eq!(
        (lost.standing(Standing::Nothing), lost.was_never_deployed(), lost.is_uniform()),
        (2, false, false)
    );
    let half = strip_of(&[("web1", Some(says(&[None]))), ("web2", Some(says(&[Some(5)])))], None);
    assert!(!half.was_never_deployed() && half.standing(Standing::Ahead) == 1);
}
