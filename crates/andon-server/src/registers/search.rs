//! Records, the newest first, narrowed by what somebody looks for. The ledger knows positions and streams by heart; all
//! else is looked through, so many records for each page and no more: a ledger of twenty million answers as fast as one of
//! ten, and says how far it has looked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_core::time::Time;
use andon_store::{Ledger, Record, StoreError};

/// Records that are read at once.
const CHUNK: u64 = 250;
/// Records that are looked through for one page.
const MOST_LOOKED: u64 = 5_000;
/// The time for one page: whoever waits gets what was found, and where it goes on.
const BUDGET: Duration = Duration::from_millis(80);

/// What somebody looks for; nothing is everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// A stream; one that ends with a slash is how the name begins.
    pub(crate) stream: Option<String>,
    /// The kind of the fact.
    pub(crate) kind: Option<String>,
    /// Part of the name of who recorded it.
    pub(crate) by: Option<String>,
    /// Somewhere in the fact.
    pub(crate) text: Option<String>,
    /// Not before this.
    pub(crate) from: Option<Time>,
    /// Before this.
    pub(crate) until: Option<Time>,
    /// Only records with a lower position.
    pub(crate) before: Option<u64>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The newest first.
    pub(crate) records: Vec<Record>,
    /// The lowest and the highest position that was looked at.
    pub(crate) looked_at: Option<(u64, u64)>,
    /// Behind which position it goes on: the next page is of records before it.
    pub(crate) older: Option<u64>,
    /// The position of the newest record.
    pub(crate) head: u64,
}

impl Wanted {
    /// Whether a record fits. Its moment is compared as well: clocks of several machines are not in order.
    fn fits(&self, record: &Record) -> bool {
        let has = |word: &Option<String>, text: &str| {
            word.as_ref().is_none_or(|word| text.to_lowercase().contains(&word.to_lowercase()))
        };
        self.stream.as_ref().is_none_or(|stream| match stream.strip_suffix('/') {
            Some(_) => record.stream.starts_with(stream.as_str()),
            None => record.stream == *stream,
        }) && self.kind.as_ref().is_none_or(|kind| kind_of(record) == kind)
            && has(&self.by, &record.by)
            && self.from.is_none_or(|from| record.at >= from)
            && self.until.is_none_or(|until| record.at < until)
            && (self.text.is_none() || has(&self.text, &record.fact.to_string()))
    }
}

/// The kind of a fact: the name of its variant.
pub(crate) fn kind_of(record: &Record) -> &str {
    match &record.fact {
        serde_json::Value::String(name) => name,
        serde_json::Value::Object(fields) if fields.len() == 1 => {
            fields.keys().next().map_or("", String::as_str)
        }
        _ => "",
    }
}

/// At most `limit` of the newest records that fit.
///
/// # Errors
/// The ledger cannot be read.
pub(crate) async fn search(
    ledger: &Arc<dyn Ledger>,
    wanted: &Wanted,
    limit: usize,
) -> Result<Found, StoreError> {
    let (began, head) = (Instant::now(), ledger.head().await?);
    let mut found = Found { head, ..Found::default() };
    let mut end = wanted.before.map_or(head, |before| head.min(before.saturating_sub(1)));
    let whole = wanted.stream.as_ref().filter(|stream| !stream.ends_with('/'));
    let Some(low) = floor(ledger, wanted, head, &mut end).await? else { return Ok(found) };
    let mut source = match whole {
        Some(stream) => Source::Stream { stream: stream.clone(), seq: last_seq(ledger, stream, end).await? },
        None => Source::All { position: end },
    };
    let mut looked = 0;
    loop {
        let chunk = source.chunk(ledger, low).await?;
        let Some((first, last)) = chunk.first().zip(chunk.last()).map(|(a, b)| (a.position, b.position))
        else {
            return Ok(found);
        };
        found.looked_at = Some((first, found.looked_at.map_or(last, |(_, high)| high)));
        looked += chunk.len() as u64;
        for record in chunk.into_iter().rev().filter(|record| wanted.fits(record)) {
            if found.records.len() == limit {
                // What stands below the last one that is shown was not looked at, as far as this page goes.
                let lowest = found.records.last().map_or(0, |record| record.position);
                found.looked_at = found.looked_at.map(|(_, high)| (lowest, high));
                found.older = Some(lowest);
                return Ok(found);
            }
            found.records.push(record);
        }
        if source.is_at(low) {
            return Ok(found);
        }
        if looked >= MOST_LOOKED || began.elapsed() > BUDGET {
            found.older = Some(first);
            return Ok(found);
        }
    }
}

/// The lowest position that may fit, after `end` was lowered to the highest one; `None` when none does.
async fn floor(
    ledger: &Arc<dyn Ledger>,
    wanted: &Wanted,
    head: u64,
    end: &mut u64,
) -> Result<Option<u64>, StoreError> {
    if let Some(until) = wanted.until {
        *end = (*end).min(first_since(ledger, until, head).await?.saturating_sub(1));
    }
    let low = match wanted.from {
        Some(from) => first_since(ledger, from, head).await?,
        None => 1,
    };
    Ok((low <= *end).then_some(low))
}

/// The first position at or after a moment, by halving; one more than the newest where there is none.
async fn first_since(ledger: &Arc<dyn Ledger>, at: Time, head: u64) -> Result<u64, StoreError> {
    let (mut low, mut high) = (1, head + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let record = ledger.tail(middle - 1, 1).await?;
        match record.first() {
            Some(record) if record.at < at => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The number in a stream of its newest record that is not behind `end`; 0 where there is none.
async fn last_seq(ledger: &Arc<dyn Ledger>, stream: &str, end: u64) -> Result<u64, StoreError> {
    let behind = async |seq: u64| -> Result<bool, StoreError> {
        let record = ledger.read(stream, seq, 1).await?;
        Ok(record.first().is_none_or(|record| record.position > end))
    };
    let mut high = 1;
    while !behind(high - 1).await? {
        high *= 2;
    }
    let mut low = high / 2;
    // `low` records are not behind the end, `high` are.
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if behind(middle - 1).await? { high = middle } else { low = middle }
    }
    Ok(low)
}

/// Where records come from, from their end backwards.
enum Source {
    All { position: u64 },
    Stream { stream: String, seq: u64 },
}

impl Source {
    /// The next records, in their order, none of them below `low`.
    async fn chunk(&mut self, ledger: &Arc<dyn Ledger>, low: u64) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        match self {
            Self::All { position } => {
                let start = position.saturating_sub(CHUNK).max(low.saturating_sub(1));
                let mut after = start;
                while after < *position {
                    let page = ledger.tail(after, usize::try_from(*position - after).unwrap_or(1)).await?;
                    let Some(last) = page.last() else { break };
                    after = last.position;
                    records.extend(page);
                }
                *position = start;
            }
            Self::Stream { stream, seq } => {
                let start = seq.saturating_sub(CHUNK);
                let mut after = start;
                while after < *seq {
                    let page = ledger.read(stream, after, usize::try_from(*seq - after).unwrap_or(1)).await?;
                    let Some(last) = page.last() else { break };
                    after = last.seq;
                    records.extend(page);
                }
                *seq = start;
                if records.first().is_some_and(|record| record.position < low) {
                    *seq = 0;
                    records.retain(|record| record.position >= low);
                }
            }
        }
        Ok(records)
    }

    /// Whether nothing is left.
    fn is_at(&self, low: u64) -> bool {
        match self {
            Self::All { position } => *position < low,
            Self::Stream { seq, .. } => *seq == 0,
        }
    }
}

#[cfg(test)]
mod tests;
