//! The ledger of a server, to be read as if it lay here. Nothing is written through it: what changes something is asked of
//! the controller there.

use std::time::Duration;

use andon_core::time::Time;
use andon_server::answers::{LedgerHead, LedgerRecord, LedgerRow, LedgerValue, LedgerVerification};
use andon_store::{
    Batch, Holder, Lease, Ledger, MAX_ANSWER_ROWS, Record, StoreError, Verification, ViewQuery, ViewRow,
};
use async_trait::async_trait;
use serde_json::Value;

use super::wire::{Patience, Wire, Wrong};
use crate::failure::Failure;

/// A ledger over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct HttpLedger {
    wire: Wire,
    id: String,
}

impl HttpLedger {
    /// The ledger `id` behind `wire`.
    pub(crate) fn new(wire: Wire, id: String) -> Self {
        Self { wire, id }
    }

    async fn get<T: serde::de::DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
    ) -> Result<T, StoreError> {
        self.wire.get(path, Patience::Short).await.map_err(|wrong| self.unavailable(wrong))
    }

    fn unavailable(&self, wrong: Wrong) -> StoreError {
        let why = Failure::from(wrong).what;
        StoreError::Unavailable { place: self.wire.url().to_owned(), why }
    }

    fn reading_only(&self) -> StoreError {
        StoreError::NotWritable {
            place: self.wire.url().to_owned(),
            why: "it is read over HTTP, and only its server writes".to_owned(),
        }
    }

    fn records(&self, found: Vec<LedgerRecord>) -> Result<Vec<Record>, StoreError> {
        let damaged = |error: andon_core::digest::DigestError| StoreError::Unavailable {
            place: self.wire.url().to_owned(),
            why: format!("a record has no hash: {error}"),
        };
        found.into_iter().map(|record| Record::try_from(record).map_err(damaged)).collect()
    }
}

/// Names in addresses: everything that is not plain is written as `%XX`.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let each = text
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    each.collect()
}

#[async_trait]
impl Ledger for HttpLedger {
    async fn append(&self, _: Batch) -> Result<Vec<Record>, StoreError> {
        Err(self.reading_only())
    }

    async fn read(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let limit = limit.clamp(1, MAX_ANSWER_ROWS);
        let path = format!("/v1/ledger/streams/{}?after={after}&limit={limit}", encoded(stream));
        self.records(self.get(&path).await?)
    }

    async fn tail(&self, after_position: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let limit = limit.clamp(1, MAX_ANSWER_ROWS);
        let path = format!("/v1/ledger/records?after={after_position}&limit={limit}");
        self.records(self.get(&path).await?)
    }

    async fn head(&self) -> Result<u64, StoreError> {
        Ok(self.get::<LedgerHead>("/v1/ledger").await?.head)
    }

    async fn view(&self, view: &str, key: &str) -> Result<Option<Value>, StoreError> {
        let path = format!("/v1/ledger/views/{}/row?key={}", encoded(view), encoded(key));
        Ok(self.get::<LedgerValue>(&path).await?.body)
    }

    async fn views(&self, view: &str, query: ViewQuery) -> Result<Vec<ViewRow>, StoreError> {
        if query.limit == 0 {
            return Ok(Vec::new());
        }
        let limit = query.limit.min(MAX_ANSWER_ROWS);
        let mut path = format!("/v1/ledger/views/{}?limit={limit}", encoded(view));
        if let Some(before) = query.before {
            path.push_str(&format!("&before={before}"));
        }
        if let Some(key) = &query.before_key {
            path.push_str(&format!("&before_key={}", encoded(key)));
        }
        if !query.prefix.is_empty() {
            path.push_str(&format!("&prefix={}", encoded(&query.prefix)));
        }
        let rows: Vec<LedgerRow> = self.get(&path).await?;
        Ok(rows.into_iter().map(ViewRow::from).collect())
    }

    async fn lease(&self, _: &str, _: &Holder, _: Duration, _: Time) -> Result<Lease, StoreError> {
        Err(self.reading_only())
    }

    async fn release(&self, _: &Lease) -> Result<(), StoreError> {
        Err(self.reading_only())
    }

    async fn steal(&self, _: &str, _: &Holder, _: Duration, _: Time) -> Result<Lease, StoreError> {
        Err(self.reading_only())
    }

    async fn verify(&self) -> Result<Verification, StoreError> {
        let asked = self.wire.post("/v1/ledger/verification", &serde_json::json!({}), Patience::Long).await;
        let found: LedgerVerification = asked.map_err(|wrong| self.unavailable(wrong))?;
        Verification::try_from(found).map_err(|error| StoreError::Unavailable {
            place: self.wire.url().to_owned(),
            why: format!("its answer has no hash: {error}"),
        })
    }

    fn id(&self) -> &str {
        &self.id
    }
}
