//! Shows a step to the controller: its output as it comes, and its end. Has no influence on the step.

use andon_api::agent::{CHUNK, FromHost, Refusal, Subject};
use andon_core::host::{Token, TokenStatus};

use super::outbox::{Gone, Outbox};
use crate::journal::Record;
use crate::output::{self, Piece};
use crate::watch::Watch;

/// Output that one follower is sent while the step runs, in bytes. Of what comes after it, only the end is sent.
const MOST_OUTPUT: u64 = 16 << 20;

/// Follows the step until it is over. `from` is the first offset of output that is wanted; `None` wants none.
pub(super) fn follow(record: &Record, token: &Token, from: Option<u64>, outbox: &Outbox) -> Result<(), Gone> {
    let watch = Watch::everything(record.path());
    let mut listener = from.map(|from| Listener::new(record, token, from, outbox));
    loop {
        // The status first: what is read after a step's end is all of its output.
        let status = match record.durable_status() {
            Ok(status) => status,
            Err(error) => {
                let told = format!("the record {} cannot be read: {error}", record.path().display());
                let what = Subject::Order(token.clone());
                return outbox.send(&FromHost::Refused { what, refusal: Refusal::Storage(told) });
            }
        };
        let over = status != TokenStatus::Running;
        if let Some(listener) = &mut listener {
            listener.send_news(over)?;
        }
        if over {
            return outbox.send(&FromHost::Ended { token: token.clone(), status });
        }
        watch.wait();
    }
}

struct Listener<'a> {
    record: &'a Record,
    token: &'a Token,
    outbox: &'a Outbox,
    position: u64,
    budget: u64,
}

impl<'a> Listener<'a> {
    fn new(record: &'a Record, token: &'a Token, from: u64, outbox: &'a Outbox) -> Self {
        // Nobody can know output that does not exist.
        let position = output::length(record.path()).map_or(0, |length| length.min(from));
        Self { record, token, outbox, position, budget: MOST_OUTPUT }
    }

    fn send_news(&mut self, over: bool) -> Result<(), Gone> {
        if over && self.budget == 0 {
            let length = output::length(self.record.path()).unwrap_or(self.position);
            let left_out = length.saturating_sub(CHUNK as u64).saturating_sub(self.position);
            if left_out > 0 {
                self.send(Piece::Dropped(left_out))?;
            }
            self.budget = CHUNK as u64;
        }
        while self.budget > 0 {
            let most = CHUNK.min(usize::try_from(self.budget).unwrap_or(CHUNK));
            // Output that cannot be read does not keep anybody from learning how the step ended.
            let Ok(Some(piece)) = output::read(self.record.path(), self.position, most) else { break };
            self.budget =
                self.budget.saturating_sub(if matches!(piece, Piece::Bytes(_)) { piece.length() } else { 0 });
            self.send(piece)?;
        }
        Ok(())
    }

    fn send(&mut self, piece: Piece) -> Result<(), Gone> {
        let offset = self.position;
        self.position += piece.length();
        self.outbox.send(&FromHost::Output { token: self.token.clone(), offset, bytes: piece.shown() })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, PoisonError};

    use andon_api::frame::{self, HEADER};
    use andon_core::host::Outcome;

    use super::*;
    use crate::journal::fixture;
    use crate::output::Output;

    /// A controller's end of the connection.
    #[derive(Clone, Default)]
    struct Wire(Arc<Mutex<Vec<u8>>>);

    impl Wire {
        fn messages(&self) -> Vec<FromHost> {
            let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (mut rest, mut messages) = (&bytes[..], Vec::new());
            while let Some((header, body)) = rest.split_first_chunk::<HEADER>() {
                let (body, after) = body.split_at(frame::body_length(*header).unwrap());
                messages.push(frame::decode(body).unwrap());
                rest = after;
            }
            messages
        }
    }

    impl Write for Wire {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_follower_of_endless_output_is_sent_a_bounded_part_with_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let (order, wire) = (fixture::order(), Wire::default());
        let record = Record::at(dir.path().join("record"));
        let held = record.create(&dir.path().join("fresh"), &order, "boot").unwrap();
        let mut output = Output::create(record.path()).unwrap();
        let outbox = Outbox::new(wire.clone());
        let follower = std::thread::spawn({
            let (record, token, outbox) = (record.clone(), order.token, outbox.clone());
            move || follow(&record, &token, Some(0), &outbox)
        });
        for _ in 0..60 << 4 {
            output.write_all(&[b'.'; 1 << 16]).unwrap();
        }
        output.write_all(b"the end").unwrap();
        record.finish(&Outcome::Succeeded).unwrap();
        drop(held);
        follower.join().unwrap().unwrap();
        outbox.flush();

        let messages = wire.messages();
        let (FromHost::Ended { status, .. }, told) = messages.split_last().unwrap() else { panic!() };
        assert_eq!(*status, TokenStatus::Finished(Outcome::Succeeded));
        let pieces = told.iter().map(|message| match message {
            FromHost::Output { offset, bytes, .. } => (*offset, bytes),
            other => panic!("{other:?}"),
        });
        let pieces: Vec<_> = pieces.collect();
        assert!(pieces.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < 17 << 20);
        assert!(pieces.is_sorted_by_key(|(offset, _)| *offset));
        let (offset, last) = pieces.last().unwrap();
        assert!(last.ends_with(b"the end"));
        assert_eq!(offset + last.len() as u64, (60 << 20) + 7);
        assert!(pieces.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains("left out")));
    }
}
