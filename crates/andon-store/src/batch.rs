//! What is written together, and the bounds that hold for it before any database is asked.

use andon_core::time::Time;
use serde_json::Value;

use crate::chain::{ChainEnd, Record, StoredRecord};
use crate::error::StoreError;
use crate::view::ViewUpdate;

/// The longest fact or view body, in bytes of JSON.
pub const MAX_FACT_BYTES: usize = 8 << 20;
/// The most bytes of JSON in one batch.
pub const MAX_BATCH_BYTES: usize = 64 << 20;
/// The most facts and view updates in one batch, together.
pub const MAX_BATCH_ITEMS: usize = 20_000;
/// The longest name of a stream, view, key, lease, holder or person, in bytes.
pub const MAX_NAME_BYTES: usize = 512;
/// How deep a fact may nest. What is deeper could be written and never be read again.
const MAX_DEPTH: usize = 100;

/// Facts and views that are written in one transaction: all of them, or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// When, by the clock of the caller.
    pub at: Time,
    /// Who, such as a person or the controller.
    pub by: String,
    /// The facts, by stream. A stream stands here at most once.
    pub appends: Vec<StreamAppend>,
    /// Rows of views that change with these facts.
    pub views: Vec<ViewUpdate>,
}

/// The facts for one stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamAppend {
    /// The stream.
    pub stream: String,
    /// The `seq` of its newest record as the caller knows it; 0 for a stream that does not exist.
    pub expected: u64,
    /// The facts, in order. None at all asks only that the stream is still as `expected`.
    pub facts: Vec<Value>,
}

/// A batch that is within bounds, with its JSON already written.
#[derive(Debug)]
pub(crate) struct CheckedBatch {
    pub(crate) at: Time,
    pub(crate) by: String,
    pub(crate) appends: Vec<CheckedAppend>,
    pub(crate) views: Vec<(ViewUpdate, Vec<u8>)>,
}

/// The facts for one stream, each with its bytes.
#[derive(Debug)]
pub(crate) struct CheckedAppend {
    pub(crate) stream: String,
    pub(crate) expected: u64,
    facts: Vec<(Value, Vec<u8>)>,
}

impl CheckedBatch {
    /// Refuses what no ledger takes.
    pub(crate) fn new(batch: Batch) -> Result<Self, StoreError> {
        let items = batch.appends.iter().map(|append| append.facts.len().max(1)).sum::<usize>();
        if items + batch.views.len() > MAX_BATCH_ITEMS {
            return Err(StoreError::Invalid(format!(
                "a batch of {} items is too large; {MAX_BATCH_ITEMS} is the limit. Split it",
                items + batch.views.len()
            )));
        }
        check_name("the author of a batch", &batch.by)?;
        let mut streams: Vec<&str> = batch.appends.iter().map(|append| append.stream.as_str()).collect();
        streams.sort_unstable();
        if let Some(twice) = streams.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(StoreError::Invalid(format!("the stream {} is in the batch twice", twice[0])));
        }

        let mut room = MAX_BATCH_BYTES;
        let mut appends = Vec::with_capacity(batch.appends.len());
        for append in batch.appends {
            check_name("the name of a stream", &append.stream)?;
            let facts = append.facts.into_iter().map(|fact| {
                let bytes = encode(&fact, &mut room)?;
                Ok((fact, bytes))
            });
            let facts = facts.collect::<Result<_, StoreError>>()?;
            appends.push(CheckedAppend { stream: append.stream, expected: append.expected, facts });
        }
        let mut views = Vec::with_capacity(batch.views.len());
        for update in batch.views {
            check_name("the name of a view", &update.view)?;
            check_name("the key of a view", &update.key)?;
            let bytes = encode(&update.body, &mut room)?;
            views.push((update, bytes));
        }
        Ok(Self { at: batch.at, by: batch.by, appends, views })
    }

    /// Chains all facts behind `end`, and gives each record as it is stored and as it is told.
    pub(crate) fn chain(&mut self, end: &mut ChainEnd) -> Vec<(StoredRecord, Record)> {
        let mut records = Vec::new();
        for append in &mut self.appends {
            let mut seq = append.expected;
            for (fact, bytes) in append.facts.drain(..) {
                seq = seq.saturating_add(1);
                let stored = end.extend(&append.stream, seq, self.at, &self.by, bytes);
                let record = Record {
                    position: stored.position,
                    stream: stored.stream.clone(),
                    seq,
                    at: stored.at,
                    by: stored.by.clone(),
                    fact,
                    hash: stored.hash,
                };
                records.push((stored, record));
            }
        }
        records
    }
}

impl CheckedAppend {
    /// Refuses the append when its stream has another number of records than expected.
    pub(crate) fn check_head(&self, found: u64) -> Result<(), StoreError> {
        if found == self.expected {
            return Ok(());
        }
        Err(StoreError::Conflict { stream: self.stream.clone(), expected: self.expected, found })
    }
}

/// Names are compared, indexed and printed: they are short, not empty, and without control characters.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), StoreError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(StoreError::Invalid(format!(
            "{what} has 1 to {MAX_NAME_BYTES} bytes and no control characters; this one is {:?}",
            name.chars().take(40).collect::<String>()
        )));
    }
    Ok(())
}

fn encode(value: &Value, room: &mut usize) -> Result<Vec<u8>, StoreError> {
    if !is_shallow(value, MAX_DEPTH) {
        return Err(StoreError::Invalid(format!("a fact nests deeper than {MAX_DEPTH} levels")));
    }
    let bytes = serde_json::to_vec(value).map_err(|error| StoreError::Invalid(error.to_string()))?;
    if bytes.len() > MAX_FACT_BYTES {
        return Err(StoreError::Invalid(format!(
            "a fact of {} bytes is too large; {MAX_FACT_BYTES} is the limit. Store large content as a file \
             and record its digest",
            bytes.len()
        )));
    }
    *room = room.checked_sub(bytes.len()).ok_or_else(|| {
        StoreError::Invalid(format!("a batch holds at most {MAX_BATCH_BYTES} bytes. Split it"))
    })?;
    Ok(bytes)
}

fn is_shallow(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| is_shallow(item, depth - 1)),
        Value::Object(fields) => depth > 0 && fields.values().all(|field| is_shallow(field, depth - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
