//! What was counted: requests, failures by kind, the first failures in full, and times.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use andon_core::balance::Histogram;

use crate::mix::Request;

/// Failures that are kept in full; the others are only counted.
pub const KEPT: usize = 100;

/// Different answerers that are told apart; what more of them answer is only counted as a request.
const MAX_SERVERS: usize = 1000;

/// What went wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There was no connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke while the request was being sent, and no answer came.
    #[error("the connection broke while the request was sent: {0}")]
    Send(String),
    /// The connection was closed in good order where an answer was due.
    #[error("closed without an answer")]
    NoAnswer,
    /// The connection was reset, or broke in another way.
    #[error("broken after {received} bytes of the answer: {why}")]
    Reset {
        /// Bytes of the answer that came.
        received: usize,
        /// What the system said.
        why: String,
    },
    /// The answer ended early.
    #[error("the answer broke off after {received} bytes")]
    Short {
        /// Bytes of it that came, its head included.
        received: usize,
    },
    /// A status other than 200 to 299.
    #[error("status {status}: {reason}")]
    Status {
        /// The number.
        status: u16,
        /// The first words of the body.
        reason: String,
    },
    /// An answer, but not the one to this request.
    #[error("a wrong body: {0}")]
    WrongBody(String),
    /// What came is not HTTP/1.1.
    #[error("senseless: {0}")]
    Senseless(String),
    /// Bytes came over a connection on which no request was open.
    #[error("bytes came that nobody had asked for")]
    Unasked,
    /// It took too long.
    #[error("no full answer within {0:?}")]
    Timeout(Duration),
    /// The load itself was at its limit; the request was never sent.
    #[error("not sent, as {0} requests were under way")]
    NotSent(usize),
}

impl Fault {
    /// One or two words for its kind.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Connect(_) => "no connection",
            Fault::Send(_) => "broken while sending",
            Fault::NoAnswer => "no answer",
            Fault::Reset { .. } => "reset",
            Fault::Short { .. } => "short answer",
            Fault::Status { .. } => "status",
            Fault::WrongBody(_) => "wrong body",
            Fault::Senseless(_) => "senseless",
            Fault::Unasked => "unasked",
            Fault::Timeout(_) => "timeout",
            Fault::NotSent(_) => "not sent",
        }
    }
}

/// One request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When the request was due, since the load began.
    pub at: Duration,
    /// How long after that it had failed.
    pub after: Duration,
    /// The request.
    pub request: Request,
    /// The port on our side of the connection; `None` without a connection.
    pub local_port: Option<u16>,
    /// Whether the connection had served other requests before.
    pub reused: bool,
    /// Who answered, in its own words; `None` when nobody said so.
    pub server: Option<String>,
    /// What happened.
    pub fault: Fault,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { number, kind, .. } = self.request;
        write!(f, "{:.3} s: {kind} (#{number}, ", self.at.as_secs_f64())?;
        match self.local_port {
            Some(port) if self.reused => write!(f, "port {port}, used before")?,
            Some(port) => write!(f, "port {port}")?,
            None => write!(f, "no port")?,
        }
        if let Some(server) = &self.server {
            write!(f, ", answered by {server}")?;
        }
        write!(f, ") {} after {:.3} s", self.fault, self.after.as_secs_f64())
    }
}

/// What was heard of one answerer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When its first answer had ended, good or bad, since the load began.
    pub first: Duration,
    /// When the first request that failed with it had ended; `None` without one.
    pub first_failed: Option<Duration>,
    /// Requests that have failed with it.
    pub failed: u64,
}

impl Heard {
    fn merge(&mut self, later: &Self) {
        self.first = self.first.min(later.first);
        self.first_failed = match (self.first_failed, later.first_failed) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.failed += later.failed;
    }
}

/// What came of a load, or of a part of it. A request belongs to the moment of its end.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// Requests that have ended, well or not.
    pub requests: u64,
    /// Requests that have failed.
    pub failed: u64,
    /// Failed requests by [`Fault::name`].
    pub faults: BTreeMap<&'static str, u64>,
    /// The first [`KEPT`] failures.
    pub failures: Vec<Failure>,
    /// The end of the last failure, since the load began.
    pub last_failure: Option<Duration>,
    /// Requests that were sent once more, over a new connection, because the server had closed the old one between
    /// two requests. That is no failure: the server may do so, and every client answers it like this.
    pub reopened: u64,
    /// Good answers by who gave them.
    pub servers: BTreeMap<String, u64>,
    /// When each answerer was heard first, and what failed with it. A request whose answerer is unknown is in none.
    pub heard: BTreeMap<String, Heard>,
    /// Times of the good answers, from the moment at which the request was due.
    pub latency: Histogram,
    /// The longest time by which the load itself was late in sending a request, whose clock ticks once a
    /// millisecond. Times contain it.
    pub late: Duration,
}

impl Tally {
    /// The time that half of the good answers did not exceed.
    pub fn p50(&self) -> Option<Duration> {
        self.quantile(0.5)
    }

    /// The time that 99 % of the good answers did not exceed.
    pub fn p99(&self) -> Option<Duration> {
        self.quantile(0.99)
    }

    fn quantile(&self, share: f64) -> Option<Duration> {
        self.latency.quantile_us(share).map(|us| Duration::from_secs_f64(us / 1e6))
    }

    /// A good answer to a request that was due at `at`, as long `after` that.
    pub(crate) fn succeed(&mut self, at: Duration, after: Duration, server: Option<String>) {
        self.requests += 1;
        self.latency.add(u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
        let Some(server) = server else { return };
        self.hear(&server, &Heard { first: at + after, first_failed: None, failed: 0 });
        if self.servers.len() < MAX_SERVERS || self.servers.contains_key(&server) {
            *self.servers.entry(server).or_default() += 1;
        }
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        self.requests += 1;
        self.failed += 1;
        *self.faults.entry(failure.fault.name()).or_default() += 1;
        self.last_failure = self.last_failure.max(Some(failure.at + failure.after));
        if let Some(server) = &failure.server {
            let ended = failure.at + failure.after;
            self.hear(server, &Heard { first: ended, first_failed: Some(ended), failed: 1 });
        }
        if self.failures.len() < KEPT {
            self.failures.push(failure);
        }
    }

    fn hear(&mut self, server: &str, heard: &Heard) {
        if let Some(known) = self.heard.get_mut(server) {
            known.merge(heard);
        } else if self.heard.len() < MAX_SERVERS {
            self.heard.insert(server.to_owned(), *heard);
        }
    }

    /// Adds what was counted later, or by another load.
    pub fn merge(&mut self, later: &Self) {
        self.requests += later.requests;
        self.failed += later.failed;
        self.reopened += later.reopened;
        self.last_failure = self.last_failure.max(later.last_failure);
        for (name, count) in &later.faults {
            *self.faults.entry(name).or_default() += count;
        }
        let room = KEPT.saturating_sub(self.failures.len());
        self.failures.extend(later.failures.iter().take(room).cloned());
        for (server, count) in &later.servers {
            *self.servers.entry(server.clone()).or_default() += count;
        }
        for (server, heard) in &later.heard {
            self.hear(server, heard);
        }
        self.latency.merge(&later.latency);
        self.late = self.late.max(later.late);
    }
}

impl fmt::Display for Tally {
    /// The figures in one line, and every failure that was kept in one of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Option<Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let (p50, p99) = (ms(self.p50()), ms(self.p99()));
        write!(f, "{} requests, {} failed, {} reopened", self.requests, self.failed, self.reopened)?;
        write!(f, ", p50 {p50:.1} ms, p99 {p99:.1} ms, at most {:.1} ms late", ms(Some(self.late)))?;
        for (name, count) in &self.faults {
            write!(f, "\n{count} × {name}")?;
        }
        for failure in &self.failures {
            write!(f, "\n{failure}")?;
        }
        Ok(())
    }
}
