//! Which requests were answered, and how: a table of a fixed number of places in the view `answer` of the ledger, so that it
//! survives a restart and never grows. It is no fact: whoever loses it loses the memory of one day.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use andon_core::digest::Digest;
use andon_core::time::Time;
use andon_store::{Batch, ViewQuery, ViewUpdate};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

use super::PATIENCE;
use crate::http::reply::{ErrorCode, Refused};
use crate::records::{Records, RecordsError, encode};

const VIEW: &str = "answer";
/// Answers that are kept: the newest ones.
const PLACES: usize = 10_000;
/// How long an answer is kept.
const AGE: Duration = Duration::from_secs(24 * 3600);
/// Rows that are read at once.
const PAGE: usize = 500;

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: String,
    pub(super) location: Option<String>,
    pub(super) body: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    visitor: String,
    key: String,
    asked: Digest,
    at: Time,
    /// None while it is not answered.
    answer: Option<Answer>,
}

/// Whether a request is the first one under its key.
#[derive(Debug)]
pub(super) enum Begun {
    /// It is: to be done, and ended with this.
    First(Ticket),
    /// It was answered like this.
    Again(Answer),
}

/// A request that is being done.
#[derive(Debug)]
pub(super) struct Ticket {
    name: Name,
    asked: Digest,
    place: usize,
    at: Time,
    done: watch::Sender<bool>,
}

/// The visitor, and the key.
type Name = (String, String);

#[derive(Debug)]
struct Known {
    asked: Digest,
    place: usize,
    at: Time,
    state: Standing,
}

#[derive(Debug, Clone)]
enum Standing {
    /// It is being done in this process.
    Running(watch::Receiver<bool>),
    Answered,
    /// The process that did it died.
    Lost,
}

#[derive(Debug, Default)]
struct Table {
    known: BTreeMap<Name, Known>,
    places: BTreeMap<usize, Name>,
    next: usize,
}

/// The table, and where it is kept.
#[derive(Debug, Clone)]
pub(in crate::http) struct Keys {
    records: Records,
    table: Arc<Mutex<Option<Table>>>,
}

impl Keys {
    /// The keys in the ledger of `records`; it is looked at when the first one comes.
    pub(in crate::http) fn new(records: Records) -> Self {
        Self { records, table: Arc::default() }
    }

    /// Whether this is the first request of `visitor` under `key`. One that is being done is waited for.
    pub(super) async fn begin(
        &self,
        visitor: String,
        key: String,
        asked: Digest,
        now: Time,
    ) -> Result<Begun, Refused> {
        let name = (visitor, key);
        loop {
            let mut table = self.table.lock().await;
            if table.is_none() {
                *table = Some(self.load().await?);
            }
            let Some(known) = table.as_mut() else { continue };
            let Some(found) = known.known.get(&name).filter(|found| now.since(found.at) < AGE) else {
                return Ok(Begun::First(self.take(known, name, asked, now).await?));
            };
            if found.asked != asked {
                let what = "this idempotency key stands for another request";
                return Err(Refused::new(ErrorCode::IdempotencyMismatch, what, "take a new key"));
            }
            let (place, state) = (found.place, found.state.clone());
            drop(table);
            match state {
                Standing::Answered => match self.answer(place, &name).await? {
                    Some(answer) => return Ok(Begun::Again(answer)),
                    None => return Err(lost()),
                },
                Standing::Lost => return Err(lost()),
                Standing::Running(mut done) => match timeout(PATIENCE, done.wait_for(|done| *done)).await {
                    Ok(Ok(_)) => {}
                    // Whoever did it stumbled, and will never say what came of it.
                    Ok(Err(_)) => return Err(lost()),
                    Err(_) => return Err(in_flight()),
                },
            }
        }
    }

    /// Keeps the answer, so that the same request gets the same one. Without one, the next request is a first one.
    pub(super) async fn end(&self, ticket: Ticket, answer: Option<Answer>) {
        let Ticket { name, asked, place, at, done } = ticket;
        let mut table = self.table.lock().await;
        // After many other requests the place is somebody else's: then nothing is kept.
        let known = table.as_mut().filter(|table| table.known.get(&name).is_some_and(|it| it.place == place));
        if let Some(table) = known {
            let kept = match answer {
                Some(answer) => {
                    let (visitor, key) = name.clone();
                    self.write(place, &Row { visitor, key, asked, at, answer: Some(answer) }).await.is_ok()
                }
                None => false,
            };
            match table.known.get_mut(&name) {
                Some(known) if kept => known.state = Standing::Answered,
                _ => {
                    table.known.remove(&name);
                    table.places.remove(&place);
                }
            }
        }
        drop(table);
        done.send_replace(true);
    }

    async fn take(&self, table: &mut Table, name: Name, asked: Digest, now: Time) -> Result<Ticket, Refused> {
        let place = table.next;
        let row = Row { visitor: name.0.clone(), key: name.1.clone(), asked, at: now, answer: None };
        self.write(place, &row).await?;
        table.next = (place + 1) % PLACES;
        // Whoever had the place before may have another one by now.
        if let Some(older) = table.places.insert(place, name.clone())
            && table.known.get(&older).is_some_and(|known| known.place == place)
        {
            table.known.remove(&older);
        }
        let (done, running) = watch::channel(false);
        let state = Standing::Running(running);
        table.known.insert(name.clone(), Known { asked, place, at: now, state });
        Ok(Ticket { name, asked, place, at: now, done })
    }

    async fn load(&self) -> Result<Table, RecordsError> {
        let mut table = Table::default();
        let mut query = ViewQuery::newest(PAGE);
        loop {
            let rows = self.records.ledger().views(VIEW, query.clone()).await?;
            let Some(last) = rows.last() else { return Ok(table) };
            query = query.behind(last);
            for row in &rows {
                let place = row.key.parse::<usize>().ok().filter(|place| *place < PLACES);
                let (Some(place), Ok(row)) = (place, serde_json::from_value::<Row>(row.body.clone())) else {
                    continue;
                };
                // The newest row comes first: the next one goes behind it.
                if table.places.is_empty() {
                    table.next = (place + 1) % PLACES;
                }
                let name = (row.visitor, row.key);
                let state = if row.answer.is_some() { Standing::Answered } else { Standing::Lost };
                if table.known.contains_key(&name) {
                    continue;
                }
                table.places.insert(place, name.clone());
                table.known.insert(name, Known { asked: row.asked, place, at: row.at, state });
            }
        }
    }

    /// The answer in a place, when it is still the one under that name.
    async fn answer(&self, place: usize, name: &Name) -> Result<Option<Answer>, RecordsError> {
        let row = self.records.ledger().view(VIEW, &place.to_string()).await?;
        let row = row.and_then(|body| serde_json::from_value::<Row>(body).ok());
        let row = row.filter(|row| row.visitor == name.0 && row.key == name.1);
        Ok(row.and_then(|row| row.answer))
    }

    async fn write(&self, place: usize, row: &Row) -> Result<(), RecordsError> {
        let update =
            ViewUpdate { view: VIEW.to_owned(), key: place.to_string(), rank: row.at.0, body: encode(row)? };
        let batch = Batch { at: row.at, by: row.visitor.clone(), appends: Vec::new(), views: vec![update] };
        self.records.ledger().append(batch).await?;
        Ok(())
    }
}

fn in_flight() -> Refused {
    let what = "the first request with this idempotency key is not answered yet";
    Refused::new(ErrorCode::IdempotencyInFlight, what, "ask again in a while")
        .again_in(Duration::from_secs(2))
}

fn lost() -> Refused {
    let what = "the server did not come to the end of the first request with this idempotency key";
    Refused::new(
        ErrorCode::IdempotencyUnknown,
        what,
        "look whether it was done; if not, ask again under a new key",
    )
}

#[cfg(test)]
mod tests {
    use andon_store::MemoryLedger;

    use super::*;

    const NOW: Time = Time(1_000);

    fn keys() -> Keys {
        Keys::new(Records::new(Arc::new(MemoryLedger::new("ledger"))))
    }

    async fn begin(keys: &Keys, visitor: &str, key: &str) -> Result<Begun, Refused> {
        keys.begin(visitor.into(), key.into(), Digest::of(b"asked"), NOW).await
    }

    async fn first(keys: &Keys, visitor: &str, key: &str) -> Ticket {
        match begin(keys, visitor, key).await {
            Ok(Begun::First(ticket)) => ticket,
            other => panic!("{visitor} {key}: {other:?}"),
        }
    }

    fn answer(body: &str) -> Answer {
        Answer { status: 200, kind: "text/plain".into(), location: None, body: body.into() }
    }

    #[tokio::test]
    async fn a_request_that_stumbled_is_lost_and_nobody_waits_for_its_answer() {
        let keys = keys();
        drop(first(&keys, "ana", "one").await);
        for _ in 0..2 {
            let refused = timeout(Duration::from_secs(5), begin(&keys, "ana", "one")).await.unwrap();
            assert_eq!(refused.unwrap_err().code, ErrorCode::IdempotencyUnknown);
        }
        // Who waited for it before it stumbled hears the same.
        let ticket = first(&keys, "ana", "two").await;
        let waits = tokio::spawn({
            let keys = keys.clone();
            async move { begin(&keys, "ana", "two").await }
        });
        tokio::task::yield_now().await;
        drop(ticket);
        let refused = timeout(Duration::from_secs(5), waits).await.unwrap().unwrap();
        assert_eq!(refused.unwrap_err().code, ErrorCode::IdempotencyUnknown);
    }

    #[tokio::test]
    async fn nobody_gets_the_answer_of_somebody_else_whose_place_was_taken_meanwhile() {
        let keys = keys();
        let slow = first(&keys, "ana", "slow").await;
        for number in 0..PLACES {
            let ticket = first(&keys, "ben", &number.to_string()).await;
            keys.end(ticket, Some(answer(&format!("for ben {number}")))).await;
        }
        // Ben's last request is where ana's began.
        keys.end(slow, Some(answer("for ana"))).await;
        let last = (PLACES - 1).to_string();
        match begin(&keys, "ben", &last).await {
            Ok(Begun::Again(told)) => assert_eq!(told, answer(&format!("for ben {last}"))),
            other => panic!("{other:?}"),
        }
        // A row that is another one's is nobody's answer.
        let anas = ("ana".to_owned(), "slow".to_owned());
        assert_eq!(keys.answer(0, &anas).await.unwrap(), None);
        first(&keys, "ana", "slow").await;
    }

    #[tokio::test]
    async fn who_asks_anew_after_a_day_keeps_the_new_place_when_the_old_one_is_taken() {
        let keys = keys();
        let ticket = first(&keys, "ana", "daily").await;
        keys.end(ticket, Some(answer("yesterday"))).await;
        let later = NOW + AGE;
        let daily = || keys.begin("ana".into(), "daily".into(), Digest::of(b"asked"), later);
        let Ok(Begun::First(ticket)) = daily().await else { panic!("a day has passed") };
        keys.end(ticket, Some(answer("today"))).await;
        // All other places, and then the first one.
        for number in 0..=PLACES - 2 {
            let ticket = first(&keys, "ben", &number.to_string()).await;
            keys.end(ticket, None).await;
        }
        match daily().await {
            Ok(Begun::Again(told)) => assert_eq!(told, answer("today")),
            other => panic!("{other:?}"),
        }
    }
}
