//! What a walk over the chain finds. Pure: records go in, in order, and the first fault comes out.

use std::fmt;

use andon_core::digest::Digest;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The position of the first bad record.
    pub position: u64,
    /// Its stream, when there is a record to name it.
    pub stream: Option<String>,
    /// Its place in that stream, when there is a record to name it.
    pub seq: Option<u64>,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What can be wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        write!(f, "record {}", self.position)?;
        if let (Some(stream), Some(seq)) = (&self.stream, self.seq) {
            write!(f, " ({stream} {seq})")?;
        }
        match &self.flaw {
            Flaw::Missing => write!(f, " is missing"),
            Flaw::HashDiffers => write!(f, " does not have the hash that its content gives"),
            Flaw::Unreadable(why) => write!(f, " cannot be read: {why}"),
            Flaw::SeqGap { expected } => write!(f, " comes where number {expected} of its stream is due"),
            Flaw::HeadDiffers => write!(f, " is the newest, and the ledger recorded another one as its head"),
            Flaw::Storage(why) => {
                write!(f, " is the newest and all are sound, but the database is not: {why}")
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
