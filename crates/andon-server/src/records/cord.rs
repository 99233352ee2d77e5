//! The line's own stream and view.

use andon_core::cord::{Cord, CordFact, STREAM};
use andon_core::time::Time;
use andon_store::{Batch, StreamAppend, ViewUpdate};
use serde::{Deserialize, Serialize};

use super::{PAGE, Records, RecordsError, Versioned, decode, encode, first_facts};

const LINES: &str = "line";

#[derive(Serialize, Deserialize)]
struct CordView {
    #[serde(default = "first_facts")]
    facts: u32,
    seq: u64,
    cord: Cord,
}

impl Records {
    /// The state of the line; one that nothing happened to runs.
    pub async fn cord(&self) -> Result<Versioned<Cord>, RecordsError> {
        let view = self.ledger.view(LINES, STREAM).await?;
        let mut cord = match view.map(serde_json::from_value::<CordView>) {
            Some(Ok(view)) if view.facts == self.writer.facts => {
                Versioned { value: view.cord, seq: view.seq }
            }
            // A view that is gone or from another version is made again from the facts.
            Some(_) | None => Versioned { value: Cord::default(), seq: 0 },
        };
        loop {
            let records = self.ledger.read(STREAM, cord.seq, PAGE).await?;
            for record in &records {
                let fact: CordFact = decode(record)?;
                cord.value.apply(record.at, &fact);
                cord.seq = record.seq;
            }
            // A page may be cut by its size; only an empty one is the end.
            if records.is_empty() {
                return Ok(cord);
            }
        }
    }

    /// One transaction: facts of the line that no deployment is about. On success the value has moved on.
    pub(crate) async fn commit_cord(
        &self,
        at: Time,
        by: &str,
        cord: &mut Versioned<Cord>,
        facts: &[CordFact],
    ) -> Result<(), RecordsError> {
        let (append, view, moved) = append(self.writer.facts, at, cord, facts)?;
        let views = view.into_iter().collect();
        self.write(Batch { at, by: by.to_owned(), appends: vec![append], views }).await?;
        *cord = moved;
        Ok(())
    }
}

/// What facts add to the line: to its stream, to its view, and to its value. No facts leave the view alone.
pub(super) fn append(
    made_of: u32,
    at: Time,
    cord: &Versioned<Cord>,
    facts: &[CordFact],
) -> Result<(StreamAppend, Option<ViewUpdate>, Versioned<Cord>), RecordsError> {
    let mut moved = cord.clone();
    for fact in facts {
        moved.value.apply(at, fact);
    }
    moved.seq += facts.len() as u64;
    let append = super::append(STREAM.to_owned(), cord.seq, facts)?;
    if facts.is_empty() {
        return Ok((append, None, moved));
    }
    let body = encode(&CordView { facts: made_of, seq: moved.seq, cord: moved.value.clone() })?;
    let view = ViewUpdate { view: LINES.to_owned(), key: STREAM.to_owned(), rank: at.0, body };
    Ok((append, Some(view), moved))
}
