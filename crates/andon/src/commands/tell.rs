//! `andon tell`: messages to people, and what became of them.

use std::time::Duration;

use andon_core::name::ServiceName;
use andon_core::scope::ScopeName;
use andon_core::telling::{Dispatch, Letter, LetterState, Outcome, sample};
use andon_core::time::Time;
use andon_server::{clock, revision};
use serde_json::{Value, json};

use super::{Done, say, say_json};
use crate::args::{Common, TellCommand};
use crate::context::{Context, find_line, load, me, open_ledger};
use crate::failure::Failure;
use crate::paint::Paint;
use crate::remote::Tried;
use crate::screen::legible;
use crate::{exit, when};

pub(crate) use subscriptions::SubscribeArgs;

mod subscriptions;

/// Messages that are shown.
const SHOWN: usize = 20;
/// The time for a round of tries that somebody waits for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn tell(common: &Common, what: Option<TellCommand>) -> Done {
    match what {
        None => list(common).await,
        Some(TellCommand::Retry) => retry(common).await,
        Some(TellCommand::Test { service }) => test(common, &service).await,
        Some(TellCommand::List) => subscriptions::list(common).await,
        Some(TellCommand::Subscribe(args)) => subscriptions::subscribe(common, args).await,
        Some(TellCommand::Unsubscribe { subscription }) => {
            subscriptions::unsubscribe(common, subscription).await
        }
    }
}

async fn list(common: &Common) -> Done {
    let controller = open_ledger(common).await?;
    let outbox = controller.outbox();
    if controller.server().is_none() {
        outbox.catch_up().await?;
    }
    let dispatches = outbox.list("", SHOWN).await?;
    let now = clock::now();
    if common.json {
        let rows: Vec<Value> = dispatches.iter().map(as_json).collect();
        say_json(&Value::Array(rows));
    } else if dispatches.is_empty() {
        say("Nobody was told anything yet.\n  next  andon help tell, then: andon tell test SERVICE");
    } else {
        dispatches.iter().for_each(|dispatch| say(&as_text(dispatch, now)));
    }
    Ok(exit::OK)
}

async fn retry(common: &Common) -> Done {
    let controller = open_ledger(common).await?;
    let round = match controller.server() {
        Some(remote) => remote.retry_messages().await?,
        None => {
            // Without a line, or with one that has mistakes, mail goes as it would have gone.
            let line = find_line(common).ok().and_then(|path| load(&path).ok());
            controller.outbox().catch_up().await?;
            let line = line.as_ref().map(|loaded| &loaded.line);
            controller.outbox().deliver(true, PATIENCE, line).await?
        }
    };
    if common.json {
        say_json(&json!({ "delivered": round.delivered, "waiting": round.waiting }));
    } else {
        let paint = Paint::stdout();
        let (delivered, waiting) = (messages(round.delivered), messages(round.waiting));
        match (round.waiting, round.elsewhere) {
            (0, _) if round.delivered == 0 => say("No message waits."),
            (0, _) => say(&format!("{} {delivered} delivered, none waits", paint.tick())),
            (_, true) => {
                say(&format!("{} another andon is delivering; {waiting} not yet delivered", paint.half()))
            }
            (_, false) => {
                say(&format!("{} {delivered} delivered, {waiting} not\n  next  andon tell", paint.question()))
            }
        }
    }
    Ok(if round.waiting == 0 { exit::OK } else { exit::NOT_WELL })
}

async fn test(common: &Common, name: &ServiceName) -> Done {
    let context = Context::open(common).await?;
    let service = context.service(name)?;
    let Some(tell) = &service.tell else {
        return Err(Failure::refused(format!("{name} tells nobody"))
            .why("its service(...) has no `tell`")
            .next("andon help tell shows how"));
    };
    let Some(environment) = service.environments.keys().next() else {
        return Err(Failure::refused(format!("{name} has no environment")));
    };
    let scope = ScopeName { service: name.clone(), environment: environment.clone() };
    let (tried, authorless) = match context.controller.server() {
        Some(remote) => {
            let Tried { tried, authorless } = remote.test_messages(name).await?;
            (tried, authorless)
        }
        None => {
            let revision = revision::head(&context.line.dir).await;
            let telling = sample(scope, revision, &me(), clock::now());
            let authorless = tell.author && tell.mail.is_some() && telling.author(tell).is_none();
            (context.controller.outbox().try_now(&telling, tell).await, authorless)
        }
    };
    if common.json {
        let rows: Vec<Value> = tried
            .iter()
            .map(|(route, outcome)| {
                let (arrived, answer) = answer(outcome);
                json!({ "to": route.address().to_string(), "arrived": arrived, "answer": answer })
            })
            .collect();
        say_json(&Value::Array(rows));
    } else {
        let paint = Paint::stdout();
        for (route, outcome) in &tried {
            let (arrived, answer) = answer(outcome);
            let sign = if arrived { paint.tick() } else { paint.cross() };
            say(&format!("{sign} {}: {}", route.address(), legible(answer)));
        }
        if authorless {
            say(&format!("{} the author: no commit with a mail address is known here", paint.question()));
        }
    }
    let well = !tried.is_empty() && tried.iter().all(|(_, outcome)| answer(outcome).0);
    Ok(if well { exit::OK } else { exit::NOT_WELL })
}

fn answer(outcome: &Outcome) -> (bool, &str) {
    match outcome {
        Outcome::Delivered(text) => (true, text),
        Outcome::NotNow(text) | Outcome::Never(text) => (false, text),
    }
}

fn messages(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

fn as_text(dispatch: &Dispatch, now: Time) -> String {
    let telling = &dispatch.telling;
    let mut text = format!("{}  {}", when::ago(telling.at, now), legible(&telling.headline));
    for letter in &dispatch.letters {
        text.push_str(&format!("\n  {}", letter_text(letter, now)));
    }
    text
}

fn letter_text(letter: &Letter, now: Time) -> String {
    let (paint, to) = (Paint::stdout(), letter.route.address());
    match &letter.state {
        LetterState::Delivered { at, .. } => format!("{} {to}  {}", paint.tick(), when::ago(*at, now)),
        LetterState::Waiting { again, why } => {
            let why = why.as_ref().map(|why| format!(": {}", legible(why))).unwrap_or_default();
            let left = when::span(again.since(now));
            format!("{} {to}  waits, tried {} times, due in {left}{why}", paint.half(), letter.tries)
        }
        LetterState::GivenUp { at, why } => {
            format!("{} {to}  given up {}: {}", paint.cross(), when::ago(*at, now), legible(why))
        }
    }
}

fn as_json(dispatch: &Dispatch) -> Value {
    let telling = &dispatch.telling;
    let letters: Vec<Value> = dispatch
        .letters
        .iter()
        .map(|letter| {
            let (state, at, words) = match &letter.state {
                LetterState::Waiting { again, why } => ("waiting", again, why.as_deref()),
                LetterState::Delivered { at, answer } => ("delivered", at, Some(answer.as_str())),
                LetterState::GivenUp { at, why } => ("given_up", at, Some(why.as_str())),
            };
            json!({
                "to": letter.route.address().to_string(),
                "state": state,
                "at": when::iso(*at),
                "tries": letter.tries,
                "answer": words,
            })
        })
        .collect();
    json!({
        "key": telling.key,
        "kind": telling.kind,
        "deployment": telling.deployment.map(|id| id.0),
        "headline": telling.headline,
        "at": when::iso(telling.at),
        "letters": letters,
    })
}
