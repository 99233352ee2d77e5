//! `andon pause`, `resume` and `abort`: wishes to a deployment under way.

use andon_core::deployment::{Ask, DeploymentId};

use super::{Done, say, say_json};
use crate::args::{Common, WishArgs};
use crate::context::open_ledger;
use crate::door::Door;
use crate::exit;
use crate::failure::Failure;
use crate::follow;
use crate::signals::Signals;

pub(crate) async fn pause(common: &Common, args: WishArgs) -> Done {
    let controller = open_ledger(common).await?;
    let id = under_way(&controller, args.deployment).await?;
    controller.wish(id, Ask::Pause, args.why).await?;
    told(common, id, "pause", &format!("{id} starts no further host; next: andon resume {}", id.0))
}

pub(crate) async fn resume(common: &Common, id: Option<DeploymentId>, take_over: bool) -> Done {
    let mut signals = Signals::listen()?;
    let controller = open_ledger(common).await?;
    let id = under_way(&controller, id).await?;
    match controller.resume(id, take_over).await? {
        Some(going) => follow::follow(&controller, going, common.json, &mut signals).await,
        None => told(
            common,
            id,
            "resume",
            &format!("{id} goes on where it is driven; watch it: andon show {}", id.0),
        ),
    }
}

pub(crate) async fn abort(common: &Common, args: WishArgs, rollback: bool) -> Done {
    let mut signals = Signals::listen()?;
    let controller = open_ledger(common).await?;
    let id = under_way(&controller, args.deployment).await?;
    match controller.ask(id, Ask::Abort { rollback }, args.why).await? {
        Some(going) => follow::follow(&controller, going, common.json, &mut signals).await,
        None => {
            told(common, id, "abort", &format!("{id} stops at its safe point; watch it: andon show {}", id.0))
        }
    }
}

/// The deployment that is meant: the given one, or the only one that has not ended.
async fn under_way(controller: &Door, given: Option<DeploymentId>) -> Result<DeploymentId, Failure> {
    /// How far back an unfinished deployment is looked for.
    const RECENT: usize = 200;
    if let Some(id) = given {
        return Ok(id);
    }
    let recent = controller.records().history(None, RECENT).await?;
    let open: Vec<DeploymentId> = recent.iter().filter(|row| row.ended.is_none()).map(|row| row.id).collect();
    match open.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::refused("no deployment is under way").next("andon history")),
        several => {
            let all: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(Failure::usage(format!("several deployments are under way: {}", all.join(", ")))
                .next("say which one"))
        }
    }
}

fn told(common: &Common, id: DeploymentId, ask: &str, sentence: &str) -> Done {
    if common.json {
        say_json(&serde_json::json!({ "deployment": id.0, "asked": ask }));
    } else {
        say(sentence);
    }
    Ok(exit::OK)
}
