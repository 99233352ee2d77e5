//! `andon tell list`, `subscribe`, `unsubscribe`: what people asked to be told, each for themselves.

use std::collections::BTreeSet;

use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::telling::subscriptions::{Occasion, SubscriptionId};
use andon_server::answers::{Asking, SubscriptionRow};
use andon_server::{SubscribingError, clock};
use clap::Args;
use serde_json::{Value, json};

use crate::args::Common;
use crate::commands::{Done, say, say_json};
use crate::context::{everybody, me, open_ledger};
use crate::door::Door;
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;
use crate::screen::legible;

/// What somebody wants to be told.
#[derive(Debug, Clone, Args)]
pub(crate) struct SubscribeArgs {
    /// By mail to this address, through the server that the line names
    #[arg(long, value_name = "ADDRESS", group = "way")]
    mail: Option<String>,
    /// In a chat, as Slack and Mattermost take it: a URL, or the name of a secret that begins with tell-
    #[arg(long, value_name = "URL|SECRET", group = "way")]
    chat: Option<String>,
    /// By a call with everything as JSON: a URL, or the name of a secret that begins with tell-
    #[arg(long, value_name = "URL|SECRET", group = "way")]
    webhook: Option<String>,
    /// Only about these services [default: all]
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    service: Vec<ServiceName>,
    /// Only about these environments [default: all]
    #[arg(long, value_name = "ENVIRONMENT", value_delimiter = ',')]
    environment: Vec<EnvironmentName>,
    /// When: began, ended-well, rolled-back, line-stopped, line-started, approval-asked
    #[arg(long, value_name = "OCCASION", value_delimiter = ',', default_value = "rolled-back,line-stopped")]
    on: Vec<Occasion>,
}

pub(super) async fn list(common: &Common) -> Done {
    let door = open_ledger(common).await?;
    let all = door.records().subscriptions().await?.value;
    let rows: Vec<SubscriptionRow> =
        all.iter().map(|(id, standing)| SubscriptionRow::of(id, standing)).collect();
    if common.json {
        say_json(&serde_json::to_value(&rows).unwrap_or(Value::Null));
        return Ok(exit::OK);
    }
    if rows.is_empty() {
        say("Nobody asked to be told anything.\n  next  andon tell subscribe --mail you@example.com");
    }
    for ((id, standing), row) in all.iter().zip(&rows) {
        let (person, to) = (legible(&row.person), legible(&row.to));
        let about = standing.subscription.about();
        say(&format!("{id}  {person} at {to}: {about}, on {}", row.on.join(", ")));
    }
    Ok(exit::OK)
}

pub(super) async fn subscribe(common: &Common, args: SubscribeArgs) -> Done {
    let ways = [("mail", args.mail), ("chat", args.chat), ("webhook", args.webhook)];
    let Some((how, to)) = ways.into_iter().find_map(|(how, to)| Some((how, to?))) else {
        return Err(Failure::usage("how should you be told?")
            .next("for example: andon tell subscribe --mail you@example.com"));
    };
    let asking = Asking {
        services: args.service.into_iter().collect(),
        environments: args.environment.into_iter().collect(),
        on: args
            .on
            .iter()
            .map(|occasion| occasion.name().to_owned())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        how: how.to_owned(),
        to,
    };
    let door = open_ledger(common).await?;
    let id = match &door {
        Door::Server(remote) => remote.subscribe(&asking).await?,
        Door::Here(controller) => {
            let (person, server) = (me().name, everybody(common).and_then(|tell| tell.mail));
            let wish = asking.of(&person, server.as_ref()).map_err(|error| refused(error.into()))?;
            controller.records().subscribe(clock::now(), &person, wish).await.map_err(refused)?
        }
    };
    if common.json {
        say_json(&json!({ "subscription": id.0 }));
    } else {
        let tick = Paint::stdout().tick();
        say(&format!("{tick} you are told from now on\n  next  to end it: andon tell unsubscribe {id}"));
    }
    Ok(exit::OK)
}

pub(super) async fn unsubscribe(common: &Common, id: u64) -> Done {
    let id = SubscriptionId(id);
    let door = open_ledger(common).await?;
    match &door {
        Door::Server(remote) => remote.unsubscribe(id).await?,
        Door::Here(controller) => {
            controller.records().unsubscribe(clock::now(), &me().name, id).await.map_err(refused)?;
        }
    }
    if common.json {
        say_json(&json!({ "ended": id.0 }));
    } else {
        say(&format!("{} subscription {id} has ended", Paint::stdout().tick()));
    }
    Ok(exit::OK)
}

fn refused(error: SubscribingError) -> Failure {
    match error {
        SubscribingError::Refused(error) => Failure::refused(error.to_string()).next("andon tell list"),
        SubscribingError::Records(error) => error.into(),
    }
}
