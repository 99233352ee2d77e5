//! A client of the control socket: for `andon proxy`, and for the proxy that takes over from another one.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_api::frame::MAX_BODY;
use andon_api::proxy::{FromProxy, PROTOCOL, ToProxy};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::connection::{Connection, ConnectionError};

/// How long an answer may take. A reload resolves names, and may wait for the first health checks.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Why the proxy could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: no proxy runs with this control socket.
    #[error("no proxy listens at {path}: {source}")]
    Absent {
        /// The control socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It listens, but this user may not talk to it.
    #[error("the control socket {path} may not be used by this user; use the user of the proxy, or root")]
    Forbidden {
        /// The control socket.
        path: PathBuf,
    },
    /// The conversation broke off.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// No answer in time.
    #[error("the proxy has not answered within {} s", ANSWER_TIME.as_secs())]
    Silent,
    /// The proxy speaks another protocol.
    #[error(
        "the proxy {version} speaks protocol {protocol}, this program {PROTOCOL}; use the program of the proxy"
    )]
    Foreign {
        /// What it speaks.
        protocol: u32,
        /// Its version.
        version: String,
    },
    /// The answer belongs to no question of ours.
    #[error("the proxy answered something else than what was asked: {0}")]
    Beside(String),
}

/// What a proxy says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// How long it has been serving.
    pub serving: Duration,
    /// The names of its pools, in order.
    pub pools: Vec<String>,
}

/// A connection to a proxy that has welcomed us.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    identity: Identity,
}

impl Client {
    /// Connects to the control socket at `path` and makes sure that both sides speak the same protocol.
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).await.map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => ClientError::Forbidden { path: path.to_owned() },
            _ => ClientError::Absent { path: path.to_owned(), source },
        })?;
        let mut connection = Connection::new(stream, MAX_BODY);
        let hello = ToProxy::Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() };
        match exchange(&mut connection, &hello).await?.0 {
            FromProxy::Welcome { protocol, version, .. } if protocol != PROTOCOL => {
                Err(ClientError::Foreign { protocol, version })
            }
            FromProxy::Welcome { version, pid, serving_ms, pools, .. } => {
                let identity = Identity { version, pid, serving: Duration::from_millis(serving_ms), pools };
                Ok(Self { connection, identity })
            }
            other => Err(beside(&other)),
        }
    }

    /// What the proxy said of itself when we came.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Asks, and waits for the answer and what came along with it.
    pub async fn ask(&mut self, question: &ToProxy) -> Result<(FromProxy, Vec<OwnedFd>), ClientError> {
        exchange(&mut self.connection, question).await
    }
}

async fn exchange(
    connection: &mut Connection,
    question: &ToProxy,
) -> Result<(FromProxy, Vec<OwnedFd>), ClientError> {
    let both = async {
        connection.send(question, &[]).await?;
        connection.receive().await?.ok_or(ConnectionError::Closed)
    };
    Ok(timeout(ANSWER_TIME, both).await.map_err(|_| ClientError::Silent)??)
}

/// An answer that fits to no question, for people.
pub(crate) fn beside(answer: &FromProxy) -> ClientError {
    ClientError::Beside(match answer {
        FromProxy::Confused { why } => why.clone(),
        other => format!("{other:?}").chars().take(200).collect(),
    })
}
