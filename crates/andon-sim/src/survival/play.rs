//! Plays one story from its beginning to its end, in simulated time, and says how it went. One thread, no waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use andon_core::deployment::{Kind, State};
use andon_core::digest::Digest;

use super::clock;
use super::invariant::{Invariant, Violation};
use super::patience::{PATIENT, brings_order};
use super::people;
use super::sabotage::Sabotage;
use super::story::Story;
use super::trouble::{Act, Trouble};
use super::world::World;

/// What is left over of the last trouble ends by itself within this.
const SETTLING: Duration = Duration::from_secs(5);

/// How a story went.
#[derive(Debug, Clone)]
pub struct Played {
    /// Where it comes from.
    pub seed: u64,
    /// What did not hold, if anything.
    pub violation: Option<Violation>,
    /// What happened, in lines.
    pub told: Vec<String>,
    /// The digest of all that happened and of the ledger.
    pub digest: Digest,
    /// What has truly struck, and how often.
    pub struck: BTreeMap<&'static str, u64>,
    /// How deployments ended, and how often.
    pub ends: BTreeMap<String, u64>,
    /// How much time was simulated.
    pub simulated: Duration,
}

/// Plays the story of a seed; with `only`, with these of its troubles only.
pub fn play(seed: u64, only: Option<&BTreeSet<usize>>, sabotage: Option<Sabotage>) -> Played {
    let story = Story::of(seed);
    let numbers: Vec<usize> = match only {
        Some(only) => (0..story.troubles.len()).filter(|number| only.contains(number)).collect(),
        None => (0..story.troubles.len()).collect(),
    };
    let story = match only {
        Some(only) => story.only(only),
        None => story,
    };
    play_story(story, &numbers, sabotage)
}

/// Plays a story; `numbers` are those of its troubles, in their order.
pub fn play_story(story: Story, numbers: &[usize], sabotage: Option<Sabotage>) -> Played {
    let seed = story.seed;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    match runtime {
        Ok(runtime) => {
            let played = runtime.block_on(tell(Arc::new(story), numbers, sabotage));
            runtime.shutdown_background();
            played
        }
        Err(error) => unplayed(seed, &error.to_string()),
    }
}

fn unplayed(seed: u64, why: &str) -> Played {
    let violation = Violation { invariant: Invariant::EndsWell, what: format!("it cannot be played: {why}") };
    Played {
        seed,
        violation: Some(violation),
        told: Vec::new(),
        digest: Digest::of(b""),
        struck: BTreeMap::new(),
        ends: BTreeMap::new(),
        simulated: Duration::ZERO,
    }
}

async fn tell(story: Arc<Story>, numbers: &[usize], sabotage: Option<Sabotage>) -> Played {
    let world = match World::new(&story, sabotage) {
        Ok(world) => world,
        Err(error) => return unplayed(story.seed, &error.to_string()),
    };
    tokio::select! {
        biased;
        () = world.observer.finds() => {}
        () = goes(&world, numbers) => {}
    }
    let hash = world.verify_ledger().await;
    let mut ends = BTreeMap::new();
    for deployment in world.observer.deployments() {
        *ends.entry(deployment.state.name().to_owned()).or_default() += 1;
    }
    Played {
        seed: story.seed,
        violation: world.observer.violation(),
        told: world.log.told(),
        digest: world.log.digest(&hash),
        struck: world.struck(),
        ends,
        simulated: clock::elapsed(),
    }
}

async fn goes(world: &Arc<World>, numbers: &[usize]) {
    if world.story.has_past {
        let (controller, process) = world.process(PATIENT);
        let wish = world.wish(world.story.release(0), Kind::Deploy, None);
        let deployed = async { people::ends(controller.deploy(wish).await?).await };
        let answer = deployed.await;
        let good = world.observer.deployments().last().is_some_and(|last| last.state == State::Succeeded);
        if !good {
            let what = format!("the first release does not arrive, and nothing is wrong: {answer:?}");
            return world.observer.violated(Invariant::EndsWell, what);
        }
        world.ended(&process);
    }
    clock::story_begins();
    tokio::spawn(people::act(Arc::clone(world), 0, Act::Deploy(1)));
    let began = clock::elapsed();
    let mut quiet = began;
    for (number, timed) in numbers.iter().zip(&world.story.troubles) {
        tokio::time::sleep((began + timed.at).saturating_sub(clock::elapsed())).await;
        world.strike(*number as u64, &timed.what);
        if let Trouble::Person { machine, act } = timed.what {
            tokio::spawn(people::act(Arc::clone(world), machine, act));
        }
        quiet = quiet.max(clock::elapsed() + timed.what.span());
    }
    tokio::time::sleep((quiet + SETTLING).saturating_sub(clock::elapsed())).await;
    world.log.say("all troubles are over");
    brings_order(world).await;
}
