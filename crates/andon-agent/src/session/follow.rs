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
        let status = match record.status() {
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
