//! What a walk over the chain finds. Pure: records go in, in order, and the first fault comes out.

use std::fmt;

use andon_core::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::chain::{ChainEnd, StoredRecord, genesis};

/// The outcome of a walk over a whole ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// How many records were found in order, from the first one on.
    pub records: u64,
    /// The hash of the last of them. Kept in another place, it is a witness: a ledger that was
    /// rewritten as a whole no longer has this hash at this position.
    pub hash: Digest,
    /// The first thing that is wrong; `None` when the ledger is as it was written.
    pub fault: Option<Fault>,
}

/// Where a ledger is not as it was written, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The position of the first bad record; of the newest one when no single record is bad.
    pub position: u64,
    /// Its stream, when there is a record to name it.
    pub stream: Option<String>,
    /// Its place in that stream, when there is a record to name it.
    pub seq: Option<u64>,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What can be wrong with a record, or around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// There is no such record, although there are later ones or the ledger once had it.
    Missing,
    /// The record, or one before it, was changed after it was written.
    HashDiffers,
    /// The record is there and cannot be read.
    Unreadable(String),
    /// The stream should have had the `seq` in `expected` here.
    SeqGap {
        /// The next number in the stream.
        expected: u64,
    },
    /// The head that the ledger recorded is not the end of its chain.
    HeadDiffers,
    /// The records hold, and what the database keeps around them does not.
    Storage(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.position;
        let record = match (&self.stream, self.seq) {
            (Some(stream), Some(seq)) => format!("record {position} ({stream} {seq})"),
            _ => format!("record {position}"),
        };
        match &self.flaw {
            Flaw::Missing => write!(f, "{record} is missing"),
            Flaw::HashDiffers => write!(f, "{record} does not have the hash that its content gives"),
            Flaw::Unreadable(why) => write!(f, "{record} cannot be read: {why}"),
            Flaw::SeqGap { expected } => {
                write!(f, "{record} comes where number {expected} of its stream is due")
            }
            Flaw::HeadDiffers => write!(f, "the chain ends with {record}, which is not the recorded head"),
            Flaw::Storage(why) => {
                write!(f, "all {position} records are sound, but the database is not: {why}")
            }
        }
    }
}

/// Walks over the chain, one record after the other.
#[derive(Debug)]
pub(crate) struct Walk {
    end: ChainEnd,
}

impl Walk {
    /// Before the first record of the ledger `id`.
    pub(crate) fn new(id: &str) -> Self {
        Self { end: ChainEnd { position: 0, hash: genesis(id) } }
    }

    /// The position of the record that must come next.
    pub(crate) fn due(&self) -> u64 {
        self.end.position.saturating_add(1)
    }

    /// Takes the next record, or says why it cannot be the next.
    pub(crate) fn step(&mut self, record: &StoredRecord) -> Result<(), Fault> {
        if record.position != self.due() {
            return Err(self.missing());
        }
        if record.link(&self.end.hash) != record.hash {
            return Err(Fault {
                position: record.position,
                stream: Some(record.stream.clone()),
                seq: Some(record.seq),
                flaw: Flaw::HashDiffers,
            });
        }
        self.end = ChainEnd { position: record.position, hash: record.hash };
        Ok(())
    }

    /// The record that must come next is not there.
    pub(crate) fn missing(&self) -> Fault {
        Fault { position: self.due(), stream: None, seq: None, flaw: Flaw::Missing }
    }

    /// After the last record: the recorded `head` must be where the walk ended.
    pub(crate) fn arrive(&self, head: ChainEnd) -> Result<(), Fault> {
        if self.end.position < head.position {
            return Err(self.missing());
        }
        if self.end == head { Ok(()) } else { Err(self.fault_at_end(Flaw::HeadDiffers)) }
    }

    /// Something that shows only after all records.
    pub(crate) fn fault_at_end(&self, flaw: Flaw) -> Fault {
        Fault { position: self.end.position, stream: None, seq: None, flaw }
    }

    /// The outcome, with what was found wrong.
    pub(crate) fn finish(self, fault: Option<Fault>) -> Verification {
        Verification { records: self.end.position, hash: self.end.hash, fault }
    }
}

/// Walks over the records again, ordered by stream and `seq`: no stream may have a gap.
#[derive(Debug, Default)]
pub(crate) struct StreamWalk {
    stream: String,
    seq: u64,
    /// How many records were seen.
    pub(crate) count: u64,
}

impl StreamWalk {
    /// Takes the next record in that order.
    pub(crate) fn step(&mut self, stream: &str, seq: u64, position: u64) -> Result<(), Fault> {
        if self.stream != stream {
            stream.clone_into(&mut self.stream);
            self.seq = 0;
        }
        let expected = self.seq.saturating_add(1);
        if seq != expected {
            let flaw = Flaw::SeqGap { expected };
            return Err(Fault { position, stream: Some(stream.to_owned()), seq: Some(seq), flaw });
        }
        self.seq = seq;
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use andon_core::time::Time;

    use super::*;

    /// Three records, chained by hand.
    fn chain() -> (Walk, Vec<StoredRecord>, ChainEnd) {
        let mut end = ChainEnd { position: 0, hash: genesis("a") };
        let records = (1..=3).map(|seq| end.extend("s", seq, Time(0), "ada", b"1".to_vec())).collect();
        (Walk::new("a"), records, end)
    }

    #[test]
    fn a_whole_chain_arrives_at_its_head() {
        let (mut walk, records, end) = chain();
        assert!(records.iter().all(|record| walk.step(record).is_ok()));
        assert_eq!(walk.arrive(end), Ok(()));
        let found = walk.finish(None);
        assert_eq!((found.records, found.hash), (3, end.hash));
    }

    #[test]
    fn a_chain_that_ends_early_misses_the_next_record() {
        let (mut walk, records, end) = chain();
        assert!(records[..2].iter().all(|record| walk.step(record).is_ok()));
        let fault = walk.arrive(end).unwrap_err();
        assert_eq!((fault.position, fault.flaw.clone()), (3, Flaw::Missing));
        assert_eq!(fault.to_string(), "record 3 is missing");
    }

    #[test]
    fn a_head_that_lags_behind_the_chain_is_a_fault() {
        let (mut walk, records, _) = chain();
        assert!(records.iter().all(|record| walk.step(record).is_ok()));
        let behind = ChainEnd { position: 2, hash: records[1].hash };
        assert_eq!(walk.arrive(behind).unwrap_err().flaw, Flaw::HeadDiffers);
        let other_hash = ChainEnd { position: 3, hash: records[1].hash };
        assert_eq!(walk.arrive(other_hash).unwrap_err().flaw, Flaw::HeadDiffers);
    }

    #[test]
    fn a_stream_with_a_gap_or_a_repeated_number_is_a_fault() {
        let mut walk = StreamWalk::default();
        for (stream, seq) in [("a", 1), ("a", 2), ("b", 1)] {
            assert_eq!(walk.step(stream, seq, 1), Ok(()));
        }
        let fault = walk.step("b", 3, 9).unwrap_err();
        assert_eq!((fault.position, fault.flaw.clone()), (9, Flaw::SeqGap { expected: 2 }));
        assert_eq!(fault.to_string(), "record 9 (b 3) comes where number 2 of its stream is due");
        assert!(walk.step("b", 1, 9).is_err());
        assert!(walk.step("c", 2, 9).is_err(), "a stream begins with 1");
    }
}
