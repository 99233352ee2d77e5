//! What is remembered of a request for the access log, while it is under way.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::access::{AccessLog, End, Ended};
use crate::exchange::{Failure, Tries};

/// The times, numbers and end of a request.
pub(super) struct Record {
    at: SystemTime,
    began: Instant,
    answered_after: Option<Duration>,
    /// The status that was answered.
    pub(super) status: u16,
    /// Bytes of the request's body.
    pub(super) received: u64,
    /// Bytes of the response's body.
    pub(super) sent: u64,
    /// The servers.
    pub(super) tries: Tries,
}

/// The texts of a request.
pub(super) struct Texts<'a> {
    pub(super) client: SocketAddr,
    pub(super) tls: bool,
    pub(super) version: http::Version,
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) host: &'a [u8],
    pub(super) user_agent: &'a [u8],
    pub(super) referer: &'a [u8],
    pub(super) request_id: &'a [u8],
    pub(super) pool: &'a str,
}

impl Record {
    /// A request whose head was read now.
    pub(super) fn begin() -> Self {
        Self {
            at: SystemTime::now(),
            began: Instant::now(),
            answered_after: None,
            status: 0,
            received: 0,
            sent: 0,
            tries: Tries::default(),
        }
    }

    /// The head of the response has come.
    pub(super) fn answered(&mut self, status: u16) {
        self.status = status;
        self.answered_after = Some(self.began.elapsed());
    }

    /// Tells the log.
    pub(super) fn end(&self, log: &dyn AccessLog, texts: &Texts<'_>, end: End) {
        log.ended(&Ended {
            at: self.at,
            took: self.began.elapsed(),
            answered_after: self.answered_after,
            client: texts.client,
            tls: texts.tls,
            version: texts.version,
            method: texts.method,
            target: texts.target,
            host: texts.host,
            user_agent: texts.user_agent,
            referer: texts.referer,
            request_id: texts.request_id,
            status: self.status,
            received: self.received,
            sent: self.sent,
            pool: texts.pool,
            server: self.tries.last.as_ref().map(|server| server.name()),
            tries: self.tries.count,
            end,
        });
    }
}

/// A failure in the words of the access log.
pub(super) fn end_of(failure: Option<Failure>) -> End {
    match failure {
        None => End::Complete,
        Some(Failure::Refused(refusal)) => End::Refused(refusal.why),
        Some(Failure::ClientLeft) => End::ClientLeft,
        Some(Failure::ServerBroke) => End::ServerBroke,
        Some(Failure::Cut) => End::Cut,
    }
}
