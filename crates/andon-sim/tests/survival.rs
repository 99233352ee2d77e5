//! The simulation itself: it can be repeated, it finds what is broken on purpose, and old failures stay mended.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]
#![cfg(feature = "survival")]

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use andon_sim::survival::invariant::Invariant;
use andon_sim::survival::minimise::minimise;
use andon_sim::survival::play::{Played, play, play_story};
use andon_sim::survival::sabotage::Sabotage;
use andon_sim::survival::story::Story;
use andon_sim::survival::trouble::{Timed, Trouble};

/// Stories in which something was wrong once, with what it was.
const MENDED: &[(u64, &str)] = &[
    (179, "a host that was rebooted while it was watched lost its users without a drain"),
    (195, "the same, after a power cut and a pause"),
    (119, "a wish that came late took users from a host, where the newer one had changed nothing"),
    (223, "a wish that came late took users from a host that had come back"),
    (234, "a clock that was a day ahead made a deployment stand still for a day"),
];

#[test]
fn a_seed_gives_the_same_story_and_the_same_ledger() {
    for seed in 1..=6 {
        let (one, other) = (play(seed, None, None), play(seed, None, None));
        assert_eq!(one.told, other.told, "seed {seed}");
        assert_eq!(one.digest, other.digest, "seed {seed}");
    }
}

#[test]
fn another_process_tells_the_same() {
    for seed in [3_u64, 8] {
        let here = play(seed, None, None);
        let there = Command::new(env!("CARGO_BIN_EXE_survive"));
        let there = { there }.args(["--seed", &seed.to_string()]).output().unwrap();
        let told = String::from_utf8(there.stdout).unwrap();
        assert!(told.contains(&format!("digest {}", here.digest)), "seed {seed}:\n{told}");
    }
}

#[test]
fn what_was_mended_stays_mended() {
    for (seed, what) in MENDED {
        let played = play(*seed, None, None);
        assert_eq!(played.violation, None, "seed {seed}, where once {what}:\n{}", played.told.join("\n"));
    }
}

/// The first story among `seeds` in which sabotage is found, made small.
fn found(sabotage: Sabotage, seeds: std::ops::Range<u64>, expected: &[Invariant]) {
    for seed in seeds.clone() {
        let Some(violation) = play(seed, None, Some(sabotage)).violation else { continue };
        assert!(expected.contains(&violation.invariant), "{sabotage:?} in seed {seed}: {violation}");
        let small = minimise(seed, Some(sabotage)).unwrap();
        assert_eq!(small.played.violation.unwrap().invariant, violation.invariant);
        assert!(small.only.len() <= small.of.min(3), "{sabotage:?} in seed {seed} needs {:?}", small.only);
        // What is left is needed: without any one of it, nothing is found.
        for number in &small.only {
            let fewer: BTreeSet<usize> = small.only.iter().copied().filter(|other| other != number).collect();
            let invariant = play(seed, Some(&fewer), Some(sabotage)).violation.map(|found| found.invariant);
            assert_ne!(invariant, Some(violation.invariant), "{sabotage:?} in seed {seed}");
        }
        let whole: Played = play(seed, Some(&small.only), None);
        assert_eq!(whole.violation, None, "the same story, with nothing broken: seed {seed}");
        return;
    }
    panic!("{sabotage:?} is not found in {seeds:?}");
}

#[test]
fn a_marker_that_is_never_durable_is_found() {
    found(Sabotage::MarkerIsNotSynced, 1..5, &[Invariant::TruthfulPlace]);
}

#[test]
fn intents_that_are_recorded_after_the_act_are_found() {
    found(Sabotage::LedgerAcknowledgesEarly, 1..5, &[Invariant::IntentFirst]);
}

#[test]
fn steps_that_are_repeated_are_found() {
    found(Sabotage::StepsAreRepeated, 420..450, &[Invariant::Once]);
}

#[test]
fn an_interrupted_step_that_is_called_never_started_is_found() {
    found(Sabotage::InterruptedIsNeverStarted, 1..200, &[Invariant::Once]);
}

/// The story of a seed in which a host loses its power while the release is brought to it, at one moment after another.
#[test]
fn releases_that_are_named_before_they_are_whole_are_found() {
    let cut_at = |millis, sabotage| {
        let what = Trouble::PowerCut { host: 0, span: Duration::from_secs(2) };
        let at = Duration::from_millis(millis);
        let troubles = vec![Timed { at, what }];
        play_story(Story { troubles, ..Story::of(1) }, &[0], sabotage).violation
    };
    let moments = (300..900).step_by(100);
    let found: Vec<Invariant> = moments
        .clone()
        .filter_map(|at| cut_at(at, Some(Sabotage::NamedBeforeUnpacked)))
        .map(|violation| violation.invariant)
        .collect();
    assert!(
        found.contains(&Invariant::TruthfulPlace) || found.contains(&Invariant::WholeReleases),
        "{found:?}"
    );
    assert!(moments.into_iter().all(|at| cut_at(at, None).is_none()), "nothing is broken");
}

#[test]
fn drains_that_are_only_feigned_are_found() {
    found(Sabotage::DrainsAreFeigned, 1..5, &[Invariant::DrainBeforeChange]);
}

#[test]
fn wishes_that_come_late_and_are_obeyed_are_found() {
    let either =
        [Invariant::IntentFirst, Invariant::DrainBeforeChange, Invariant::WholeReleases, Invariant::Floor];
    found(Sabotage::LateWishesAreObeyed, 220..240, &either);
}

#[test]
fn stories_are_not_empty() {
    let kinds: BTreeSet<&str> =
        (1..400).flat_map(|seed| Story::of(seed).troubles).map(|timed| timed.what.kind()).collect();
    assert!(kinds.len() >= 28, "{kinds:?}");
}
