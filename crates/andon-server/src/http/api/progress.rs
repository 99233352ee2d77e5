//! `/v1/deployments/{number}/progress`: a deployment, followed live: its facts as they are recorded, and what is in no ledger.
//!
//! The id of an event is the number of the last fact that was sent, so that whoever comes back goes on where they were. A
//! stream ends by itself after a while and is asked for again: so no connection is held for ever, and a broken one is found.

use std::sync::Arc;
use std::time::Duration;

use andon_core::deployment::DeploymentId;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::IntoParams;

use crate::driver::Progress;
use crate::http::Desk;
use crate::http::asked::{AskedPath, AskedQuery, Whole};
use crate::http::outlet::{Carrier, Outlet, frame, heartbeat};
use crate::http::reply::Refused;

/// How long a stream lasts.
const STRETCH: Duration = Duration::from_secs(25);
/// How often the ledger is looked at, and the most often that a picture is sent.
const LOOK: Duration = Duration::from_millis(250);
/// At least so often something is sent.
const QUIET: Duration = Duration::from_secs(5);

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// The facts up to this number are known already. The header `Last-Event-ID` says the same.
    #[param(value_type = Option<u64>, maximum = 9_007_199_254_740_991u64)]
    after: Option<Whole>,
}

/// Events: `facts` (`after`, `entries`), `live` (`behind`, `standing`, `round`), `driven` (whether this server drives it),
/// `stumbled` (why its driver gave up), `leaving` (the server is about to end).
#[utoipa::path(
    get,
    path = "/v1/deployments/{number}/progress",
    tag = "events",
    operation_id = "progress",
    params(("number" = u64, Path, description = "The deployment", maximum = 9_007_199_254_740_991u64), From),
    responses((status = OK, body = String, content_type = "text/event-stream"))
)]
pub(super) async fn follow(
    State(desk): State<Arc<Desk>>,
    AskedPath(Whole(number)): AskedPath<Whole>,
    AskedQuery(From { after }): AskedQuery<From>,
    carrier: Carrier,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let id = DeploymentId(number);
    let known = desk.controller.records().deployment(id).await?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let after = after.map(|after| after.0).or(last).unwrap_or(0).min(known.seq);
    let (say, response) = carrier.open()?;
    tokio::spawn(async move {
        // Whoever asked has gone: nothing is left to do.
        let _ = Teller { desk, id, seq: after, say, sent: Sent::default() }.tell().await;
    });
    Ok(response)
}

/// What was sent of that which is in no ledger.
#[derive(Default)]
struct Sent {
    live: Value,
    driven: Option<bool>,
}

struct Teller {
    desk: Arc<Desk>,
    id: DeploymentId,
    seq: u64,
    say: Outlet,
    sent: Sent,
}

/// The reader has gone, or the ledger cannot be read any more.
struct Gone;

impl Teller {
    async fn tell(mut self) -> Result<(), Gone> {
        let mut stopping = self.desk.workshop.stopping();
        let (end, mut spoke) = (Instant::now() + STRETCH, Instant::now());
        let mut head = None;
        while Instant::now() < end {
            let watching = self.desk.workshop.progress(self.id);
            let driven = watching.is_some();
            // What its driver says comes before what is recorded: an end that is recorded is told last.
            let mut told = self.live(watching.as_ref()).await?;
            let newest = self.desk.controller.records().ledger().head().await.map_err(|_| Gone)?;
            if head != Some(newest) {
                head = Some(newest);
                told |= self.facts().await?;
            }
            told |= self.driven(driven).await?;
            if *stopping.borrow() {
                return self.event("leaving", None, &json!({})).await;
            }
            if told {
                spoke = Instant::now();
            } else if spoke.elapsed() >= QUIET {
                spoke = Instant::now();
                self.say.send(heartbeat()).await.map_err(|_| Gone)?;
            }
            tokio::select! {
                () = self.say.over() => return Err(Gone),
                _ = stopping.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        Ok(())
    }

    /// The facts that were recorded since.
    async fn facts(&mut self) -> Result<bool, Gone> {
        let entries = self.desk.controller.records().entries(self.id, self.seq).await.map_err(|_| Gone)?;
        if entries.is_empty() {
            return Ok(false);
        }
        let after = self.seq;
        self.seq += entries.len() as u64;
        self.event("facts", Some(self.seq), &json!({ "after": after, "entries": entries })).await?;
        Ok(true)
    }

    async fn live(&mut self, watching: Option<&watch::Receiver<Progress>>) -> Result<bool, Gone> {
        let Some(watching) = watching else { return Ok(false) };
        let live = {
            let progress = watching.borrow();
            json!({ "behind": progress.behind, "standing": progress.standing.as_deref(), "round": *progress.round })
        };
        if live == self.sent.live {
            return Ok(false);
        }
        self.event("live", None, &live).await?;
        self.sent.live = live;
        Ok(true)
    }

    /// Whether it is driven here; and why it is not any more, where its driver stumbled.
    async fn driven(&mut self, driven: bool) -> Result<bool, Gone> {
        if self.sent.driven == Some(driven) {
            return Ok(false);
        }
        self.sent.driven = Some(driven);
        self.event("driven", None, &json!(driven)).await?;
        if let Some(problem) = self.desk.workshop.stumbled(self.id).filter(|_| !driven) {
            self.event("stumbled", None, problem.as_ref()).await?;
        }
        Ok(true)
    }

    async fn event(&self, name: &str, id: Option<u64>, data: &impl Serialize) -> Result<(), Gone> {
        let data = serde_json::to_string(data).map_err(|_| Gone)?;
        self.say.send(frame(name, id, &data)).await.map_err(|_| Gone)
    }
}
