//! One question and its answer over HAProxy's runtime API, within a bound of time and memory. Knows no commands.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use andon_core::balance::{BalancerFailure, FailureKind};
use andon_core::line::HaproxyApi;

use super::failure;
use crate::balance::socket;

/// The longest time for a question and its whole answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest answer, in bytes: about ten thousand servers.
const MAX_ANSWER: usize = 8 << 20;

/// A runtime API. Every question has a connection of its own, which HAProxy ends after its answer.
pub(super) struct Api<'a>(&'a HaproxyApi);

impl<'a> Api<'a> {
    pub(super) fn new(api: &'a HaproxyApi) -> Self {
        Self(api)
    }

    /// Where it is, for messages.
    pub(super) fn place(&self) -> Place<'a> {
        Place(self.0)
    }

    /// What HAProxy answers to a line of commands.
    pub(super) fn ask(&self, line: &str) -> Result<String, BalancerFailure> {
        let deadline = Instant::now() + PATIENCE;
        let answer = match self.0 {
            HaproxyApi::Socket(path) => socket::reach(path, deadline).and_then(|mut stream| {
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.write_all(format!("{line}\n").as_bytes())?;
                // The socket of a master process waits for this before it ends the conversation.
                stream.shutdown(Shutdown::Write)?;
                listen(&stream, deadline, |left| stream.set_read_timeout(Some(left)))
            }),
            HaproxyApi::Tcp(address) => dial(address, deadline).and_then(|mut stream| {
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.write_all(format!("{line}\n").as_bytes())?;
                stream.shutdown(Shutdown::Write)?;
                listen(&stream, deadline, |left| stream.set_read_timeout(Some(left)))
            }),
        };
        answer.map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &io::Error) -> BalancerFailure {
        let place = self.place();
        let (kind, reason) = match error.kind() {
            io::ErrorKind::NotFound => (
                FailureKind::Unreachable,
                format!("{place} does not exist: name the socket that haproxy.cfg has as `stats socket`"),
            ),
            io::ErrorKind::PermissionDenied => (
                FailureKind::Refused,
                format!(
                    "the agent's user may not open {place}: give it the group of the `stats socket` and that \
                     `mode 660`"
                ),
            ),
            io::ErrorKind::ConnectionRefused => {
                (FailureKind::Unreachable, format!("nobody listens at {place}: does HAProxy run?"))
            }
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => (
                FailureKind::Unreachable,
                format!("HAProxy did not answer at {place} within {} s", PATIENCE.as_secs()),
            ),
            io::ErrorKind::FileTooLarge => (
                FailureKind::Unreachable,
                format!("what answers at {place} does not come to an end; is it HAProxy's runtime API?"),
            ),
            _ => (FailureKind::Unreachable, format!("HAProxy cannot be reached at {place}: {error}")),
        };
        failure(kind, reason)
    }
}

/// Where an API is, for messages.
pub(super) struct Place<'a>(&'a HaproxyApi);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            HaproxyApi::Socket(path) => path.display().fmt(f),
            HaproxyApi::Tcp(address) => address.fmt(f),
        }
    }
}

fn dial(address: &str, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads to the end of the answer.
fn listen(
    mut stream: impl Read,
    deadline: Instant,
    wait_at_most: impl Fn(Duration) -> io::Result<()>,
) -> io::Result<String> {
    let mut answer = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        wait_at_most(left(deadline)?)?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) if answer.len() + length > MAX_ANSWER => {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}
