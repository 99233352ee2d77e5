//! `GET /v1/events`: what happens, as it happens. All clients share one reader of the ledger, and each event is written once
//! for all of them. A client that falls behind is cut, and asks again from the last event that it has.

use std::sync::Arc;

use andon_core::name::ServiceName;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;

use super::asked::{AskedQuery, Whole};
use super::outlet::{Carrier, Cut, HEARTBEAT, Outlet, frame, heartbeat};
use super::reply::{ErrorCode, Refused};

mod event;
mod hub;

pub(super) use hub::Hub;

use event::Event;
use hub::{Batch, Past};

/// Which events are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only those of this deployment, and of the line.
    #[param(value_type = Option<u64>, maximum = 9_007_199_254_740_991u64)]
    deployment: Option<Whole>,
    /// Only those of this service, and of the line.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length = 253)]
    service: Option<ServiceName>,
}

impl Wanted {
    fn wants(&self, event: &Event) -> bool {
        match (&self.deployment, &self.service) {
            (None, None) => true,
            _ if event.of_the_line => true,
            (deployment, service) => {
                deployment.is_none_or(|only| event.deployment == Some(only.0))
                    && service.as_ref().is_none_or(|only| event.service.as_ref() == Some(only))
            }
        }
    }
}

/// What happens, as it happens: Server-Sent Events. The id of an event is its position in the ledger; after the header
/// `Last-Event-ID` the stream goes on behind that. Events are `hello` (the stream is open), `deployment`, `line`, `scope`,
/// `message` and `record` (each is one record), `progress` (how a deployment stands that is driven here; without an id), and
/// `reset` (too much was missed: read again what you show).
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(Wanted, ("Last-Event-ID" = Option<u64>, Header, description = "The position that is known already",
        maximum = 9_007_199_254_740_991u64)),
    responses((status = OK, body = String, content_type = "text/event-stream")))]
pub(super) async fn follow(
    Extension(hub): Extension<Hub>,
    carrier: Carrier,
    AskedQuery(wanted): AskedQuery<Wanted>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let after = match headers.get("last-event-id") {
        None => None,
        Some(id) => Some(id.to_str().ok().and_then(|id| id.parse::<u64>().ok()).ok_or_else(|| {
            let what = "Last-Event-ID is no position of the ledger";
            Refused::new(ErrorCode::InvalidRequest, what, "leave it out to hear what happens from now on")
        })?),
    };
    let (outlet, response) = carrier.open()?;
    let subscription = hub.subscribe().await?;
    tokio::spawn(async move {
        // However it ends: the client asks again from where it was.
        let _ = carry(&hub, &outlet, &wanted, after, subscription).await;
    });
    Ok(response)
}

async fn carry(
    hub: &Hub,
    outlet: &Outlet,
    wanted: &Wanted,
    after: Option<u64>,
    subscription: hub::Subscription,
) -> Result<(), Cut> {
    let hub::Subscription { live, at } = subscription;
    let said = json!({ "head": at, "version": env!("CARGO_PKG_VERSION") }).to_string();
    let hello = frame("hello", after.is_none().then_some(at), &said);
    outlet.send([Bytes::from_static(b"retry: 2000\n"), hello].concat().into()).await?;
    if let Some(after) = after {
        catch_up(hub, outlet, wanted, after, at).await?;
    }
    pass_on(outlet, wanted, live).await
}

/// Sends what happens from now on.
async fn pass_on(
    outlet: &Outlet,
    wanted: &Wanted,
    mut live: broadcast::Receiver<Arc<Batch>>,
) -> Result<(), Cut> {
    // What happens and is not for this client does not put its heartbeat off.
    let mut beat = Instant::now() + HEARTBEAT;
    loop {
        tokio::select! {
            () = outlet.over() => return Ok(()),
            () = sleep_until(beat) => {
                outlet.send(heartbeat()).await?;
                beat = Instant::now() + HEARTBEAT;
            }
            batch = live.recv() => match batch {
                Ok(batch) => {
                    if let Some(frames) = batch.frames(wanted) {
                        outlet.send(frames).await?;
                        beat = Instant::now() + HEARTBEAT;
                    }
                }
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Err(Cut),
            },
        }
    }
}

/// Sends what lies behind `after`, up to `at`.
async fn catch_up(hub: &Hub, outlet: &Outlet, wanted: &Wanted, mut after: u64, at: u64) -> Result<(), Cut> {
    while after < at {
        let Past { events, missed } = hub.past(after, at).await.map_err(|_| Cut)?;
        let (Some(last), false) = (events.last().and_then(|event| event.position), missed) else {
            let said = json!({ "head": at }).to_string();
            return outlet.send(frame("reset", Some(at), &said)).await;
        };
        let events: Vec<Arc<Event>> = events.into_iter().filter(|event| wanted.wants(event)).collect();
        if let Some(frames) = Batch::new(events).frames(&Wanted::default()) {
            outlet.send(frames).await?;
        }
        after = last;
    }
    if after > at {
        // The ledger was restored to an earlier state, or is another one.
        let said = json!({ "head": at }).to_string();
        outlet.send(frame("reset", Some(at), &said)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::HttpBody;
    use tokio::sync::{Semaphore, watch};
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_told_nothing_while_others_are_busy_has_a_heartbeat() {
        let (_ends, ended) = watch::channel(false);
        let carrier = Carrier::new(ended, Arc::new(Semaphore::new(1)));
        let (outlet, response) = carrier.open().unwrap();
        let (batches, live) = broadcast::channel(16);
        let wanted = Wanted { deployment: Some(Whole(7)), service: None };
        let carried = tokio::spawn(async move { pass_on(&outlet, &wanted, live).await });
        let busy = tokio::spawn(async move {
            loop {
                let frame = frame("deployment", None, "{}");
                let event =
                    Event { position: None, deployment: Some(8), service: None, of_the_line: false, frame };
                if batches.send(Arc::new(Batch::new(vec![Arc::new(event)]))).is_err() {
                    return;
                }
                sleep(Duration::from_secs(1)).await;
            }
        });
        let mut body = Box::pin(response.into_body());
        let began = Instant::now();
        let piece = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await;
        assert_eq!(piece.unwrap().unwrap().into_data().unwrap(), heartbeat());
        assert!(began.elapsed() < HEARTBEAT * 2, "{:?}", began.elapsed());
        drop(body);
        assert_eq!(carried.await.unwrap(), Ok(()), "the client is gone");
        busy.await.unwrap();
    }
}
