//! The body of a request, as it comes from a client that speaks HTTP/1.

use std::task::{Context, Poll};

use super::Http1;
use crate::body::Piece;
use crate::exchange::{Failure, Source};
use crate::refusal::Refusal;

/// Bytes that a client may send ahead of its next request's turn.
const AHEAD: usize = 64 * 1024;

/// The body is larger than the configuration allows.
pub(super) const TOO_LARGE: Failure =
    Failure::Refused(Refusal::new(413, "the body of the request is too large"));

impl Source for Http1 {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Failure>> {
        if self.is_waiting {
            self.is_waiting = false;
            self.wire.out().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        // Only the invitation above can be unwritten while the body is still wanted and no response has begun.
        if self.wire.poll_flush(cx)?.is_pending() && self.received == 0 {
            return Poll::Pending;
        }
        let most = self.view.door.limits.body_bytes;
        loop {
            match self.body.next(&mut self.wire.read, self.wire.over) {
                Ok(Some(piece)) => {
                    if let Piece::Data(data) = &piece {
                        self.received += data.len() as u64;
                    }
                    self.alarm.clear();
                    let is_too_large = most > 0 && self.received > most;
                    return Poll::Ready(if is_too_large { Err(TOO_LARGE) } else { Ok(piece) });
                }
                Ok(None) => {}
                Err(_) if self.wire.over => return Poll::Ready(Err(Failure::ClientLeft)),
                Err(malformed) => return Poll::Ready(Err(Failure::Refused(Refusal::bad(malformed.0)))),
            }
            match self.wire.poll_fill(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Failure::ClientLeft)),
                Poll::Pending => {
                    self.alarm.ensure(self.view.door.timeouts.body);
                    let late = Refusal::new(408, "the body of the request did not come in time");
                    return self.alarm.poll(cx).map(|()| Err(Failure::Refused(late)));
                }
            }
        }
    }

    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.wire.read.len() < AHEAD {
            match self.wire.poll_fill(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => {}
            }
        }
        Poll::Pending
    }
}

impl From<std::io::Error> for Failure {
    fn from(_: std::io::Error) -> Self {
        Failure::ClientLeft
    }
}
