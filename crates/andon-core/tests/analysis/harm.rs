//! Harmful releases are seen, harmless ones left alone.

use andon_core::analysis::{Arm, HoldReason, Status, Verdict};

use super::world::World;

#[test]
fn tenfold_errors_on_one_of_twenty_are_seen_in_minutes() {
    let mut world = World::errors(1, 19);
    let seconds = world.run(900, 10.0);
    let standing = world.judge.standing();
    assert_eq!(standing.verdict, Some(Verdict::Fail), "{standing:?}");
    assert!(seconds <= 180, "{seconds}");
    assert!(standing.sentence.starts_with("errors on web1 were "), "{}", standing.sentence);
    assert!(standing.sentence.ends_with(" requests"), "{}", standing.sentence);
    assert!(standing.metrics[0].blamed && standing.metrics[0].low.unwrap() > 1.0);
}

#[test]
fn a_harmless_release_passes() {
    let mut world = World::errors(5, 95);
    world.run(900, 1.0);
    let standing = world.judge.standing();
    assert_eq!(standing.verdict, Some(Verdict::Pass), "{standing:?}");
    assert!(standing.sampled && standing.sentence.starts_with("harm is excluded after "));
}

#[test]
fn a_small_fleet_says_what_it_could_have_seen() {
    let mut world = World::errors(1, 4);
    world.load = 1.0;
    world.run(901, 1.0);
    let standing = world.judge.standing();
    assert_eq!(standing.verdict, Some(Verdict::Inconclusive), "{standing:?}");
    assert!(standing.sentence.contains("-fold rate could have been seen"), "{}", standing.sentence);
}

#[test]
fn a_bad_host_is_not_a_bad_release() {
    let mut world = World::errors(5, 15);
    let bad = |name: &str, _: Arm| if name == "web3" { 0.02 } else { 0.001 };
    let begin = world.at;
    while world.judge.standing().suspects.is_empty() && world.at - begin < 900_000 {
        let tick = world.make(bad);
        world.hear(tick);
    }
    let standing = world.judge.standing();
    assert_eq!(standing.verdict, None, "{standing:?}");
    assert_eq!(standing.suspects[0].member.as_str(), "web3");
    assert_eq!(standing.status, Status::Hold { reason: HoldReason::Suspect });
    // It is pulled, and the others go on without its evidence.
    world.canaries.retain(|name| name != "web3");
    world.run_with(900, bad);
    assert_eq!(world.judge.standing().verdict, Some(Verdict::Pass), "{:?}", world.judge.standing());
}

#[test]
fn the_same_fault_on_all_hosts_is_the_release() {
    let mut world = World::errors(5, 15);
    let seconds = world.run(900, 5.0);
    let standing = world.judge.standing();
    assert_eq!(standing.verdict, Some(Verdict::Fail), "{standing:?}");
    assert!(standing.suspects.is_empty() && seconds < 300, "{seconds} {standing:?}");
}
