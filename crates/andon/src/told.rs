//! Who was told about a deployment. Telling is bounded in time and never changes how a command ends.

use std::time::Duration;

use andon_core::deployment::Deployment;
use andon_core::telling::{Dispatch, LetterState, Telling};
use andon_server::{Outbox, RecordsError};

use crate::args::Common;
use crate::commands::say;
use crate::context::{Context, everybody, width};
use crate::door::Door;
use crate::paint::Paint;
use crate::screen::{legible, paragraph};

/// How long a command that is done waits for servers that take messages.
const PATIENCE: Duration = Duration::from_secs(10);

/// Delivers what a deployment has to tell, and says what became of it.
pub(crate) async fn after(controller: &Door, deployment: &Deployment, silent: bool) {
    let tell = deployment.plan.as_ref().and_then(|plan| plan.service.tell.as_ref());
    let outbox = controller.outbox();
    let told = async {
        if controller.server().is_some() {
            return by_a_server(outbox, deployment).await;
        }
        outbox.note(deployment, || None).await?;
        outbox.deliver(false, PATIENCE, None).await?;
        outbox.list(&format!("{}/", deployment.id.0), 20).await
    };
    let dispatches = match told.await {
        Ok(dispatches) => dispatches,
        Err(error) if !silent => {
            say(&format!("  {} nobody could be told: {error}", Paint::stdout().question()));
            return;
        }
        Err(_) => return,
    };
    if silent {
        return;
    }
    for line in lines(&dispatches) {
        say(&line);
    }
    let Some(tell) = tell else { return };
    let authorless =
        dispatches.iter().any(|one| one.telling.blames_the_release && one.telling.author(tell).is_none());
    if authorless && tell.author && tell.mail.is_some() {
        let text = "its author was not told: the release was made from no commit with a mail address";
        say(&paragraph(&format!("  {} ", Paint::stdout().question()), text, line_width()));
    }
}

/// What a server that tells by itself has come to, within the time that a command waits.
async fn by_a_server(outbox: &Outbox, deployment: &Deployment) -> Result<Vec<Dispatch>, RecordsError> {
    /// How often it is looked.
    const LOOK: Duration = Duration::from_millis(250);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let dispatches = outbox.list(&format!("{}/", deployment.id.0), 20).await?;
        let waits = dispatches.iter().flat_map(|one| &one.letters).any(|letter| letter.tries == 0);
        if !waits || tokio::time::Instant::now() >= deadline {
            return Ok(dispatches);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Tells everybody whom any service of the line tells, and who asked for it, that a person stopped the line, or started it again.
pub(crate) async fn of_the_line(common: &Common, controller: &Door, telling: Telling) {
    let tell = everybody(common);
    // A server has told them itself.
    if controller.server().is_some() {
        return;
    }
    let outbox = controller.outbox();
    let told = async {
        outbox.announce(telling, tell.as_ref()).await?;
        outbox.deliver(false, PATIENCE, None).await
    };
    match told.await {
        Ok(round) if round.waiting > 0 && !common.json => {
            say(&format!("{} messages wait: andon tell retry", round.waiting));
        }
        Ok(_) => {}
        Err(error) if !common.json => say(&format!("nobody could be told: {}", legible(&error.to_string()))),
        Err(_) => {}
    }
}

fn lines(dispatches: &[Dispatch]) -> Vec<String> {
    let paint = Paint::stdout();
    let (mut arrived, mut others, mut waiting) = (Vec::new(), Vec::new(), 0);
    for letter in dispatches.iter().flat_map(|dispatch| &dispatch.letters) {
        let to = letter.route.address().to_string();
        match &letter.state {
            LetterState::Delivered { .. } if arrived.contains(&to) => {}
            LetterState::Delivered { .. } => arrived.push(to),
            LetterState::Waiting { why, .. } => {
                waiting += 1;
                let why = why.as_ref().map(|why| format!(": {}", legible(why))).unwrap_or_default();
                others.push(format!("the message to {to} waits{why}"));
            }
            LetterState::GivenUp { why, .. } => {
                others.push(format!("{to} could not be told: {}", legible(why)))
            }
        }
    }
    let mut lines = Vec::new();
    if !arrived.is_empty() {
        lines.push(paragraph("  ", &format!("told: {}", arrived.join(", ")), line_width()));
    }
    let sign = format!("  {} ", paint.question());
    lines.extend(others.iter().map(|text| paragraph(&sign, text, line_width())));
    if waiting > 0 {
        lines.push(format!("  {}  andon tell retry", paint.dim("next")));
    }
    lines
}

fn line_width() -> usize {
    if Paint::stdout().live { width() } else { usize::MAX }
}

/// Delivers what waits from earlier, beside what this command is about.
pub(crate) fn earlier(context: &Context) {
    if context.controller.server().is_some() {
        return;
    }
    let (outbox, line) = (context.controller.outbox().clone(), context.line.line().clone());
    tokio::spawn(async move {
        if outbox.catch_up().await.is_ok() {
            let _ = outbox.deliver(false, PATIENCE, Some(&line)).await;
        }
    });
}

/// Delivers what waits and is due, for a command that runs again and again.
pub(crate) async fn in_time(context: &Context) {
    if context.controller.server().is_some() {
        return;
    }
    let outbox = context.controller.outbox();
    if outbox.catch_up().await.is_ok() {
        let _ = outbox.deliver(false, PATIENCE, Some(context.line.line())).await;
    }
}
