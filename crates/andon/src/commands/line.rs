//! `andon line`: whether changes flow, and the cord that stops them.

use andon_core::cord::Cord;
use andon_core::telling::{line_running, line_stopped};
use andon_core::time::Time;
use andon_server::clock;

use super::{Done, say, say_json};
use crate::args::{Common, LineCommand};
use crate::context::{me, open_ledger, width};
use crate::failure::Failure;
use crate::paint::Paint;
use crate::screen::{legible, paragraph};
use crate::{cord, exit, json, told, when};

/// The longest reason, in bytes.
const LONGEST: usize = 1000;
/// Changes that are shown.
const SHOWN: usize = 5;

pub(crate) async fn line(common: &Common, what: Option<LineCommand>) -> Done {
    match what {
        None => state(common).await,
        Some(LineCommand::Stop { why }) => stop(common, &why).await,
        Some(LineCommand::Start { why }) => start(common, &why).await,
    }
}

async fn state(common: &Common) -> Done {
    let cord = open_ledger(common).await?.records().cord().await?.value;
    if common.json {
        say_json(&json::cord(&cord));
    } else {
        say(&text(&cord, clock::now(), Paint::stdout()));
    }
    Ok(if cord.is_stopped() { exit::NOT_WELL } else { exit::OK })
}

async fn stop(common: &Common, why: &str) -> Done {
    let why = reason(why)?;
    let controller = open_ledger(common).await?;
    let before = controller.stop_line(why.clone()).await?;
    let now = clock::now();
    told::of_the_line(common, &controller, line_stopped(&now.0.to_string(), &me().name, &why, now)).await;
    if common.json {
        say_json(&json::cord(&controller.records().cord().await?.value));
    } else if before.is_stopped() {
        say("the line was stopped already; your reason stands beside the others: andon line");
    } else {
        say(
            "the line is stopped: only rollbacks and declared fixes begin from now on; what is under way goes on\n  \
             next  when it is over: andon line start \"why\"",
        );
    }
    Ok(exit::OK)
}

async fn start(common: &Common, why: &str) -> Done {
    let why = reason(why)?;
    let controller = open_ledger(common).await?;
    let before = controller.start_line(why.clone()).await?;
    if before.is_stopped() {
        let now = clock::now();
        told::of_the_line(common, &controller, line_running(&now.0.to_string(), &me().name, &why, now)).await;
    }
    if common.json {
        say_json(&json::cord(&controller.records().cord().await?.value));
    } else if before.is_stopped() {
        let (now, over) = (clock::now(), before.stops());
        say("the line is running again; it had been stopped by");
        over.iter().for_each(|stop| say(&paragraph("  ", &cord::reason(stop, now), wide())));
    } else {
        say("the line is running already; nothing was recorded");
    }
    Ok(exit::OK)
}

/// A person's reason: there is one, and it is short enough to be read by everybody who is refused.
fn reason(text: &str) -> Result<String, Failure> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return Err(Failure::usage(format!(
            "a reason has 1 to {LONGEST} bytes, this one has {}",
            text.len()
        ))
        .next("say what was seen, in one sentence"));
    }
    Ok(text.to_owned())
}

fn wide() -> usize {
    if Paint::stdout().live { width() } else { usize::MAX }
}

/// The state, what else there is to know, and how it goes on.
fn text(line: &Cord, now: Time, paint: Paint) -> String {
    let sign = if line.is_stopped() { paint.cross() } else { paint.tick() };
    let mut lines = vec![paragraph(&format!("{sign} "), &cord::sentence(line, now), wide())];
    let others = line.stops().iter().skip(1);
    lines.extend(others.map(|stop| paragraph("  also ", &cord::reason(stop, now), wide())));
    if line.is_stopped() {
        let label = format!("  {}  ", paint.dim("next"));
        lines.push(paragraph(&label, &cord::next(line.stops(), None), wide()));
    }
    let changes = line.changes().take(SHOWN);
    lines.extend(changes.map(|it| {
        let lead = format!("  {} ", paint.dot());
        paragraph(&lead, &format!("{} {}", when::ago(it.at, now), legible(&it.sentence())), wide())
    }));
    lines.join("\n")
}
