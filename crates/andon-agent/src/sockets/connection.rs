//! One established connection, and whether somebody waits on it. Pure.

use std::cmp::Ordering;
use std::time::Duration;

/// Bytes that flowed less than this ago mean work: an answer that streams, a body that is being sent.
const QUIET: Duration = Duration::from_secs(1);

/// What the kernel says of one connection, seen from the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connection {
    /// Bytes that came and were not read by the service yet.
    pub(super) unread: u32,
    /// Bytes that the service has sent and the other end has not confirmed.
    pub(super) unconfirmed: u32,
    /// What flowed so far; `None` where the kernel does not say.
    pub(super) flow: Option<Flow>,
}

/// How long ago something flowed last, in ticks of the kernel's clock of 1 to 10 ms, and how much. All times begin
/// with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    /// Bytes to the service.
    pub(super) received: Duration,
    /// Bytes from the service.
    pub(super) sent: Duration,
    /// A confirmation of the other end, with or without bytes.
    pub(super) confirmed: Duration,
    /// Segments with bytes to the service.
    pub(super) segments_received: u32,
    /// Segments with bytes from the service.
    pub(super) segments_sent: u32,
}

/// Whether somebody waits on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A request waits for its answer, or bytes are under way.
    Busy,
    /// Question and answer came too close together to tell which one was last.
    Unsure,
    /// Nobody does.
    Idle,
}

impl Connection {
    /// Whether somebody waits on it. Without times it may be so, hence it is.
    pub(super) fn work(&self) -> Work {
        let Some(flow) = self.flow else { return Work::Busy };
        let quiet = flow.received.min(flow.sent);
        if self.unread > 0 || self.unconfirmed > 0 || quiet < QUIET { Work::Busy } else { flow.work() }
    }
}

impl Flow {
    /// Whether bytes came after the last ones that were sent.
    fn work(&self) -> Work {
        if self.segments_sent == 0 && self.segments_received > 0 {
            return Work::Busy;
        }
        match self.received.cmp(&self.sent) {
            Ordering::Less => Work::Busy,
            Ordering::Greater => Work::Idle,
            // Within one tick, as quick services answer. A later confirmation, without bytes, is that of an answer:
            // nobody confirms a question but by more bytes. Else whatever came more often may have come last; but an
            // upload comes in many pieces, and is answered in one.
            Ordering::Equal => {
                let question_last =
                    self.confirmed >= self.received && self.segments_received > self.segments_sent;
                if question_last { Work::Unsure } else { Work::Idle }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(received: u64, sent: u64, confirmed: u64, segments: (u32, u32)) -> Connection {
        let flow = Flow {
            received: Duration::from_millis(received),
            sent: Duration::from_millis(sent),
            confirmed: Duration::from_millis(confirmed),
            segments_received: segments.0,
            segments_sent: segments.1,
        };
        Connection { unread: 0, unconfirmed: 0, flow: Some(flow) }
    }

    #[test]
    fn a_request_without_an_answer_is_work_for_as_long_as_it_takes() {
        assert_eq!(connection(3_000, 3_004, 3_000, (5, 4)).work(), Work::Busy);
        assert_eq!(connection(3_600_000, 7_200_000, 3_600_000, (5, 40)).work(), Work::Busy);
    }

    #[test]
    fn an_answered_connection_is_at_rest_after_a_quiet_second() {
        assert_eq!(connection(990, 980, 980, (1, 1)).work(), Work::Busy);
        assert_eq!(connection(1_010, 1_000, 1_000, (1, 1)).work(), Work::Idle);
    }

    #[test]
    fn what_came_and_went_within_one_tick_is_told_apart() {
        let of = |confirmed, segments| connection(3_000, 3_000, confirmed, segments).work();
        assert_eq!(of(3_000, (1, 0)), Work::Busy, "the first request, right after the connection was opened");
        assert_eq!(of(2_960, (1, 1)), Work::Idle, "an answer that was confirmed 40 ms later");
        assert_eq!(of(3_000, (1, 1)), Work::Idle, "an answer that was confirmed at once");
        assert_eq!(
            of(3_000, (2, 1)),
            Work::Unsure,
            "the next request right after an answer, or an upload's end"
        );
        assert_eq!(of(3_000, (0, 0)), Work::Idle, "no request so far");
    }

    #[test]
    fn bytes_in_a_queue_and_missing_times_are_never_rest() {
        let rested = connection(60_000, 50_000, 50_000, (1, 1));
        assert_eq!(rested.work(), Work::Idle);
        assert_eq!(Connection { unread: 1, ..rested }.work(), Work::Busy);
        assert_eq!(Connection { unconfirmed: 1, ..rested }.work(), Work::Busy);
        assert_eq!(Connection { flow: None, ..rested }.work(), Work::Busy);
    }
}
