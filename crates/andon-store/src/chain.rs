//! Records, and the hashes that chain them. Pure: it reads no database.
//!
//! The hash of a record covers the hash before it, so that no earlier record can be changed,
//! removed, added or moved without changing every hash after it. It covers the bytes of the fact as
//! they are stored, so that checking it needs no agreement on how JSON is written.

use andon_core::digest::Digest;
use andon_core::time::Time;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::error::StoreError;

/// One fact in the ledger, and its place there.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The place among all records, from 1, without gaps. Later commits have higher positions.
    pub position: u64,
    /// What the fact is about, such as one deployment.
    pub stream: String,
    /// The place within the stream, from 1, without gaps.
    pub seq: u64,
    /// When it was appended, by the clock of whoever appended it: not always ascending.
    pub at: Time,
    /// Who appended it.
    pub by: String,
    /// The fact itself.
    pub fact: Value,
    /// The hash that chains this record to all before it.
    pub hash: Digest,
}

/// A record as it is stored: the fact is the exact bytes that were hashed.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    pub(crate) position: u64,
    pub(crate) stream: String,
    pub(crate) seq: u64,
    pub(crate) at: Time,
    pub(crate) by: String,
    pub(crate) fact: Vec<u8>,
    pub(crate) hash: Digest,
}

impl TryFrom<Record> for StoredRecord {
    type Error = StoreError;

    /// The record with its fact in the bytes that a ledger writes: those that were hashed.
    fn try_from(record: Record) -> Result<Self, StoreError> {
        let fact =
            serde_json::to_vec(&record.fact).map_err(|error| StoreError::Invalid(error.to_string()))?;
        let Record { position, stream, seq, at, by, hash, .. } = record;
        Ok(Self { position, stream, seq, at, by, fact, hash })
    }
}

impl StoredRecord {
    /// The place among all records.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What the fact is about.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The place within the stream.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When it was appended.
    pub fn at(&self) -> Time {
        self.at
    }

    /// Writes the record as one JSON object without a newline. The fact stands last, in its stored bytes, so that
    /// whoever has the lines can check the chain.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the fact is not JSON; `place` names the ledger in it.
    pub fn write_line(&self, place: &str, line: &mut Vec<u8>) -> Result<(), StoreError> {
        let damaged = |error: &dyn std::fmt::Display| StoreError::Damaged {
            place: place.to_owned(),
            what: format!("record {} ({} {}) is not JSON: {error}", self.position, self.stream, self.seq),
        };
        serde_json::from_slice::<IgnoredAny>(&self.fact).map_err(|error| damaged(&error))?;
        if self.fact.contains(&b'\n') {
            return Err(damaged(&"it is more than a line"));
        }
        let circumstances = serde_json::json!({
            "position": self.position,
            "stream": self.stream,
            "seq": self.seq,
            "time": self.at.0,
            "at": self.at.iso(),
            "by": self.by,
            "hash": self.hash,
        });
        let text = circumstances.to_string();
        line.extend_from_slice(text.strip_suffix('}').unwrap_or(&text).as_bytes());
        line.extend_from_slice(b",\"fact\":");
        line.extend_from_slice(&self.fact);
        line.push(b'}');
        Ok(())
    }

    /// The hash this record must have when `previous` is the hash of the record before it.
    pub(crate) fn link(&self, previous: &Digest) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for field in [
            b"andon ledger record 1".as_slice(),
            previous.as_bytes(),
            &self.position.to_le_bytes(),
            self.stream.as_bytes(),
            &self.seq.to_le_bytes(),
            &self.at.0.to_le_bytes(),
            self.by.as_bytes(),
            &self.fact,
        ] {
            update(&mut hasher, field);
        }
        Digest::from_bytes(*hasher.finalize().as_bytes())
    }

    /// The record with its fact parsed. `place` names the ledger in the error.
    pub(crate) fn into_record(self, place: &str) -> Result<Record, StoreError> {
        let fact = serde_json::from_slice(&self.fact).map_err(|error| StoreError::Damaged {
            place: place.to_owned(),
            what: format!("record {} ({} {}) is not JSON: {error}", self.position, self.stream, self.seq),
        })?;
        Ok(Record {
            position: self.position,
            stream: self.stream,
            seq: self.seq,
            at: self.at,
            by: self.by,
            fact,
            hash: self.hash,
        })
    }
}

/// The hash that the first record of the ledger `id` is chained to. A record of one ledger can
/// therefore not stand in another.
pub(crate) fn genesis(id: &str) -> Digest {
    let mut hasher = blake3::Hasher::new();
    update(&mut hasher, b"andon ledger genesis 1");
    update(&mut hasher, id.as_bytes());
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

/// The end of the chain: where the next record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChainEnd {
    pub(crate) position: u64,
    pub(crate) hash: Digest,
}

impl ChainEnd {
    /// Puts one more fact at the end and moves the end behind it.
    pub(crate) fn extend(
        &mut self,
        stream: &str,
        seq: u64,
        at: Time,
        by: &str,
        fact: Vec<u8>,
    ) -> StoredRecord {
        let mut record = StoredRecord {
            position: self.position.saturating_add(1),
            stream: stream.to_owned(),
            seq,
            at,
            by: by.to_owned(),
            fact,
            hash: self.hash,
        };
        record.hash = record.link(&self.hash);
        *self = Self { position: record.position, hash: record.hash };
        record
    }
}

/// Every field goes in with its length before it: no two different records give the same bytes.
fn update(hasher: &mut blake3::Hasher, field: &[u8]) {
    hasher.update(&(field.len() as u64).to_le_bytes());
    hasher.update(field);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> StoredRecord {
        let mut end = ChainEnd { position: 0, hash: genesis("a") };
        end.extend("deployment/shop", 1, Time(5), "ada", b"{}".to_vec())
    }

    #[test]
    fn the_hash_covers_every_field_and_the_record_before() {
        let base = record();
        let previous = genesis("a");
        assert_eq!(base.hash, base.link(&previous));
        let variants = [
            StoredRecord { position: 2, ..base.clone() },
            StoredRecord { stream: "deployment/shoq".into(), ..base.clone() },
            StoredRecord { seq: 2, ..base.clone() },
            StoredRecord { at: Time(6), ..base.clone() },
            StoredRecord { by: "bob".into(), ..base.clone() },
            StoredRecord { fact: b"[]".to_vec(), ..base.clone() },
        ];
        for variant in variants {
            assert_ne!(variant.link(&previous), base.hash, "{variant:?}");
        }
        assert_ne!(base.link(&genesis("b")), base.hash);
    }

    #[test]
    fn bytes_that_move_from_one_field_to_the_next_change_the_hash() {
        let one = StoredRecord { by: "ab".into(), fact: b"c".to_vec(), ..record() };
        let other = StoredRecord { by: "a".into(), fact: b"bc".to_vec(), ..record() };
        assert_ne!(one.link(&genesis("a")), other.link(&genesis("a")));
    }

    /// A ledger written today must verify in ten years: a change here needs a new domain tag. The
    /// bytes are written out once more, as another program would that checks an exported ledger.
    #[test]
    fn the_hash_of_a_known_record_never_changes() {
        let genesis = blake3::hash(b"\x16\0\0\0\0\0\0\0andon ledger genesis 1\x01\0\0\0\0\0\0\0a");
        let mut bytes = b"\x15\0\0\0\0\0\0\0andon ledger record 1".to_vec();
        bytes.extend(b"\x20\0\0\0\0\0\0\0");
        bytes.extend(genesis.as_bytes());
        bytes.extend(b"\x08\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0");
        bytes.extend(b"\x0f\0\0\0\0\0\0\0deployment/shop");
        bytes.extend(b"\x08\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0");
        bytes.extend(b"\x08\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0");
        bytes.extend(b"\x03\0\0\0\0\0\0\0ada");
        bytes.extend(b"\x02\0\0\0\0\0\0\0{}");
        assert_eq!(record().hash, Digest::of(&bytes));
        let known = "9e8eb7c7a42c6c8703ec03072b3b6797e8790799e86afecf5703e2f3715eadff";
        assert_eq!(record().hash.to_string(), known);
    }
}
