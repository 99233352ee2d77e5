//! The body of a request, as it comes from a client that speaks HTTP/2.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::Body;
use hyper::body::Incoming as Received;

use crate::alarm::Alarm;
use crate::body::{Piece, Trailers};
use crate::connection::View;
use crate::exchange::{Failure, Source};
use crate::refusal::Refusal;

/// The body of a request.
pub(super) struct Upload {
    body: Received,
    alarm: Alarm,
    /// Bytes that came.
    pub(super) received: u64,
    most: u64,
    timeout: Duration,
}

impl Upload {
    /// The body of a request that has just come.
    pub(super) fn new(body: Received, view: &View) -> Self {
        let timeout = view.door.timeouts.body;
        Self { body, alarm: Alarm::new(timeout), received: 0, most: view.door.limits.body_bytes, timeout }
    }

    /// Whether there is no body.
    pub(super) fn is_empty(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// The body is larger than the configuration allows.
pub(super) const TOO_LARGE: Failure =
    Failure::Refused(Refusal::new(413, "the body of the request is too large"));

impl Source for Upload {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Failure>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                self.alarm.ensure(self.timeout);
                let late = Refusal::new(408, "the body of the request did not come in time");
                return self.alarm.poll(cx).map(|()| Err(Failure::Refused(late)));
            };
            self.alarm.clear();
            let frame = match frame {
                None => return Poll::Ready(Ok(Piece::End(Trailers::default()))),
                Some(Err(_)) => return Poll::Ready(Err(Failure::ClientLeft)),
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => {
                    self.received += data.len() as u64;
                    let is_too_large = self.most > 0 && self.received > self.most;
                    return Poll::Ready(if is_too_large { Err(TOO_LARGE) } else { Ok(Piece::Data(data)) });
                }
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    let pairs = trailers.iter();
                    let pairs = pairs.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
                    let end = Trailers::from_pairs(pairs)
                        .map_err(|malformed| Failure::Refused(Refusal::bad(malformed.0)));
                    return Poll::Ready(end.map(Piece::End));
                }
            }
        }
    }

    fn poll_left(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // hyper drops the whole call when its stream is reset.
        Poll::Pending
    }
}
