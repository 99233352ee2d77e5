//! At its start a server takes charge of what was under way and whose controller is gone, and later of its own deployments
//! that lost their driver to the ledger: a disk was full, somebody else wrote for long. What was paused stays paused; what
//! somebody drives stays theirs.

use std::time::Duration;

use andon_core::deployment::{DeploymentId, Summary};
use andon_server::lines::{Exceptions, LineKeeper};
use andon_server::workshop::Workshop;
use andon_server::{Controller, Problem, Wish};

use super::super::say;
use crate::screen::legible;

/// How far back unfinished deployments are looked for.
const RECENT: usize = 500;
/// When it is looked: at once, and after the lease of a process on another machine, that died before, has run out.
const LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(15), Duration::from_secs(25)];

/// How often it is looked whether one has lost its driver.
const AGAIN: Duration = Duration::from_secs(15);

/// Takes charge of what is found at the start, now and a short while later, and of what loses its driver here.
pub(super) async fn take_charge(controller: Controller, workshop: Workshop, line: LineKeeper) {
    of_what_was_left(&controller, &workshop, &line).await;
    loop {
        tokio::time::sleep(AGAIN).await;
        if *workshop.stopping().borrow() {
            return;
        }
        for id in workshop.cut_off() {
            if one(&controller, &workshop, &line, id).await {
                workshop.settle(id);
            }
        }
    }
}

async fn of_what_was_left(controller: &Controller, workshop: &Workshop, line: &LineKeeper) {
    let mut open: Option<Vec<DeploymentId>> = None;
    for pause in LOOKS {
        tokio::time::sleep(pause).await;
        let found = match &open {
            Some(found) => found.clone(),
            None => match unfinished(controller).await {
                Ok(found) => found,
                Err(problem) => {
                    say(&format!("what was under way cannot be read: {}", legible(&problem.to_string())));
                    continue;
                }
            },
        };
        let mut left = Vec::new();
        for id in found {
            if !one(controller, workshop, line, id).await {
                left.push(id);
            }
        }
        if left.is_empty() {
            return;
        }
        open = Some(left);
    }
}

/// The oldest first: a deployment that waits comes after the one that it waits for.
async fn unfinished(controller: &Controller) -> Result<Vec<DeploymentId>, Problem> {
    let rows = controller.records().history(None, RECENT).await?;
    let open = rows.iter().rev().filter(|row: &&Summary| row.ended.is_none());
    Ok(open.map(|row| row.id).collect())
}

/// Whether nothing is left to do about a deployment.
async fn one(controller: &Controller, workshop: &Workshop, line: &LineKeeper, id: DeploymentId) -> bool {
    if workshop.progress(id).is_some() {
        return true;
    }
    let wish = wish(controller, line, id).await;
    match controller.adopt(id, wish).await {
        Ok(Some(going)) => {
            workshop.take(going, |id, why| say(&format!("{id} is not driven any more: {}", legible(&why))));
            say(&format!("{id} was left by its controller and goes on here"));
            true
        }
        // It has ended, or somebody lives who drives it; who died on another machine shows so later.
        Ok(None) => {
            let known = controller.records().deployment(id).await;
            known.is_ok_and(|known| known.value.state.is_terminal())
        }
        Err(problem) => {
            say(&format!("{id} cannot be gone on with: {}", legible(&problem.to_string())));
            // What the ledger did not let be done is tried once more.
            !matches!(problem, Problem::Records(_))
        }
    }
}

/// What a deployment in the queue was wished to be, by the line as it is now.
async fn wish(controller: &Controller, line: &LineKeeper, id: DeploymentId) -> Option<Wish> {
    let request = controller.records().deployment(id).await.ok()?.value.request;
    let more = Exceptions {
        why: request.why,
        fixes: request.fixes,
        allow_bad: request.allow_bad,
        allow_wide: request.passes.allow_wide,
        take_over: request.take_over,
        confirmed: request.passes.confirmed,
    };
    line.current().ok()?.wish(&request.scope, request.kind, request.release, more)
}
