//! What people type, at good moments and at bad ones, and what they are answered. Each command is a process of its own.

use std::sync::Arc;

use andon_core::deployment::{Ask, DeploymentId, Kind};
use andon_core::person::Person;
use andon_core::scope::Lock;
use andon_server::{Controller, Going, Problem};

use super::trouble::{Act, PEOPLE, Trouble};
use super::world::World;

/// Carries an act out in a process of its own, to its end or to the process's.
pub async fn act(world: Arc<World>, machine: usize, act: Act) {
    let (controller, process) = world.process(machine);
    let name = PEOPLE.get(machine).copied().unwrap_or("somebody");
    let kind = Trouble::Person { machine, act }.kind();
    tokio::select! {
        biased;
        () = process.death() => {
            world.log.say(format!("{name}'s command is killed"));
            if let Some(after) = process.died_at_append() {
                world.count(Trouble::DiesAtAppend { machine, nth: 1, after }.kind());
            }
        }
        answer = carry_out(&world, &controller, act) => {
            if answer.is_ok() {
                world.count(kind);
            }
            let answer = answer.unwrap_or_else(|problem| format!("error: {}", spoken(&problem)));
            world.log.say(format!("{name} is answered: {answer}"));
        }
    }
    world.ended(&process);
}

/// A problem without the number of a process, which differs from run to run.
pub fn spoken(problem: &Problem) -> String {
    let text = problem.to_string();
    match text.find(" (process ") {
        Some(at) => {
            let rest = text[at..].find(')').map(|end| &text[at + end + 1..]).unwrap_or_default();
            format!("{}{rest}", &text[..at])
        }
        None => text,
    }
}

async fn carry_out(world: &World, controller: &Controller, act: Act) -> Result<String, Problem> {
    let release = |number| world.story.release(number);
    match act {
        Act::Deploy(number) => {
            let wish = world.wish(release(number), Kind::Deploy, None);
            ends(controller.deploy(wish).await?).await
        }
        Act::Fix(number) => {
            let wish = world.wish(release(number), Kind::Deploy, broken(world));
            ends(controller.deploy(wish).await?).await
        }
        Act::Rollback => {
            let scope = world.observer.scope();
            let current = scope.current.as_ref();
            let target =
                current.and_then(|current| scope.rollback_target(current)).map(|known| known.release.clone());
            match target {
                Some(target) => {
                    ends(controller.deploy(world.wish(target, Kind::Rollback, None)).await?).await
                }
                None => Ok("there is nothing to go back to".to_owned()),
            }
        }
        Act::Abort { rollback } => match at_work(world) {
            Some(id) => asked(controller.ask(id, Ask::Abort { rollback }, None).await?).await,
            None => Ok("nothing is at work".to_owned()),
        },
        Act::Pause => match at_work(world) {
            Some(id) => controller.wish(id, Ask::Pause, None).await.map(|()| "asked".to_owned()),
            None => Ok("nothing is at work".to_owned()),
        },
        Act::Resume { take_over } => match at_work(world) {
            Some(id) => asked(controller.resume(id, take_over).await?).await,
            None => Ok("nothing is at work".to_owned()),
        },
        Act::Sweep => controller.sweep(&world.sweep()).await.map(|found| format!("{} found", found.len())),
        Act::StopLine => {
            let by = Person { name: "ben".to_owned(), at: "phone".to_owned() };
            controller.stop_line(by, "a page of an error".to_owned()).await.map(|_| "stopped".to_owned())
        }
        Act::StartLine => {
            let by = Person { name: "ben".to_owned(), at: "phone".to_owned() };
            controller.start_line(by, "it was nothing".to_owned()).await.map(|_| "started".to_owned())
        }
    }
}

/// The end of a deployment that this process drives.
pub async fn ends(going: Going) -> Result<String, Problem> {
    let Going { id, progress, end } = going;
    let ended = end.await.map_err(|error| Problem::NotNow(format!("the driver stumbled: {error}")))?;
    drop(progress);
    ended.map(|deployment| format!("{id} is {}", deployment.state.name()))
}

async fn asked(going: Option<Going>) -> Result<String, Problem> {
    match going {
        Some(going) => ends(going).await,
        None => Ok("somebody else drives it, and was told".to_owned()),
    }
}

/// The deployment that owns the scope, else the newest that has not ended.
fn at_work(world: &World) -> Option<DeploymentId> {
    match world.observer.scope().lock {
        Lock::Owned { deployment, .. } => Some(deployment),
        Lock::Free | Lock::Held { .. } => world.open().last().map(|deployment| deployment.id),
    }
}

/// The deployment that the scope is held for, or that has stopped the line.
pub fn broken(world: &World) -> Option<DeploymentId> {
    match world.observer.scope().lock {
        Lock::Held { deployment, .. } => Some(deployment),
        Lock::Free | Lock::Owned { .. } => {
            world.observer.cord().stops().iter().find_map(|stop| stop.deployment())
        }
    }
}
