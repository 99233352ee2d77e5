//! The ledger: its records, the rows of its views, and what a walk over it found.

use andon_core::time::Time;
use andon_store::{Fault, Record, Verification, ViewRow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A ledger, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerHead {
    /// The random name that it got when it was made.
    pub id: String,
    /// The position of its newest record; 0 when there is none.
    pub head: u64,
}

/// One fact, and its place: the same object that `andon ledger export` writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerRecord {
    /// The place among all records, from 1, without gaps.
    pub position: u64,
    /// What the fact is about, such as `deployment/128`.
    pub stream: String,
    /// The place within the stream, from 1, without gaps.
    pub seq: u64,
    /// When it was appended, in milliseconds since 1970.
    pub time: i64,
    /// The same moment in RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
    /// Who appended it.
    pub by: String,
    /// The hash that chains this record to all before it: 64 hexadecimal characters.
    pub hash: String,
    /// The fact itself. Its shape is that of the stream, and grows with the versions of Andon.
    #[schema(value_type = Object)]
    pub fact: Value,
}

/// One row of a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerRow {
    /// Which row.
    pub key: String,
    /// What the list is ordered by, the highest first.
    pub rank: i64,
    /// The content.
    #[schema(value_type = Object)]
    pub body: Value,
}

/// The content of one row of a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerValue {
    /// Which row.
    pub key: String,
    /// The content; null when there is no such row.
    #[schema(value_type = Option<Object>)]
    pub body: Option<Value>,
}

/// What a walk over the whole chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerVerification {
    /// The name of the ledger.
    pub ledger: String,
    /// How many records were found in order, from the first one on.
    pub records: u64,
    /// The hash of the last of them.
    pub hash: String,
    /// The first thing that is wrong, in one sentence; null when the ledger is as it was written.
    pub fault: Option<String>,
    /// The same for programs.
    #[schema(value_type = Option<Object>)]
    pub found: Option<Fault>,
}

impl From<Record> for LedgerRecord {
    fn from(record: Record) -> Self {
        Self {
            position: record.position,
            stream: record.stream,
            seq: record.seq,
            time: record.at.0,
            at: record.at.iso(),
            by: record.by,
            hash: record.hash.to_string(),
            fact: record.fact,
        }
    }
}

impl TryFrom<LedgerRecord> for Record {
    type Error = andon_core::digest::DigestError;

    fn try_from(record: LedgerRecord) -> Result<Self, Self::Error> {
        Ok(Self {
            position: record.position,
            stream: record.stream,
            seq: record.seq,
            at: Time(record.time),
            by: record.by,
            hash: record.hash.parse()?,
            fact: record.fact,
        })
    }
}

impl From<ViewRow> for LedgerRow {
    fn from(row: ViewRow) -> Self {
        Self { key: row.key, rank: row.rank, body: row.body }
    }
}

impl From<LedgerRow> for ViewRow {
    fn from(row: LedgerRow) -> Self {
        Self { key: row.key, rank: row.rank, body: row.body }
    }
}

impl LedgerVerification {
    /// What was found in the ledger `ledger`.
    pub fn of(ledger: &str, found: Verification) -> Self {
        Self {
            ledger: ledger.to_owned(),
            records: found.records,
            hash: found.hash.to_string(),
            fault: found.fault.as_ref().map(ToString::to_string),
            found: found.fault,
        }
    }
}

impl TryFrom<LedgerVerification> for Verification {
    type Error = andon_core::digest::DigestError;

    fn try_from(found: LedgerVerification) -> Result<Self, Self::Error> {
        Ok(Self { records: found.records, hash: found.hash.parse()?, fault: found.found })
    }
}
