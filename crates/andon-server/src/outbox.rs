//! Messages on their ways: queued in the ledger, delivered at least once, and never in the way of a deployment.
//!
//! Each message is the stream `telling/KEY`, so that one that is queued twice is told once; the view `telling` has a row
//! for each, those that wait first. One process delivers at a time: the one that has the lease `telling`. What is said,
//! and when it is tried again, is `andon-core`'s.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use andon_core::deployment::{Deployment, Summary};
use andon_core::line::{Line, MailServer, Tell};
use andon_core::person::Person;
use andon_core::telling::{
    self, Dispatch, DispatchFact, GIVE_UP_AFTER, Outcome, Picture, Route, Telling, routes,
};
use andon_core::time::Time;
use andon_store::{Batch, Holder, StoreError, ViewQuery, ViewUpdate};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::lease;
use crate::records::{Records, RecordsError, append, decode, encode, is_conflict};
use crate::secrets::Secrets;

mod hook;
mod mail;
mod post;
mod subscribers;

const VIEW: &str = "telling";
const LEASE: &str = "telling";
/// Messages that are looked at together.
const PAGE: usize = 200;
/// Ways that are tried at the same time: one slow server does not keep the others waiting.
const AT_ONCE: usize = 8;
/// The time for one try, connection, talk and answer together.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a courier looks for something to deliver.
const LOOK: Duration = Duration::from_secs(1);
/// Deployments whose end may not have been told: as many of the newest are looked at.
const RECENT: usize = 20;

/// Messages, and what became of them.
#[derive(Debug, Clone)]
pub struct Outbox {
    records: Records,
    secrets: Secrets,
    me: Person,
    clock: Clock,
    holder: Holder,
    /// Two rounds of one process never overlap: they would send the same letter twice.
    round: Arc<Mutex<()>>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    seq: u64,
    dispatch: Dispatch,
}

/// What a round of deliveries came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Round {
    /// Ways on which a message arrived.
    pub delivered: usize,
    /// Ways on which one still waits.
    pub waiting: usize,
    /// Whether another process is delivering at this moment.
    pub elsewhere: bool,
}

impl Outbox {
    /// The messages of `records`, with secrets below the directory `data`.
    pub fn new(records: Records, data: &Path, me: Person, clock: Clock) -> Self {
        let holder = lease::holder(&me.at, &me);
        Self { records, secrets: Secrets::new(data), me, clock, holder, round: Arc::default() }
    }

    /// The same, in the time of `clock`: for simulations.
    pub(crate) fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Records a message for everybody whom the line tells, once, and for those who asked for it. `false` when it was
    /// recorded before, or when the line tells nobody.
    pub async fn queue(&self, telling: Telling, tell: &Tell) -> Result<bool, RecordsError> {
        self.announce(telling, Some(tell)).await
    }

    /// The same, where the line may tell nobody at all.
    pub async fn announce(&self, telling: Telling, tell: Option<&Tell>) -> Result<bool, RecordsError> {
        let routes = tell.map(|tell| routes(&telling, tell)).unwrap_or_default();
        let new = self.put(telling.clone(), routes.clone()).await?;
        self.tell_subscribers(&telling, &routes).await?;
        Ok(new)
    }

    /// Records a message on these ways, once.
    async fn put(&self, telling: Telling, routes: Vec<Route>) -> Result<bool, RecordsError> {
        if routes.is_empty() {
            return Ok(false);
        }
        let now = (self.clock)();
        let dispatch = Dispatch::new(telling.clone(), routes.clone(), now);
        let fact = DispatchFact::Queued { telling: Box::new(telling), routes };
        match self.commit(now, 0, &dispatch, &[fact]).await {
            Ok(()) => Ok(true),
            Err(error) if is_conflict(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Records what is to be told about a deployment as it stands, once. `picture` is asked only when there is something.
    pub async fn note(
        &self,
        deployment: &Deployment,
        picture: impl FnOnce() -> Option<Picture>,
    ) -> Result<bool, RecordsError> {
        let news = self.note_news(deployment).await?;
        if telling::of(deployment, None).is_none() {
            return Ok(news);
        }
        let tell = deployment.plan.as_ref().and_then(|plan| plan.service.tell.as_ref());
        match telling::of(deployment, picture()) {
            Some(telling) => Ok(self.announce(telling, tell).await? || news),
            None => Ok(news),
        }
    }

    /// Records what should have been told and was not, because a process died before it could.
    pub async fn catch_up(&self) -> Result<(), RecordsError> {
        let now = (self.clock)();
        let untold = |row: &Summary| {
            let kind = match row.state.as_str() {
                "rolled_back" => telling::Kind::PutBack,
                "rollback_failed" => telling::Kind::NotPutBack,
                "failed" => telling::Kind::Failed,
                "paused" => telling::Kind::Paused,
                _ => return None,
            };
            let fresh = row.ended.is_none_or(|ended| now.since(ended) < GIVE_UP_AFTER);
            fresh.then(|| format!("{}/{}", row.id.0, kind.name()))
        };
        for row in self.records.history(None, RECENT).await? {
            let Some(key) = untold(&row) else { continue };
            if self.records.ledger().view(VIEW, &key).await?.is_none() {
                let deployment = self.records.deployment(row.id).await?;
                self.note(&deployment.value, || None).await?;
            }
        }
        self.catch_up_subscribers().await
    }

    /// The newest messages, those that wait first; without pictures. Only those whose key begins with `prefix`.
    pub async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<Dispatch>, RecordsError> {
        let query = ViewQuery { prefix: prefix.to_owned(), ..ViewQuery::newest(limit) };
        let rows = self.records.ledger().views(VIEW, query).await?;
        let rows = rows.into_iter().filter_map(|row| serde_json::from_value::<Row>(row.body).ok());
        Ok(rows.map(|row| row.dispatch).collect())
    }

    /// Tries everything that waits and whose time has come, with `all` everything that waits; gives up waiting for
    /// answers after `patience`. Mail goes through the server that `line` names now, where it names one.
    pub async fn deliver(
        &self,
        all: bool,
        patience: Duration,
        line: Option<&Line>,
    ) -> Result<Round, RecordsError> {
        let deadline = tokio::time::Instant::now() + patience;
        let mut round = Round::default();
        let Ok(_alone) = tokio::time::timeout(patience, self.round.lock()).await else {
            round.waiting = self.waiting().await?;
            return Ok(round);
        };
        let mut tried: Vec<(String, usize)> = Vec::new();
        loop {
            let now = (self.clock)();
            let mut due = Vec::new();
            for dispatch in self.list("", PAGE).await? {
                let numbers: Vec<usize> = dispatch.due(now, all).map(|(number, _)| number).collect();
                let key = &dispatch.telling.key;
                due.extend(numbers.into_iter().map(|number| (key.clone(), number)));
            }
            due.retain(|letter| !tried.contains(letter));
            due.truncate(AT_ONCE);
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if due.is_empty() || left.is_zero() {
                break;
            }
            let lease = match lease::take(self.records.ledger().as_ref(), LEASE, &self.holder, now).await {
                Ok(lease) => lease,
                Err(StoreError::Leased { .. }) => {
                    round.elsewhere = true;
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            let sent = self.send(&due, left.min(PATIENCE), line).await;
            let _ = self.records.ledger().release(&lease).await;
            round.delivered += sent?;
            tried.extend(due);
        }
        round.waiting = self.waiting().await?;
        Ok(round)
    }

    async fn waiting(&self) -> Result<usize, RecordsError> {
        Ok(self.list("", PAGE).await?.iter().map(Dispatch::waiting).sum())
    }

    /// Sends letters side by side and records what came of each as it comes in.
    async fn send(
        &self,
        due: &[(String, usize)],
        patience: Duration,
        line: Option<&Line>,
    ) -> Result<usize, RecordsError> {
        let mut sending = JoinSet::new();
        for (key, number) in due {
            // A fresh look: another process may have been faster while the lease was its own.
            let (dispatch, _) = self.dispatch(key).await?;
            let Some((_, letter)) = dispatch.due(Time(i64::MAX), true).find(|(due, _)| due == number) else {
                continue;
            };
            let route = through(&letter.route, &dispatch.telling, line);
            let post = self.post(&dispatch.telling, *number, route, patience);
            let (key, number) = (key.clone(), *number);
            sending.spawn(async move {
                let sent =
                    tokio::time::timeout(patience, tokio::task::spawn_blocking(move || post.send())).await;
                let outcome = match sent {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(_)) => Outcome::NotNow("Andon stumbled over this message".to_owned()),
                    Err(_) => Outcome::NotNow(format!("no answer within {} s", patience.as_secs())),
                };
                (key, number, outcome)
            });
        }
        let mut delivered = 0;
        while let Some(sent) = sending.join_next().await {
            let Ok((key, number, outcome)) = sent else { continue };
            delivered += usize::from(matches!(outcome, Outcome::Delivered(_)));
            self.record(&key, number, &outcome).await?;
        }
        Ok(delivered)
    }

    fn post(&self, telling: &Telling, letter: usize, route: Route, patience: Duration) -> post::Post {
        let id = post::identity(self.records.ledger().id(), &telling.key, letter);
        let now = (self.clock)();
        post::Post { id, telling: telling.clone(), route, now, patience, secrets: self.secrets.clone() }
    }

    /// Sends a message on all of its ways at once, without a trace in the ledger: to see whether it arrives.
    pub async fn try_now(&self, telling: &Telling, tell: &Tell) -> Vec<(Route, Outcome)> {
        let mut sending = JoinSet::new();
        for (number, route) in routes(telling, tell).into_iter().enumerate() {
            let post = self.post(telling, number, route.clone(), PATIENCE);
            sending.spawn_blocking(move || (number, route, post.send()));
        }
        let mut tried: Vec<_> = sending.join_all().await;
        tried.sort_by_key(|(number, ..)| *number);
        tried.into_iter().map(|(_, route, outcome)| (route, outcome)).collect()
    }

    async fn record(&self, key: &str, letter: usize, outcome: &Outcome) -> Result<(), RecordsError> {
        loop {
            let (mut dispatch, seq) = self.dispatch(key).await?;
            let now = (self.clock)();
            let Some(fact) = dispatch.tried(now, letter, outcome.clone()) else { return Ok(()) };
            dispatch.apply(now, &fact);
            match self.commit(now, seq, &dispatch, &[fact]).await {
                Err(error) if is_conflict(&error) => {}
                other => return other,
            }
        }
    }

    /// A whole message, and how many facts it was folded from.
    async fn dispatch(&self, key: &str) -> Result<(Dispatch, u64), RecordsError> {
        let stream = stream(key);
        let (mut facts, mut seq) = (Vec::new(), 0);
        loop {
            let records = self.records.ledger().read(&stream, seq, PAGE).await?;
            for record in &records {
                facts.push((record.at, decode::<DispatchFact>(record)?));
                seq = record.seq;
            }
            if records.is_empty() {
                break;
            }
        }
        let folded = Dispatch::fold(facts.iter().map(|(at, fact)| (*at, fact)));
        let gone = || StoreError::Invalid(format!("the message {key} is in the view and not in the ledger"));
        Ok((folded.ok_or_else(gone)?, seq))
    }

    async fn commit(
        &self,
        at: Time,
        seq: u64,
        dispatch: &Dispatch,
        facts: &[DispatchFact],
    ) -> Result<(), RecordsError> {
        let key = &dispatch.telling.key;
        // The list is read often: it goes without what makes a message long.
        let telling = Telling { picture: None, output: None, ..dispatch.telling.clone() };
        let row = Row { seq: seq + facts.len() as u64, dispatch: Dispatch { telling, ..dispatch.clone() } };
        let first = if dispatch.waiting() > 0 { i64::MAX / 2 } else { 0 };
        let view = ViewUpdate {
            view: VIEW.to_owned(),
            key: key.clone(),
            rank: first.saturating_add(dispatch.queued.0),
            body: encode(&row)?,
        };
        let appends = vec![append(stream(key), seq, facts)?];
        self.records.write(Batch { at, by: self.me.name.clone(), appends, views: vec![view] }).await?;
        Ok(())
    }

    /// Delivers what waits until `stop` is sent or dropped; a round that has begun is finished.
    pub async fn courier(self, mut stop: oneshot::Receiver<()>) {
        loop {
            // What cannot be read now is looked for again; the deployment itself finds out what is wrong with the ledger.
            let _ = self.deliver(false, PATIENCE, None).await;
            tokio::select! {
                _ = &mut stop => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

fn stream(key: &str) -> String {
    format!("telling/{key}")
}

/// The same way through the mail server that the line names now: a mistake in the line can be mended.
fn through(route: &Route, telling: &Telling, line: Option<&Line>) -> Route {
    let now = || -> Option<MailServer> {
        let service = line?.services.get(&telling.scope.as_ref()?.service)?;
        service.tell.as_ref()?.mail.clone()
    };
    match route {
        Route::Mail { server, to } => {
            Route::Mail { server: now().unwrap_or_else(|| server.clone()), to: to.clone() }
        }
        Route::Hook(_) => route.clone(),
    }
}
