//! The end of a story: once all troubles are over, somebody patient does what the messages say, until the world is in
//! order; and then it must be.

use std::sync::Arc;
use std::time::Duration;

use andon_core::deployment::{Ask, Deployment, Kind, State};
use andon_core::person::Person;
use andon_core::scope::Lock;
use andon_server::{Controller, Problem};

use super::disk::{Content, Name};
use super::host::Instance;
use super::invariant::Invariant;
use super::people::{self, spoken};
use super::world::World;

/// The machine of the patient one.
pub const PATIENT: usize = 3;

/// Rounds of looking after everything that has not ended.
const ROUNDS: usize = 14;
/// From this round on, leases are taken from whoever has them.
const TAKES_OVER: usize = 6;
/// From this round on, what pauses still is aborted, and put back where it can be: its reason does not pass by itself.
const GIVES_UP: usize = 9;
/// How often a deployment is tried that is to be tried again.
const TRIES: usize = 6;
/// The pause between two rounds.
const PAUSE: Duration = Duration::from_secs(15);
/// The longest time for one deployment to end.
const LONGEST: Duration = Duration::from_secs(150);

/// Brings the world to order; what does not come to order is a violation.
pub async fn brings_order(world: &Arc<World>) {
    let (controller, process) = world.process(PATIENT);
    for round in 0..ROUNDS {
        let open = world.open();
        if open.is_empty() {
            break;
        }
        for deployment in open {
            let answer = looks_after(&controller, &deployment, round).await;
            let answer = answer.unwrap_or_else(|problem| spoken(&problem));
            world.log.say(format!("pat looks after {}: {answer}", deployment.id));
        }
        tokio::time::sleep(PAUSE).await;
    }
    for deployment in world.open() {
        let (id, state) = (deployment.id, &deployment.state);
        world.observer.violated(Invariant::EndsWell, format!("{id} does not end: it is {state:?}"));
    }
    if world.observer.violation().is_none() {
        repairs(world, &controller).await;
    }
    world.ended(&process);
}

async fn looks_after(
    controller: &Controller,
    deployment: &Deployment,
    round: usize,
) -> Result<String, Problem> {
    let id = deployment.id;
    if deployment.plan.is_none() {
        // Whoever let it wait may still be there.
        if round < 2 {
            return Ok("it waits".to_owned());
        }
        return controller.ask(id, Ask::Abort { rollback: false }, None).await.map(|_| "aborted".to_owned());
    }
    if round >= GIVES_UP && matches!(deployment.state, State::Paused { .. }) {
        for rollback in [true, false] {
            if let Ok(going) = controller.ask(id, Ask::Abort { rollback }, None).await {
                let ended = going.map(people::ends);
                return match ended {
                    Some(ends) => {
                        tokio::time::timeout(LONGEST, ends).await.unwrap_or(Ok("too long".to_owned()))
                    }
                    None => Ok("aborted".to_owned()),
                };
            }
        }
    }
    match controller.resume(id, round >= TAKES_OVER).await? {
        Some(going) => match tokio::time::timeout(LONGEST, people::ends(going)).await {
            Ok(ended) => ended,
            Err(_) => Ok("it takes too long".to_owned()),
        },
        None => Ok("somebody else drives it, and was told to go on".to_owned()),
    }
}

/// One more release is deployed, as the repair of what went wrong: it must arrive everywhere.
async fn repairs(world: &Arc<World>, controller: &Controller) {
    for _ in 0..2 {
        match controller.sweep(&world.sweep()).await {
            Ok(found) => found.iter().for_each(|found| world.log.say(format!("pat sweeps: {found:?}"))),
            Err(problem) => world.log.say(format!("pat sweeps: {}", spoken(&problem))),
        }
    }
    let last = world.story.release(world.story.releases.len().saturating_sub(1));
    let wish = world.wish(last.clone(), Kind::Deploy, people::broken(world));
    let wish = match people::broken(world) {
        None if world.observer.cord().is_stopped() => {
            let by = Person { name: "pat".to_owned(), at: "desk".to_owned() };
            let _ = controller.start_line(by, "all is well".to_owned()).await;
            wish
        }
        _ => wish,
    };
    let deployed = async {
        let mut tries = 1;
        loop {
            match controller.deploy(wish.clone()).await {
                // It says: try again. The lease of one who died a moment ago runs out.
                Err(Problem::NotNow(_)) if tries < TRIES => tries += 1,
                other => return people::ends(other?).await,
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let answer = match tokio::time::timeout(2 * LONGEST, deployed).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(problem)) => format!("error: {}", spoken(&problem)),
        Err(_) => "it takes too long".to_owned(),
    };
    world.log.say(format!("pat deploys the last release: {answer}"));
    let ended = world.observer.deployments().pop();
    if ended.as_ref().is_none_or(|ended| ended.state != State::Succeeded || ended.request.release != last) {
        let what = format!("a good release cannot be deployed once all troubles are over: {answer}");
        world.observer.violated(Invariant::EndsWell, what);
        return;
    }
    is_in_order(world, &last.id);
}

fn is_in_order(world: &World, release: &andon_core::release::ReleaseId) {
    let complain = |what: String| world.observer.violated(Invariant::EndsWell, what);
    let scope = world.observer.scope();
    if scope.lock != Lock::Free || scope.waiting.is_some() || !scope.held.is_empty() {
        let held: Vec<String> = scope.held.keys().map(ToString::to_string).collect();
        complain(format!(
            "at the end the lock is {:?}, {:?} waits, {held:?} are held",
            scope.lock, scope.waiting
        ));
    }
    if world.observer.cord().stops().iter().any(|stop| stop.deployment().is_some()) {
        complain("at the end the line stands for a deployment that was mended".to_owned());
    }
    let in_traffic = world.balancer.in_traffic();
    for (name, host) in &world.hosts {
        let (current, healthy, whole) = host.see(|disk, instance| {
            let current = match disk.get(&Name::Current) {
                Some(Content::Link(release)) => Some(release.clone()),
                _ => None,
            };
            let runs = instance.filter(|instance| instance.release == *release);
            let whole = disk.get(&Name::Release(release.clone())) == Some(&Content::Files { whole: true });
            (current, runs.is_some_and(Instance::is_healthy), whole)
        });
        if current.as_ref() != Some(release) || !healthy || !whole {
            complain(format!("at the end {name} does not serve {release}: healthy {healthy}, whole {whole}"));
        }
        if world.story.balanced && !in_traffic.contains(name) {
            complain(format!("at the end {name} is out of lb1"));
        }
    }
}
