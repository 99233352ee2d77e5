//! What people asked to be told: one stream, and one row that spares the fold.

use andon_core::telling::subscriptions::{
    STREAM, Subscription, SubscriptionError, SubscriptionFact, SubscriptionId, Subscriptions,
};
use andon_core::time::Time;
use andon_store::{Batch, ViewUpdate};
use serde::{Deserialize, Serialize};

use super::{PAGE, Records, RecordsError, Versioned, append, decode, encode, first_facts, is_conflict};

const VIEW: &str = "subscriptions";

#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(default = "first_facts")]
    facts: u32,
    seq: u64,
    subscriptions: Subscriptions,
}

/// Why a subscription was not taken or ended.
#[derive(Debug, thiserror::Error)]
pub enum SubscribingError {
    /// It cannot be.
    #[error(transparent)]
    Refused(#[from] SubscriptionError),
    /// The ledger says so.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl Records {
    /// Every subscription that stands.
    pub async fn subscriptions(&self) -> Result<Versioned<Subscriptions>, RecordsError> {
        let row = self.ledger.view(VIEW, STREAM).await?.and_then(|row| Row::deserialize(row).ok());
        let mut all = match row {
            Some(row) if row.facts == self.writer.facts => {
                Versioned { value: row.subscriptions, seq: row.seq }
            }
            // A view that is gone or from another version is made again from the facts.
            Some(_) | None => Versioned { value: Subscriptions::default(), seq: 0 },
        };
        loop {
            let records = self.ledger.read(STREAM, all.seq, PAGE).await?;
            for record in &records {
                all.value.apply(record.at, &decode::<SubscriptionFact>(record)?);
                all.seq = record.seq;
            }
            if records.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Takes a subscription, on behalf of `by`, and gives its number.
    ///
    /// # Errors
    /// It cannot be taken; the ledger cannot be written.
    pub async fn subscribe(
        &self,
        at: Time,
        by: &str,
        subscription: Subscription,
    ) -> Result<SubscriptionId, SubscribingError> {
        let fact = self.record_subscription(at, by, |all| all.subscribe(subscription.clone())).await?;
        match fact {
            SubscriptionFact::Subscribed { id, .. } | SubscriptionFact::Unsubscribed { id } => Ok(id),
        }
    }

    /// Ends a subscription, on behalf of `by`.
    ///
    /// # Errors
    /// There is none with this number; the ledger cannot be written.
    pub async fn unsubscribe(&self, at: Time, by: &str, id: SubscriptionId) -> Result<(), SubscribingError> {
        self.record_subscription(at, by, |all| all.unsubscribe(id)).await.map(drop)
    }

    /// Ends all subscriptions of a person, on behalf of `by`.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(crate) async fn unsubscribe_all_of(
        &self,
        at: Time,
        by: &str,
        person: &str,
    ) -> Result<(), RecordsError> {
        let all = self.subscriptions().await?.value;
        for (id, _) in all.of(person) {
            match self.unsubscribe(at, by, id).await {
                // Somebody else ended it at the same moment.
                Ok(()) | Err(SubscribingError::Refused(_)) => {}
                Err(SubscribingError::Records(error)) => return Err(error),
            }
        }
        Ok(())
    }

    async fn record_subscription(
        &self,
        at: Time,
        by: &str,
        decide: impl Fn(&Subscriptions) -> Result<SubscriptionFact, SubscriptionError>,
    ) -> Result<SubscriptionFact, SubscribingError> {
        loop {
            let mut all = self.subscriptions().await?;
            let fact = decide(&all.value)?;
            all.value.apply(at, &fact);
            let appends = vec![append(STREAM.to_owned(), all.seq, std::slice::from_ref(&fact))?];
            let row = Row { facts: self.writer.facts, seq: all.seq + 1, subscriptions: all.value };
            let (view, key) = (VIEW.to_owned(), STREAM.to_owned());
            let views = vec![ViewUpdate { view, key, rank: at.0, body: encode(&row)? }];
            match self.write(Batch { at, by: by.to_owned(), appends, views }).await {
                Ok(_) => return Ok(fact),
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
