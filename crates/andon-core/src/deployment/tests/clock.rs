//! Clocks that are wrong: time never runs backwards for a deployment, and never stands still for a day.

use std::time::Duration;

use super::super::*;
use super::world::{World, ana};
use crate::plan::tests::Fleet;

#[test]
fn a_successor_whose_clock_is_behind_the_record_goes_on_from_there() {
    let mut plan = Fleet::running(4).plan().unwrap();
    plan.bake = Duration::from_secs(60);
    let mut world = World::of(plan);
    world.run_until(|fact| matches!(fact, Fact::Entered { state: State::Baking { .. } }));
    let bake = world.deployment.plan.as_ref().unwrap().bake;
    let right = world.now;
    // Somebody whose clock is a day ahead takes charge, and then somebody whose clock is right.
    world.now = right + Duration::from_secs(86_400);
    let facts = world.deployment.take_charge(world.now, Fence(8), ana());
    world.record(facts);
    let before = world.deployment.clamp(world.now);
    world.now = right;
    let facts = world.deployment.take_charge(world.now, Fence(9), ana());
    world.record(facts);
    assert!(world.deployment.clamp(world.now) >= before, "time does not run backwards");
    let later = world.deployment.clamp(world.now + Duration::from_secs(7));
    assert_eq!(
        later.since(world.deployment.clamp(world.now)),
        Duration::from_secs(7),
        "nor does it stand still"
    );
    assert_eq!(*world.run(), State::Succeeded);
    assert!(world.now.since(right) < 2 * bake, "it took {:?}", world.now.since(right));
}
