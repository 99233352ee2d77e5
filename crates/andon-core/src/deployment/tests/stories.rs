//! Random stories: whatever hosts, balancers, commands and people do, every deployment comes to a legal end.

use proptest::prelude::*;

use super::super::*;
use super::world::{Answer, World};
use crate::balance::FailureKind;
use crate::host::{Outcome, Stage, TokenStatus};
use crate::plan::OnFailure;
use crate::plan::tests::Fleet;
use crate::quantity::Share;

fn any_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Fails),
        Just(Answer::Dead),
        Just(Answer::Cut(TokenStatus::Running)),
        Just(Answer::Cut(TokenStatus::Interrupted)),
        Just(Answer::Cut(TokenStatus::NeverStarted)),
        Just(Answer::Cut(TokenStatus::Finished(Outcome::Succeeded))),
    ]
}

fn any_failure() -> impl Strategy<Value = (FailureKind, usize)> {
    (prop_oneof![Just(FailureKind::Unreachable), Just(FailureKind::Drift)], 1usize..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever hosts do and whatever people ask, every deployment comes to an end, and in a legal state:
    /// nothing is at work, and after a rollback every touched host is back.
    #[test]
    fn every_story_ends_in_a_legal_state(
        hosts in 1usize..12,
        sick in proptest::collection::vec(0usize..12, 0..3),
        troubles in proptest::collection::vec((1usize..12, 0usize..4, any::<bool>(), any_answer()), 0..8),
        asks in proptest::collection::vec(0usize..4, 0..4),
        floor in proptest::option::of(0u8..100),
        balancer in proptest::option::of(proptest::collection::vec(any_failure(), 0..40)),
        two_sets in any::<bool>(),
        (sites, failing_commands, reloads) in (any::<bool>(), 0usize..3, any::<bool>()),
    ) {
        let two_sets = two_sets && balancer.is_some();
        let mut fleet = Fleet::running(hosts);
        if balancer.is_some() {
            fleet = if two_sets { fleet.with_green_set() } else { fleet.balanced() };
            if reloads && !two_sets {
                fleet = fleet.reloading();
            }
            if sites && !two_sets {
                fleet = fleet.in_sites(&["fra", "ams"]);
            }
        }
        fleet.sick(&sick);
        fleet.service.rollout.min_available = floor.map(Share::Percent);
        if fleet.plan().is_err() {
            return Ok(()); // Refused: nothing begins, so there is no story.
        }
        let mut world = World::new(&fleet);
        world.failing_commands = failing_commands;
        let stages = [Stage::Prepare, Stage::Activate, Stage::Verify, Stage::Observe];
        if let Some(failures) = balancer {
            world.balancer.failures = failures.into_iter().flat_map(|(kind, times)| vec![kind; times]).collect();
        }
        for (host, stage, back, answer) in troubles {
            let way = if back { Way::Back } else { Way::Forward };
            world.script.entry((format!("web{host}"), stages[stage], way)).or_default().push_back(answer);
        }
        for ask in asks {
            world.run();
            let ask = [Ask::Pause, Ask::Resume, Ask::Abort { rollback: true }, Ask::Abort { rollback: false }][ask].clone();
            if world.deployment.admits(&ask).is_ok() {
                world.ask(ask);
            }
        }
        for _ in 0..20 {
            world.run();
            if world.deployment.admits(&Ask::Resume).is_ok() {
                world.dead.clear();
                world.ask(Ask::Resume);
            }
        }
        if matches!(world.deployment.state, State::Paused { .. }) {
            world.ask(Ask::Abort { rollback: false });
            world.run();
        }
        let state = world.deployment.state.clone();
        prop_assert!(state.is_terminal(), "{state:?} {:?}", world.states());
        prop_assert!(!world.deployment.busy(), "{:?}", world.states());
        let mut scope = crate::scope::Scope::default();
        for fact in world.deployment.consequences(&scope.clone()) {
            scope.apply(world.now, &fact);
        }
        let drained = world.deployment.hosts.iter().filter(|(_, run)| run.drained).map(|(host, _)| host);
        prop_assert!(two_sets || drained.eq(scope.held.keys()), "I3: every drain ends in an enable or is held");
        if let State::RolledBack { .. } = state {
            let back = |run: &HostRun| match two_sets {
                true => !run.serving,
                false => run.state == HostState::Reverted,
            };
            prop_assert!(world.deployment.touched().all(|(_, run)| back(run)), "{:?}", world.states());
        }
        if state == State::Succeeded && world.deployment.plan.as_ref().unwrap().on_failure == OnFailure::RollBack {
            prop_assert!(world.states().values().any(|state| *state == "succeeded"));
        }
    }
}
