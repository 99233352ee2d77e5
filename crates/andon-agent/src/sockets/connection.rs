//! One established connection, and whether somebody waits on it. Pure.

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
    /// When bytes flowed last; `None` where the kernel does not say.
    pub(super) quiet: Option<Quiet>,
}

/// For how long no bytes have flowed. Both begin with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quiet {
    /// To the service.
    pub(super) received: Duration,
    /// From the service.
    pub(super) sent: Duration,
}

impl Connection {
    /// Whether a request waits for its answer, or bytes are under way. Without times it may be so, hence it is.
    pub(super) fn is_busy(&self) -> bool {
        let Some(Quiet { received, sent }) = self.quiet else { return true };
        self.unread > 0 || self.unconfirmed > 0 || received < sent || received.min(sent) < QUIET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(received: u64, sent: u64) -> Connection {
        let quiet = Quiet { received: Duration::from_millis(received), sent: Duration::from_millis(sent) };
        Connection { unread: 0, unconfirmed: 0, quiet: Some(quiet) }
    }

    #[test]
    fn a_request_without_an_answer_is_work_for_as_long_as_it_takes() {
        assert!(connection(3_000, 3_004).is_busy());
        assert!(connection(3_600_000, 7_200_000).is_busy());
    }

    #[test]
    fn an_answered_connection_is_at_rest_after_a_quiet_second() {
        assert!(connection(990, 980).is_busy());
        assert!(!connection(1_010, 1_000).is_busy());
        // A request and its answer within one tick of the kernel's clock.
        assert!(!connection(1_000, 1_000).is_busy());
    }

    #[test]
    fn bytes_in_a_queue_and_missing_times_are_never_rest() {
        let rested = connection(60_000, 50_000);
        assert!(!rested.is_busy());
        assert!(Connection { unread: 1, ..rested }.is_busy());
        assert!(Connection { unconfirmed: 1, ..rested }.is_busy());
        assert!(Connection { quiet: None, ..rested }.is_busy());
    }
}
