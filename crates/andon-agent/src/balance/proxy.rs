//! Andon's own proxy, through its control socket. The proxy makes the change and remembers it; here is only asked.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use andon_api::frame::{self, FrameError, HEADER};
use andon_api::proxy::{FromProxy, MAX_REQUEST, PROTOCOL, ToProxy};
use andon_core::balance::{BalancerFailure, FailureKind, Pool, PoolSight, Wishes};
use andon_core::suggest;
use serde::Serialize;

use super::failure;
use super::socket;

/// The longest time for the whole conversation.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a conversation with the proxy came to nothing.
#[derive(Debug, thiserror::Error)]
enum ProxyError {
    /// Nobody is there, or nobody answers in time.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What is there speaks something else.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// There is more to say than the proxy hears.
    #[error("{0} bytes of wishes are more than the {MAX_REQUEST} that the proxy takes")]
    TooMuch(usize),
    /// The proxy speaks another protocol.
    #[error("the proxy is version {version} and speaks protocol {protocol}, the agent {PROTOCOL}")]
    Protocol {
        /// The proxy's.
        protocol: u32,
        /// The proxy's.
        version: String,
    },
    /// The proxy did not understand.
    #[error("the proxy did not understand: {0}")]
    Confused(String),
    /// The proxy knows no such pool.
    #[error("{0}")]
    NoSuchPool(String),
    /// The proxy gives its own reason.
    #[error(transparent)]
    Refused(BalancerFailure),
}

/// See [`super::balance`]. `control` is the proxy's socket and `name` its name for the pool.
pub(super) fn balance(
    _pool: &Pool,
    control: &Path,
    name: &str,
    wishes: &Wishes,
    _records: &Path,
) -> Result<PoolSight, BalancerFailure> {
    converse(control, name, wishes).map_err(|error| told(control, error))
}

fn converse(control: &Path, name: &str, wishes: &Wishes) -> Result<PoolSight, ProxyError> {
    let deadline = Instant::now() + PATIENCE;
    let mut line = Line { stream: socket::reach(control, deadline)?, deadline };
    let hello = ToProxy::Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() };
    match line.ask(&hello)? {
        FromProxy::Welcome { protocol: PROTOCOL, pools, .. } => check(name, &pools)?,
        FromProxy::Welcome { protocol, version, .. } => {
            return Err(ProxyError::Protocol { protocol, version });
        }
        other => return Err(unexpected(other)),
    }
    let pool = name.to_owned();
    let question = match wishes.is_empty() {
        true => ToProxy::Show { pool },
        false => ToProxy::Assert { pool, wishes: wishes.clone() },
    };
    match line.ask(&question)? {
        FromProxy::Sight { sight } => sight.map(|sight| *sight).map_err(ProxyError::Refused),
        other => Err(unexpected(other)),
    }
}

/// Whether the proxy knows the pool; a message names the one that may be meant.
fn check(name: &str, pools: &[String]) -> Result<(), ProxyError> {
    if pools.iter().any(|pool| pool == name) {
        return Ok(());
    }
    let hint = match (suggest::nearest(name, pools.iter().map(String::as_str)), pools) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, []) => "it has no pools at all: does it run with the right configuration?".to_owned(),
        (None, _) => {
            let shown: Vec<&str> = pools.iter().take(10).map(String::as_str).collect();
            let more = if pools.len() > shown.len() { ", …" } else { "" };
            format!("it has {}{more}", shown.join(", "))
        }
    };
    Err(ProxyError::NoSuchPool(format!("the proxy has no pool {name}; {hint}")))
}

fn unexpected(answer: FromProxy) -> ProxyError {
    match answer {
        FromProxy::Confused { why } => ProxyError::Confused(why),
        FromProxy::Sight { sight: Err(refused) } => ProxyError::Refused(refused),
        _ => ProxyError::Confused("it answered another question than the one asked".to_owned()),
    }
}

fn told(control: &Path, error: ProxyError) -> BalancerFailure {
    let control = control.display();
    let nobody = || format!("no proxy listens on {control}; is `andon proxy` running?");
    let (kind, reason) = match error {
        ProxyError::Refused(refused) => return refused,
        ProxyError::NoSuchPool(why) => (FailureKind::Missing, why),
        ProxyError::Protocol { .. } => {
            (FailureKind::Refused, format!("{error}; run the same version of both"))
        }
        ProxyError::TooMuch(_) => (FailureKind::Refused, error.to_string()),
        ProxyError::Frame(_) | ProxyError::Confused(_) => {
            (FailureKind::Unreachable, format!("what listens on {control} is no proxy of Andon's: {error}"))
        }
        ProxyError::Io(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                (FailureKind::Unreachable, nobody())
            }
            io::ErrorKind::PermissionDenied => (
                FailureKind::Refused,
                format!("the agent's user may not open {control}: give it the group of the socket"),
            ),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => (
                FailureKind::Unreachable,
                format!("the proxy did not answer on {control} within {PATIENCE:?}"),
            ),
            io::ErrorKind::UnexpectedEof => (
                FailureKind::Unreachable,
                format!("the proxy ended the conversation on {control} without an answer"),
            ),
            _ => (FailureKind::Unreachable, format!("the proxy cannot be reached on {control}: {error}")),
        },
    };
    failure(kind, reason)
}

/// A connection on which questions are answered in order, until the deadline.
struct Line {
    stream: UnixStream,
    deadline: Instant,
}

impl Line {
    fn ask(&mut self, question: &impl Serialize) -> Result<FromProxy, ProxyError> {
        let frame = frame::encode(question)?;
        if frame.len() - HEADER > MAX_REQUEST {
            return Err(ProxyError::TooMuch(frame.len() - HEADER));
        }
        self.write(&frame)?;
        let mut header = [0; HEADER];
        self.read(&mut header)?;
        let mut body = vec![0; frame::body_length(header)?];
        self.read(&mut body)?;
        Ok(frame::decode(&body)?)
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(self.left()?))?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read(&mut self, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_read_timeout(Some(self.left()?))?;
            match self.stream.read(bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => bytes = bytes.get_mut(read..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}
